"""Other readers as sources: real sockets, pipes, a pseudo-terminal, and both brokers."""

import base64
import http.client
import json
import os
import pty
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import TypeAdapter

from edge.subscribing import subscriber
from sensors.errors import SourceError
from sensors.readings import Silence, TagRead
from sensors.rfid.config import RfidConfig, open_rfid
from sensors.rfid.heard import LARGEST, Timing
from sensors.rfid.impinj import ImpinjSource
from sensors.rfid.keonn import parse_keonn
from sensors.rfid.pushed import PushedSource
from sensors.rfid.wedge import WedgeSource
from sync.broker import Broker
from sync.config import MqttConfig
from sync.mqtt import MqttBroker, Session
from tests.sensors.test_rfid_adapters import EPC, impinj, keonn, zebra

NOW = 1_775_131_201.0


def timing(clock: Callable[[], float] = lambda: NOW) -> Timing:
    return Timing("till", "auto", clock)


def take(source: Iterator[TagRead | Silence], count: int, silences: int = 10) -> list[TagRead]:
    """The next ``count`` reads; fewer when there is silence for long."""
    found: list[TagRead] = []
    while len(found) < count and silences:
        reading = next(source)
        if isinstance(reading, TagRead):
            found.append(reading)
        else:
            silences -= 1
    return found


def opened(section: dict[str, Any], connect: Any = None) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(RfidConfig)
    return open_rfid(adapter.validate_python({"name": "till"} | section), lambda: NOW, connect)


# --- MQTT


@pytest.mark.parametrize(("form", "message"), [("impinj", impinj()), ("zebra", zebra()), ("fields", keonn())])
def test_reads_come_over_a_real_broker_and_its_loss_is_told(broker: Broker, form: str, message: dict[str, Any]) -> None:
    there = MqttBroker(MqttConfig(port=broker.port))
    section: dict[str, Any] = {"type": "mqtt", "topics": ["rfid/+/tags"], "format": form}
    if form == "fields":
        section["fields"] = {"reads": "reads", "epc": "epc", "antenna": "antenna", "rssi": "rssi", "time": "ts"}
    connect = subscriber(there, "yingke-shop-till", "RFID's", "edge.rfid_broker")
    with opened(section, connect) as source, there.connect(Session("reader")) as reader:
        reads = iter(source)
        for payload in (b"\xff{", json.dumps(message).encode(), b"[]", json.dumps(message)[:-5].encode()):
            reader.publish("rfid/a/tags", payload)
        reader.publish("rfid/a/tags", json.dumps(message).encode())
        while reader.unacknowledged:
            reader.receive(0.05)
        assert [read.epc for read in take(reads, 2)] == [EPC, EPC]
        # An empty array is a batch without reads; without the array of the paths it is none of its kind.
        assert source.dropped == (3 if form == "fields" else 2)
        broker.kill()
        with pytest.raises(SourceError, match="RFID's MQTT broker") as lost:
            take(reads, 1)
        assert "edge.rfid_broker" in lost.value.fix


def test_without_a_broker_the_source_says_so() -> None:
    connect = subscriber(MqttBroker(MqttConfig(port=1)), "yingke-shop-till", "RFID's", "edge.rfid_broker")
    with (
        pytest.raises(SourceError, match="cannot connect"),
        opened({"type": "mqtt", "topics": ["a"], "format": "zebra"}, connect),
    ):
        pass


# --- HTTP POST


@contextmanager
def listening(**changes: Any) -> Iterator[tuple[PushedSource, Iterator[TagRead | Silence]]]:
    with PushedSource("127.0.0.1", 0, "/tags", parse_keonn, timing(), **changes) as source:
        yield source, iter(source)


def post(source: PushedSource, body: bytes, path: str = "/tags", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=10)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


GOOD = json.dumps(keonn()).encode()


def test_a_posted_batch_is_taken_and_answered() -> None:
    with listening() as (source, reads):
        assert post(source, GOOD) == 200
        (read,) = take(reads, 1)
        assert (read.epc, read.antenna, read.rssi_dbm, round(read.time, 3)) == (EPC, 1, -62, NOW - 0.5)
        assert source.dropped == 0


def test_many_posts_of_one_connection_are_taken() -> None:
    with listening() as (source, reads):
        connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=10)
        for _ in range(200):
            connection.request("POST", "/tags", GOOD)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        connection.close()
        assert len(take(reads, 200)) == 200


def test_without_the_secret_nothing_is_taken_and_the_right_one_counts_as_bearer_and_as_basic() -> None:
    with listening(secret="s3cret-é") as (source, reads):
        basic = base64.b64encode("keonn:s3cret-é".encode()).decode()
        for header in ("", "Bearer nope", "Basic ???", "Basic " + base64.b64encode(b"s3cret").decode(), "Digest x"):
            assert post(source, GOOD, Authorization=header) == 401
        assert source.dropped == 5
        assert post(source, GOOD, Authorization=f"Basic {basic}") == 200
        assert len(take(reads, 2, silences=2)) == 1
    with listening(secret="plain") as (source, _):
        assert post(source, GOOD, Authorization="Bearer plain") == 200


