"""Frigate's tracks through our lines, zones and minutes; with messages over a real broker at the end."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from edge.config import EdgeFile
from edge.processors.entry_rules import EntryRules
from edge.processors.followed import FollowedProcessor
from edge.processors.footfall import FootfallConfig, LineConfig
from edge.processors.zones import ZoneConfig
from edge.runtime import Heartbeat, SensorLoop
from edge.subscribing import subscriber
from sensors.errors import SourceError
from sensors.frigate import FrigateSource, sightings
from sensors.frigate_config import FrigateConfig
from sensors.readings import Attention
from sync.broker import Broker
from sync.config import MqttConfig
from sync.events import Event, FootfallMinute, Visit, Zone
from sync.mqtt import MqttBroker, Session
from tests.edge.test_cameras import Sink, until
from tests.sensors.frigate_events import DETECT, Path, event, stats

T0 = 1_700_000_040.0
DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.95), entering="positive", anchor="foot")
TILL = ZoneConfig(name="till", kind="queue", polygon=((0.6, 0.5), (1.0, 0.5), (1.0, 1.0), (0.6, 1.0)))
CAMERA = FrigateConfig(name="door", camera="front_door", detect=DETECT)


class Shop:
    """Feeds a processor with what Frigate says, at the times of T0 plus some seconds."""

    def __init__(self, config: FootfallConfig) -> None:
        self.processor = FollowedProcessor("door", config, "frigate")
        self.events: list[Event] = list(self.processor.process(Attention(T0, "frigate_unknown")))

    def sign(self, at: float, reason: str | None = None) -> None:
        self.events += self.processor.process(Attention(T0 + at, reason))
        self.events += self.processor.flush(T0 + at)

    def tell(self, kind: str, track: str, path: Sequence[tuple[float, float, float]]) -> None:
        moved: Path = [(x, y, T0 + at) for x, y, at in path]
        for seen in sightings(event(kind, track, moved), CAMERA, moved[-1][2]):
            self.events += self.processor.process(seen)
        self.sign(path[-1][2])

    def close(self, at: float) -> None:
        self.events += self.processor.close(T0 + at)

    @property
    def visits(self) -> list[tuple[str, float]]:
        found = [(one.data.direction, one.time.timestamp() - T0) for one in self.events if isinstance(one.data, Visit)]
        return [(direction, round(at, 2)) for direction, at in found]

    def minutes(self, place: str) -> list[FootfallMinute]:
        """The last revision of each."""
        found = [one.data for one in self.events if isinstance(one.data, FootfallMinute) and one.data.place == place]
        return sorted({data.minute: data for data in found}.values(), key=lambda data: data.minute)


def crossing(start: float, back: bool = False) -> list[tuple[float, float, float]]:
    """Somebody walks from left to right (or back) and is in the middle after 3 s."""
    places = [0.2, 0.35, 0.45, 0.55, 0.65, 0.8]
    return [(x, 0.8, start + index * 1.2) for index, x in enumerate(reversed(places) if back else places)]


def test_a_crossing_counts_once_at_its_time_whether_told_step_by_step_or_at_the_end() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,)))
    walk = crossing(10.0)
    for step in range(1, len(walk)):
        shop.tell("new" if step == 1 else "update", "a", walk[:step])
    shop.tell("end", "a", walk)
    shop.tell("end", "b", crossing(30.0, back=True))
    assert shop.visits == [("in", 13.0), ("out", 33.0)]
    visit = next(one.data for one in shop.events if isinstance(one.data, Visit))
    assert (visit.evidence.rule, visit.evidence.track) == ("frigate", 1)
    assert visit.evidence.detections >= 3
    assert visit.confidence == pytest.approx(0.789, abs=1e-3)


def test_two_people_whose_messages_come_interleaved_and_late_count_each() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,)))
    one, two = crossing(10.0), crossing(11.0, back=True)
    shop.tell("new", "a", one[:2])
    shop.tell("new", "b", two[:2])
    shop.tell("end", "b", two)
    shop.tell("end", "a", one)
    assert sorted(shop.visits) == [("in", 13.0), ("out", 14.0)]


def test_what_was_before_the_box_listened_and_what_is_told_again_is_not_counted() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,)))
    shop.tell("update", "a", [*crossing(-20.0)[:5], (0.8, 0.8, 2.0)])
    assert shop.visits == []
    walk = crossing(10.0)
    shop.tell("end", "b", walk)
    shop.tell("end", "b", walk)
    assert shop.visits == [("in", 13.0)]


def test_only_the_time_between_signs_of_life_is_covered() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,)))
    for at in (0, 60, 120):
        shop.sign(at)
    shop.sign(150, "frigate_no_frames")
    for at in (180, 240, 400):
        shop.sign(at)
    shop.processor.lost(T0 + 410)
    for at in (420, 480):
        shop.sign(at)
    shop.close(480)
    assert [minute.coverage for minute in shop.minutes("door")] == [60, 60, 0, 60, 0, 0, 0, 60]
    assert shop.processor.condition is None


def test_a_camera_that_frigate_does_not_watch_is_a_reason_and_no_coverage() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,)))
    for reason in ("frigate_unknown", "frigate_offline", "frigate_no_frames", "frigate_detect_off"):
        shop.sign(10, reason)
        assert shop.processor.condition == reason
    shop.close(100)
    assert sum(minute.coverage for minute in shop.minutes("door")) == 0


def test_a_queue_is_timed_by_the_messages_of_those_who_stand_in_it() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,), zones=(TILL,)))
    shop.sign(0)
    shop.tell("new", "a", [(0.3, 0.8, 5.0), (0.4, 0.8, 6.0), (0.8, 0.8, 8.0)])
    shop.tell("update", "a", [(0.8, 0.8, 8.0), (0.8, 0.8, 60.0)])
    shop.tell("end", "a", [(0.8, 0.8, 8.0), (0.8, 0.8, 68.0), (0.3, 0.8, 71.0), (0.2, 0.8, 72.5)])
    for at in (120, 180, 240):
        shop.sign(at)
    shop.close(240)
    stays = [(one.data.phase, one.data.seconds) for one in shop.events if isinstance(one.data, Zone)]
    assert [phase for phase, _ in stays] == ["enter", "leave"]
    assert stays[1][1] == pytest.approx(62, abs=2)
    assert shop.minutes("till")[0].occupancy == pytest.approx(52 / 60, abs=0.05)
    assert [minute.coverage for minute in shop.minutes("till")] == [60, 60, 60, 60]
    assert shop.visits == [("in", 6.5), ("out", 69.8)]


def test_tracks_whose_end_was_missed_are_forgotten() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,)))
    for number in range(700):
        shop.tell("new", f"t{number}", [(0.2, 0.8, 1.0 + number / 100)])
    assert len(shop.processor._tracks) <= 500
    shop.sign(1000)
    assert shop.processor._tracks == {}


def test_frigate_over_a_real_broker_is_counted_and_its_end_is_told(make_broker: Callable[[str], Broker]) -> None:
    broker = make_broker("mosquitto")
    config = MqttConfig(host="127.0.0.1", port=broker.port)
    sink, stop = Sink(), threading.Event()
    source = FrigateSource(CAMERA, subscriber(MqttBroker(config), "yingke-test-door"))
    processor = FollowedProcessor("door", FootfallConfig(lines=(DOOR,)), "frigate")
    loop = SensorLoop("door", lambda: source, processor, sink, time.time)
    heart = Heartbeat([loop.status], sink, time.time, every=3600)
    threads = [threading.Thread(target=loop.run, args=(stop,)), threading.Thread(target=heart.run, args=(stop, 0.1))]
    for thread in threads:
        thread.start()
    try:
        assert until(lambda: loop.status.readings > 0, 10)
        session = Session("frigate", available="frigate/available")
        with MqttBroker(config).connect(session) as frigate:
            frigate.publish("frigate/stats", stats())
            frigate.publish("frigate/events", b"{broken")
            while loop.status.state != "ok":
                assert frigate.receive(0.1) is None
            began = time.time()
            walk = [(x, y, began + at / 10) for x, y, at in crossing(1.0)]
            frigate.publish("frigate/events", event("new", "1.5-a", walk[:2]))
            frigate.publish("frigate/events", event("end", "1.5-a", walk))
            assert until(lambda: any(isinstance(one.data, Visit) for one in sink.kept), 10)
        assert until(lambda: sink.told("door")[-1:] == [("degraded", "frigate_offline")], 10), sink.told("door")
        assert loop.status.dropped == 1
        broker.__exit__(None, None, None)
        assert until(lambda: sink.told("door")[-1][0] == "lost", 10), sink.told("door")
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)
    assert sum(isinstance(one.data, Visit) for one in sink.kept) == 1


def test_a_broker_that_is_not_there_is_a_source_error() -> None:
    source = FrigateSource(CAMERA, subscriber(MqttBroker(MqttConfig(port=9)), "yingke-test-door"))
    with pytest.raises(SourceError, match=r"Frigate's MQTT broker 127\.0\.0\.1:9"), source:
        pass


def test_frigate_s_cameras_are_counted_by_name_like_our_own() -> None:
    lines = [{"name": "in", "start": [0.5, 0.1], "end": [0.5, 0.9], "entering": "positive"}]
    camera = {"name": "door", "camera": "front_door", "detect": [1280, 720]}
    document = {"store": {"id": "s"}, "sensors": {"frigate": [camera]}}
    with pytest.raises(ValueError, match=r"sensor door is read for nothing: add edge\.counting\.door"):
        EdgeFile.model_validate(document)
    good = EdgeFile.model_validate({**document, "edge": {"counting": {"door": {"lines": lines}}}})
    assert good.sensors.names() == ["door"]
    uniform = {"lines": lines, "rules": {"re_entry_seconds": 60}}
    with pytest.raises(ValueError, match="Frigate sends no pictures"):
        EdgeFile.model_validate({**document, "edge": {"counting": {"door": uniform}}})


def test_a_u_turn_in_frigate_s_path_is_one_by_our_rule() -> None:
    shop = Shop(FootfallConfig(lines=(DOOR,), rules=EntryRules(u_turn_seconds=10)))
    back = [(x, y, at + 6.5) for x, y, at in crossing(10.0, back=True)]
    shop.tell("end", "a", crossing(10.0) + back[1:])
    shop.tell("end", "b", crossing(12.0))
    shop.sign(70)
    told = [one.data.evidence.exclusions for one in shop.events if isinstance(one.data, Visit)]
    assert sorted(told) == [(), ("u_turn",), ("u_turn",)]
