import contextlib
import socket

from edge.demo.fitting_rooms import Scene
from edge.demo.reader import EmulatedReader
from edge.processors.tryons import TryOnConfig, TryOnProcessor
from sensors.readings import Silence, TagRead
from sensors.rfid.client import LlrpSource
from sync.events import Event, TryOn

START = 1_700_000_000.0
SPEED = 400.0


def test_half_an_hour_of_a_store_over_tcp_in_a_few_seconds_gives_the_try_ons_that_happened() -> None:
    scene = Scene(START, seed=104, seconds=1800)
    events: list[Event] = []
    with (
        EmulatedReader(start=START, speed=SPEED, scene=scene) as reader,
        LlrpSource("127.0.0.1", reader.port, timestamps="reader") as source,
    ):
        processor = TryOnProcessor("reader", TryOnConfig(rooms={n: f"room-{n}" for n in range(1, scene.rooms + 1)}))
        for reading in source:
            if isinstance(reading, TagRead):
                events += processor.process(reading)
            if isinstance(reading, Silence) or reading.time > START + scene.seconds - 2:
                break
        events += processor.flush(START + scene.seconds + 600)
        truth = {
            (visit.epc, f"room-{visit.antenna}"): visit
            for visit in reader.rooms.visits
            if visit.start > START + 60 and visit.end < START + scene.seconds - 60
        }
    found = {(event.data.epc, event.data.room) for event in events if isinstance(event.data, TryOn)}
    assert len(truth) > 20
    assert len(truth.keys() & found) >= 0.9 * len(truth)
    everyone = {(visit.epc, f"room-{visit.antenna}") for visit in reader.rooms.visits}
    assert len(found - everyone) <= 0.1 * len(found)


def test_the_emulated_reader_lets_go_of_nonsense_and_stops_with_a_client_connected() -> None:
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(EmulatedReader(start=START, seed=1))
        with socket.create_connection(("127.0.0.1", reader.port)) as rude:
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while rude.recv(4096):
                pass
        with LlrpSource("127.0.0.1", reader.port) as polite:
            assert polite.capabilities is not None
        with socket.create_connection(("127.0.0.1", reader.port)) as idle:
            assert idle.recv(10)
            stack.close()