def test_what_is_wrong_is_refused_with_its_status_counted_and_the_next_is_taken() -> None:
    with listening() as (source, reads):
        assert post(source, GOOD, path="/other") == 404
        assert post(source, GOOD[:-9]) == 400
        assert post(source, b"") == 400
        assert post(source, b"x" * (LARGEST + 1)) == 413
        assert post(source, json.dumps(keonn(epc="abc")).encode()) == 400
        assert post(source, GOOD, **{"Content-Length": "-5"}) == 400
        assert source.dropped == 6
        assert post(source, GOOD) == 200
        assert len(take(reads, 1)) == 1


def raw(source: PushedSource, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", source.port), 10)
    connection.sendall(data)
    return connection


def test_bytes_that_are_no_http_or_have_no_length_are_answered_and_end_the_connection() -> None:
    with listening() as (source, reads):
        for data, status in (
            (b"\x16\x03\x01\x02\x00" * 10 + b"\r\n\r\n", b"400"),
            (b"POST /tags HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"411"),
            (b"DELETE /tags HTTP/1.1\r\n\r\n", b"501"),
        ):
            with raw(source, data) as connection:
                assert status in connection.recv(4096)
        assert post(source, GOOD) == 200
        assert len(take(reads, 1)) == 1


def test_a_slow_sender_is_cut_off_and_holds_up_nobody() -> None:
    with listening(patience=0.5) as (source, reads):
        slow = raw(source, b"POST /tags HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{")
        assert post(source, GOOD) == 200
        assert len(take(reads, 1)) == 1
        slow.settimeout(10)
        take(reads, 1, silences=2)
        assert b"200" not in slow.recv(4096)  # an end, or a refusal, but no sign that it was taken
        slow.close()


def test_more_connections_than_a_shop_has_readers_are_turned_away_until_some_end() -> None:
    with listening(patience=0.2) as (source, reads):
        crowd = [raw(source, b"POST") for _ in range(40)]
        take(reads, 1, silences=2)
        for connection in crowd:
            connection.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if post(source, GOOD) == 200:
                    break
            except OSError:
                take(reads, 1, silences=1)
        assert len(take(reads, 1)) == 1


def test_reads_that_nobody_takes_are_bounded_counted_and_the_reader_is_told_to_come_again() -> None:
    with listening(waiting=3) as (source, reads):
        assert [post(source, GOOD) for _ in range(4)] == [200, 200, 200, 503]
        assert source.dropped == 1
        assert len(take(reads, 3)) == 3
        assert post(source, GOOD) == 200


def test_a_port_in_use_is_named() -> None:
    with listening() as (source, _):
        again = PushedSource("127.0.0.1", source.port, "/tags", parse_keonn, timing())
        with pytest.raises(SourceError, match=r"cannot listen on 127\.0\.0\.1") as refused, again:
            pass
    assert "free port" in refused.value.fix


def test_leaving_ends_the_threads_and_frees_the_port() -> None:
    before = threading.active_count()
    with listening() as (source, _):
        port = source.port
        idle = raw(source, b"")
    with PushedSource("127.0.0.1", port, "/tags", parse_keonn, timing()):
        pass
    idle.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_the_secret_s_file_is_for_us_only(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    section = {"type": "http", "format": "zebra", "port": 8099, "secret_file": str(file)}
    with pytest.raises(SourceError, match="cannot be read"):
        opened(section)
    file.write_text("abc\n")
    file.chmod(0o644)
    with pytest.raises(SourceError, match="every user may read") as refused:
        opened(section)
    assert refused.value.fix.startswith("chmod o-rwx")


# --- Impinj's stream


class Reader:
    """Answers as an R700 does, by the documents: Basic login, a preset to start, a chunked stream of lines."""

    def __init__(
        self, *parts: bytes, status: bytes = b"200 OK", chunked: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[str] = []
        self._parts, self._status, self._chunked, self._tls = parts, status, chunked, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def hang_up(self) -> None:
        self._end.set()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._tls is not None:
                try:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                except OSError:
                    connection.close()  # who does not trust us hangs up
                    continue
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(4096)
                self.requests.append(request.decode())
                if request.startswith(b"POST"):
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    continue
                coding = b"Transfer-Encoding: chunked\r\n" if self._chunked else b""
                connection.sendall(
                    b"HTTP/1.1 " + self._status + b"\r\nContent-Type: application/json\r\n" + coding + b"\r\n"
                )
                for part in self._parts:
                    connection.sendall(b"%x\r\n%s\r\n" % (len(part), part) if self._chunked else part)
                self._end.wait(20)


def impinj_source(port: int, **changes: Any) -> ImpinjSource:
    return ImpinjSource("127.0.0.1", port, timing=timing(), user="root", **changes)


@pytest.mark.parametrize("chunked", [True, False])
def test_the_stream_s_lines_are_reads_however_they_are_cut(chunked: bool) -> None:
    line = json.dumps(impinj()).encode() + b"\r\n"
    text = line * 3 + b"\r\n" + b'{"broken\n' + b"x" * 200_000 + b"\n" + line
    parts = [text[at : at + 777] for at in range(0, len(text), 777)]
    with Reader(*parts, chunked=chunked) as reader, impinj_source(reader.port, preset="default") as source:
        reads = iter(source)
        assert [(read.epc, read.antenna, read.rssi_dbm) for read in take(reads, 4, 100_000)] == [(EPC, 2, -52.34)] * 4
        assert source.dropped == 2
        assert isinstance(next(reads), Silence)
        reader.hang_up()
        with pytest.raises(SourceError, match="the stream ended"):
            take(reads, 1)
    assert reader.requests[0].startswith("POST /api/v1/profiles/inventory/presets/default/start HTTP/1.1\r\n")
    assert reader.requests[1].startswith("GET /api/v1/data/stream HTTP/1.1\r\n")
    assert f"Authorization: Basic {base64.b64encode(b'root:impinj').decode()}\r\n" in reader.requests[1]


def test_a_refused_login_waits_a_minute_and_names_the_setting(tmp_path: Path) -> None:
    secret = tmp_path / "reader"
    secret.write_text("other\n")
    secret.chmod(0o600)
    with Reader(status=b"401 Unauthorized") as reader:
        with (
            pytest.raises(SourceError, match="refuses the login") as refused,
            impinj_source(reader.port, password_file=secret),
        ):
            pass
        assert base64.b64encode(b"root:other").decode() in reader.requests[0]
    assert (refused.value.patience, refused.value.reason) == (60.0, "login_refused")
    assert "password_file" in refused.value.fix


@pytest.mark.parametrize("status", [b"404 Not Found", b"503 Busy", b"nonsense"])
def test_another_answer_is_a_source_error(status: bytes) -> None:
    with Reader(status=status) as reader, pytest.raises(SourceError), impinj_source(reader.port):
        pass


def test_no_reader_there_is_a_source_error() -> None:
    with pytest.raises(SourceError, match=r"Impinj reader 127\.0\.0\.1:1: Connection refused"), impinj_source(1):
        pass


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate in a name that nobody asks for, as readers make it, and the reader's side of TLS with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "impinj-14-46-36")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=3))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    public, private = folder / "reader.pem", folder / "key.pem"
    public.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


def test_a_reader_s_own_certificate_is_trusted_where_it_is_given_and_nowhere_else(tmp_path: Path) -> None:
    certificate, tls = self_signed(tmp_path)
    line = json.dumps(impinj()).encode() + b"\n"
    with Reader(line, tls=tls) as reader:
        section = {"type": "impinj", "host": "127.0.0.1", "port": reader.port}
        with pytest.raises(SourceError, match="not trusted") as refused, opened(section):
            pass
        assert "certificate" in refused.value.fix
        with opened(section | {"certificate": str(certificate)}) as source:
            reads = iter(source)
            assert [read.epc for read in take(reads, 1)] == [EPC]
            assert isinstance(next(reads), Silence)
    with pytest.raises(SourceError, match=r"none\.pem"):
        opened({"type": "impinj", "host": "127.0.0.1", "certificate": str(tmp_path / "none.pem")})


# --- Scanners


def test_a_pipe_gives_a_read_for_each_line_and_outlives_its_writers(tmp_path: Path) -> None:
    pipe = tmp_path / "scanner"
    os.mkfifo(pipe)
    with WedgeSource(str(pipe), timing(), antenna=4) as source:
        reads = iter(source)
        for text in (f"{EPC}\r\n(01)8061414112", "3458(21)6789\nnonsense\n\n", "x" * 2000 + "\n" + EPC.lower() + "\n"):
            with pipe.open("w") as writer:
                writer.write(text)
            first = take(reads, 1)
            assert [(read.antenna, read.time, read.rssi_dbm) for read in first] == [(4, NOW, None)]
        assert source.dropped == 2


def test_a_serial_device_is_read_raw_and_its_end_is_told() -> None:
    ours, theirs = pty.openpty()
    with WedgeSource(os.ttyname(theirs), timing(), baud=9600) as source:
        os.close(theirs)
        reads = iter(source)
        os.write(ours, EPC.encode() + b"\r")  # a scanner's Enter is a carriage return
        assert [read.epc for read in take(reads, 1)] == [EPC]
        os.close(ours)
        with pytest.raises(SourceError) as lost:
            take(reads, 1)
        assert lost.value.fix == "plug in the scanner"


def test_a_file_ends_with_its_last_line_also_without_a_line_end(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text(f"{EPC}\n{EPC}")
    with WedgeSource(str(file), timing()) as source:
        assert [reading.epc for reading in source if isinstance(reading, TagRead)] == [EPC, EPC]


def test_a_scanner_that_is_not_there_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"), WedgeSource(str(tmp_path / "none"), timing()):
        pass
