import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from edge.demo.reader import EmulatedReader
from sensors.errors import SourceError
from sensors.readings import Silence, TagRead
from sensors.rfid import messages as m
from sensors.rfid.client import LlrpSource
from sensors.rfid.config import LlrpConfig, open_rfid
from sensors.rfid.llrp import ERROR_MESSAGE, KEEPALIVE, READER_EVENT_NOTIFICATION, RO_ACCESS_REPORT, Decoder
from tests.sensors.rfid_peers import READERS, entered, free_port

EPC = bytes.fromhex("3074257BF7194E4000001A85")
GREETING = m.encode(READER_EVENT_NOTIFICATION, 0, m.reader_event(1_700_000_000_000_000, connection=0))
Answer = Callable[[int, int], bytes | None]


@contextlib.contextmanager
def reading(source: LlrpSource) -> Iterator[Iterator[TagRead]]:
    """The tag reads of ``source`` once its process is up."""
    entered(source)
    try:
        yield (one for one in source if isinstance(one, TagRead))
    finally:
        source.__exit__(None, None, None)


@pytest.mark.parametrize("name", READERS)
class TestEveryReader:
    def test_reads_come_as_soon_as_it_is_entered(self, name: str) -> None:
        with READERS[name]() as port, reading(source := LlrpSource("127.0.0.1", port)) as tags:
            reads = list(itertools.islice(tags, 100))
        assert source.capabilities is not None
        assert source.capabilities.antennas == 4
        assert all(len(bytes.fromhex(read.epc)) == 12 and 1 <= read.antenna <= 4 for read in reads)
        assert all(read.rssi_dbm is not None and -95 < read.rssi_dbm < -20 for read in reads)
        assert all(abs(read.time - time.time()) < 10 for read in reads)
        assert source.dropped == 0


@pytest.mark.parametrize("name", ["llrpkit", "emulated"])  # the llrpjs peer dies of its own next report (EPIPE)
def test_it_can_be_left_and_entered_again(name: str) -> None:
    with READERS[name]() as port:
        source = LlrpSource("127.0.0.1", port)
        for _ in range(3):
            with reading(source) as tags:
                assert next(tags)


def test_llrpkit_takes_the_chosen_antennas_and_session() -> None:
    with READERS["llrpkit"]() as port, reading(LlrpSource("127.0.0.1", port, antennas=(1, 2), session=1)) as tags:
        assert {read.antenna for read in itertools.islice(tags, 100)} == {1, 2}


class Scripted:
    """A reader that answers every request with success, unless ``answer(type, id)`` gives other bytes; ``after`` is
    sent once it has started. Requests that arrived are in ``asked``."""

    def __init__(
        self, answer: Answer = lambda kind, number: None, *, greeting: bytes = GREETING, after: bytes = b""
    ) -> None:
        self.asked: list[int] = []
        self._answer, self._greeting, self._after = answer, greeting, after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Scripted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self.client is not None:
            with contextlib.suppress(OSError):
                self.client.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self.client, _ = self._listener.accept()
            with self.client as client:
                client.sendall(self._greeting)
                decoder = Decoder()
                while data := client.recv(1 << 16):
                    decoder.feed(data)
                    for message in decoder.messages():
                        self.asked.append(message.type)
                        client.sendall(self._reply(message.type, message.id))

    def _reply(self, kind: int, number: int) -> bytes:
        reply = self._answer(kind, number)
        if reply is None:
            reply = m.encode(m.RESPONSES[kind], number, m.status(0)) if kind in m.RESPONSES else b""
        return reply + (self._after if kind == m.ENABLE_EVENTS_AND_REPORTS else b"")


def failing(request: int, code: int, words: str) -> Answer:
    return lambda kind, number: m.encode(m.RESPONSES[kind], number, m.status(code, words)) if kind == request else None


def source_of(reader: Scripted, *, keepalive: float = 5.0, patience: float = 5.0) -> LlrpSource:
    return LlrpSource("127.0.0.1", reader.port, keepalive=keepalive, patience=patience)


REPORT = m.encode(RO_ACCESS_REPORT, 0, m.tag_report(EPC, 2, -55, 1_700_000_001_000_000))


def test_requests_come_one_by_one_in_the_order_of_the_standard() -> None:
    with Scripted(after=REPORT) as reader, source_of(reader) as source:
        next(iter(source))
        assert reader.asked == [
            m.GET_READER_CAPABILITIES, m.SET_READER_CONFIG, m.DELETE_ROSPEC, m.ADD_ROSPEC, m.ENABLE_ROSPEC,
            m.START_ROSPEC, m.ENABLE_EVENTS_AND_REPORTS,
        ]  # fmt: skip
    assert reader.asked[-2:] == [m.DELETE_ROSPEC, m.CLOSE_CONNECTION]


def test_an_error_message_to_enable_events_and_a_failing_delete_are_tolerated() -> None:
    def answer(kind: int, number: int) -> bytes | None:
        if kind == m.ENABLE_EVENTS_AND_REPORTS:
            return m.encode(ERROR_MESSAGE, number, m.status(109, "no"))
        return failing(m.DELETE_ROSPEC, 300, "no ROSpec 0")(kind, number)

    with Scripted(answer, after=REPORT) as reader, source_of(reader) as source:
        assert isinstance(next(iter(source)), TagRead)


@pytest.mark.parametrize("request_type", [m.SET_READER_CONFIG, m.ADD_ROSPEC, m.START_ROSPEC])
def test_a_refused_request_is_an_error_in_the_readers_own_words(request_type: int) -> None:
    with (
        Scripted(failing(request_type, 301, "antenna 9\nis not there")) as reader,
        pytest.raises(
            SourceError, match=f"refused {m.NAMES[request_type]}: value out of range .301.: antenna 9 is not"
        ),
        source_of(reader),
    ):
        pass


def test_an_error_message_in_place_of_a_response_is_an_error() -> None:
    def answer(kind: int, number: int) -> bytes | None:
        return m.encode(ERROR_MESSAGE, number, m.status(109, "what?")) if kind == m.ADD_ROSPEC else None

    with Scripted(answer) as reader, pytest.raises(SourceError, match="unsupported message"), source_of(reader):
        pass


def test_a_reader_with_another_client_says_so() -> None:
    refused = m.encode(READER_EVENT_NOTIFICATION, 0, m.reader_event(1, connection=2))
    with Scripted(greeting=refused) as reader, pytest.raises(SourceError, match="another client is connected"):
        source_of(reader).__enter__()


def test_the_emulated_reader_refuses_a_second_client() -> None:
    with (
        EmulatedReader(start=1_700_000_000.0) as reader,
        LlrpSource("127.0.0.1", reader.port),
        pytest.raises(SourceError, match="another client is connected"),
        LlrpSource("127.0.0.1", reader.port),
    ):
        pass


def test_reports_between_responses_are_not_lost() -> None:
    def answer(kind: int, number: int) -> bytes | None:
        return REPORT + m.encode(m.RESPONSES[kind], number, m.status(0)) + REPORT if kind == m.START_ROSPEC else None

    with Scripted(answer) as reader, source_of(reader) as source:
        assert [isinstance(one, TagRead) for one in itertools.islice(source, 2)] == [True, True]


def test_a_keepalive_is_answered() -> None:
    with Scripted(after=m.encode(KEEPALIVE, 77) + REPORT) as reader, source_of(reader) as source:
        readings = iter(source)
        assert isinstance(next(readings), TagRead)
        assert isinstance(next(readings), Silence)
        assert m.KEEPALIVE_ACK in reader.asked


def test_a_silent_reader_is_silence_within_a_second_and_then_asked_and_then_lost() -> None:
    def answer(kind: int, number: int) -> bytes | None:
        deaf = kind == m.GET_READER_CAPABILITIES and m.ENABLE_EVENTS_AND_REPORTS in reader.asked
        return b"" if deaf else None

    with Scripted(answer) as reader, source_of(reader, keepalive=0.5) as source:
        readings, before = iter(source), time.monotonic()
        assert isinstance(next(readings), Silence)
        assert time.monotonic() - before < 1.0
        with pytest.raises(SourceError, match="silent for"):
            list(readings)
        assert reader.asked.count(m.GET_READER_CAPABILITIES) == 2


def test_a_reader_without_keepalives_that_answers_when_asked_is_kept() -> None:
    with Scripted() as reader, source_of(reader, keepalive=0.4) as source:
        for silence in itertools.islice(source, 6):
            assert isinstance(silence, Silence)
        assert reader.asked.count(m.GET_READER_CAPABILITIES) >= 2


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (m.encode(READER_EVENT_NOTIFICATION, 0, m.reader_event(1, closed=True)), "it said that it closes"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no message begins here"),
        (m.encode(RO_ACCESS_REPORT, 0, m.tlv(240)), "tag report without an EPC"),
        (m.encode(READER_EVENT_NOTIFICATION, 0, m.tlv(246, m.tlv(128, b"\0"))), "too short"),
    ],
)
def test_a_reader_that_goes_wrong_is_lost_with_a_reason(after: bytes, said: str) -> None:
    with Scripted(after=after) as reader, source_of(reader) as source, pytest.raises(SourceError, match=said):
        list(source)


def test_a_reader_that_disappears_is_lost() -> None:
    with Scripted(after=REPORT) as reader, source_of(reader) as source:
        readings = iter(source)
        next(readings)
        assert reader.client is not None
        reader.client.shutdown(socket.SHUT_RDWR)
        with pytest.raises(SourceError, match="closed the connection"):
            list(readings)


def test_a_port_where_nothing_listens_is_said_with_a_fix() -> None:
    with pytest.raises(SourceError, match=r"cannot connect to RFID reader 127.0.0.1") as caught:
        LlrpSource("127.0.0.1", free_port()).__enter__()
    assert "LLRP" in caught.value.fix


def test_something_that_is_no_reader_is_said_within_the_patience() -> None:
    with Scripted(greeting=b"") as silent, pytest.raises(SourceError, match=r"no LLRP greeting within 0.3 s"):
        source_of(silent, patience=0.3).__enter__()
    with Scripted(greeting=b"SSH-2.0-OpenSSH_9.2\r\n") as other, pytest.raises(SourceError, match="not an LLRP stream"):
        source_of(other, patience=0.3).__enter__()


def test_a_reader_that_swallows_a_request_is_lost_within_the_patience() -> None:
    with (
        Scripted(lambda kind, number: b"" if kind == m.ADD_ROSPEC else None) as reader,
        pytest.raises(SourceError, match=r"no answer to ADD_ROSPEC within 0.3 s"),
    ):
        source_of(reader, patience=0.3).__enter__()


def first_read(reader: Scripted, timestamps: str) -> tuple[TagRead, float]:
    config = LlrpConfig.model_validate(
        {"type": "llrp", "name": "reader", "host": "127.0.0.1", "port": reader.port, "clock": timestamps}
    )
    with open_rfid(config, clock=lambda: 1_700_003_601.0) as source:
        read = next(one for one in source if isinstance(one, TagRead))
        return read, source.clock_skew if isinstance(source, LlrpSource) else 0.0


@pytest.mark.parametrize(
    ("timestamps", "seconds", "skew"),
    [("reader", 1_700_000_001.0, 0.0), ("host", 1_700_003_601.0, 0.0), ("auto", 1_700_003_601.0, -3600.0)],
)
def test_a_reader_whose_clock_is_an_hour_behind(timestamps: str, seconds: float, skew: float) -> None:
    with Scripted(after=REPORT) as reader:
        read, measured = first_read(reader, timestamps)
    assert (read.time, measured) == (seconds, skew)


def test_a_report_buffer_that_overflowed_is_counted() -> None:
    overflow = m.encode(READER_EVENT_NOTIFICATION, 0, m.tlv(246, m.tlv(128, bytes(8)), m.tlv(251)))
    with Scripted(after=overflow + REPORT) as reader, source_of(reader) as source:
        assert isinstance(next(iter(source)), TagRead)
        assert source.dropped == 1


def store_reads(reader: EmulatedReader, count: int) -> Iterator[TagRead]:
    with LlrpSource("127.0.0.1", reader.port, timestamps="reader") as source:
        yield from itertools.islice((one for one in source if isinstance(one, TagRead)), count)


def test_the_emulated_reader_reports_in_store_time_at_the_speed_it_is_given() -> None:
    with EmulatedReader(start=1_700_000_000.0, speed=300.0, seed=3) as reader:
        reads = list(store_reads(reader, 3000))
        assert all(1_700_000_000.0 <= read.time <= reader.now() for read in reads)
        assert reads == sorted(reads, key=lambda read: read.time)
        assert reads[-1].time - reads[0].time > 20
    with EmulatedReader(start=1_700_000_000.0, speed=300.0, seed=3) as reader:
        again = list(store_reads(reader, 10))
    assert {read.epc[:14] for read in again} <= {read.epc[:14] for read in reads}


@pytest.mark.parametrize("name", ["llrpkit", "llrpjs"])
def test_a_reader_that_is_killed_and_started_again_in_the_middle_gives_no_read_that_it_did_not_send(name: str) -> None:
    known: set[str] = set()
    times: list[float] = []
    began = time.time()
    for _ in range(2):
        with contextlib.ExitStack() as process:
            source = entered(LlrpSource("127.0.0.1", process.enter_context(READERS[name]())))
            try:
                tags = (one for one in source if isinstance(one, TagRead))
                reads = list(itertools.islice(tags, 60))
                process.close()  # killed in the middle of its reports
                with pytest.raises(SourceError, match="lost RFID reader"):
                    reads += list(tags)
            finally:
                source.__exit__(None, None, None)
        known |= {read.epc for read in reads}
        times += [read.time for read in reads]
    # Both peers answer with at most 40 tags of their own, antennas 1 to 4, and the moment of the read.
    assert 1 < len(known) <= 40
    assert len(times) >= 120
    assert all(began - 5 < moment < time.time() + 5 for moment in times)
