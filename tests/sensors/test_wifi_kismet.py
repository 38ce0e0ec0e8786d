"""Against a server made after Kismet's documentation; no real Kismet answers here."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import FormatError, SourceError
from sensors.http_body import Body
from sensors.readings import Attention, ProbeRequest, Silence
from sensors.wifi.config import KismetConfig
from sensors.wifi.kismet import KismetSource
from tests.sensors.wifi_frames import enhanced, interface, probe, radiotap, section

FRAME = radiotap(probe())
BLUETOOTH, SOURCE = 187, "5FE308BD-0000-0000-0000-00C0CAAAA000"
STREAM = (
    section()
    + interface(127)
    + enhanced(0, 1_700_000_000_000_000, FRAME)
    + interface(BLUETOOTH)
    + enhanced(1, 1_700_000_001_000_000, b"bluetooth")
    + enhanced(0, 1_700_000_002_000_000, FRAME)
)


def chunks(data: bytes, size: int) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)


@contextmanager
def kismet(head: bytes, body: bytes) -> Iterator[tuple[int, list[bytes]]]:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(head + b"\r\n\r\n" + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join()


def config(folder: Path, port: int, **more: str) -> KismetConfig:
    token = folder / "token"
    token.write_text("SECRETKEY\n")
    token.chmod(0o600)
    return KismetConfig.model_validate({"type": "kismet", "name": "wifi", "port": port, "token_file": token, **more})


@pytest.mark.parametrize("size", [7, 100, 5000])
def test_the_stream_of_a_kismet_is_read_and_its_other_radios_are_left_out(tmp_path: Path, size: int) -> None:
    found: list[ProbeRequest | Attention | Silence] = []
    with (
        kismet(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", chunks(STREAM, size)) as (port, asked),
        KismetSource(config(tmp_path, port)) as source,
        pytest.raises(SourceError, match="the stream ended"),
    ):
        found.extend(source)
    assert [reading.time for reading in found if isinstance(reading, ProbeRequest)] == [1.7e9, 1.7e9 + 2]
    assert asked[0].startswith(b"GET /pcap/all_packets.pcapng HTTP/1.1\r\n")
    assert b"\r\nCookie: KISMET=SECRETKEY\r\n" in asked[0]


def test_one_data_source_is_asked_for_by_its_uuid_and_a_plain_body_is_read_too(tmp_path: Path) -> None:
    with (
        kismet(b"HTTP/1.1 200 OK", STREAM) as (port, asked),
        KismetSource(config(tmp_path, port, source=SOURCE)) as source,
        pytest.raises(SourceError),
    ):
        list(source)
    assert source.frames == 2
    assert asked[0].startswith(b"GET /datasource/pcap/by-uuid/" + SOURCE.encode() + b"/packets.pcapng ")


@pytest.mark.parametrize(
    ("head", "words"),
    [(b"HTTP/1.1 401 Unauthorized", "refuses the API key"), (b"HTTP/1.1 404 Not Found", "answers HTTP/1.1 404")],
)
def test_a_refusal_is_one_line_with_a_fix_that_does_not_show_the_key(tmp_path: Path, head: bytes, words: str) -> None:
    with kismet(head, b"") as (port, _), pytest.raises(SourceError, match=words) as refused:
        KismetSource(config(tmp_path, port)).__enter__()
    assert refused.value.fix
    assert "SECRETKEY" not in str(refused.value) + refused.value.fix


def test_a_kismet_that_is_not_there_and_a_key_that_others_may_read_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    away = config(tmp_path, port)
    with pytest.raises(SourceError, match=r"Kismet at 127\.0\.0\.1"), KismetSource(away):
        pass
    away.token_file.chmod(0o644)
    with pytest.raises(SourceError, match="others may read") as refused, KismetSource(away):
        pass
    assert refused.value.fix.startswith("chmod 600")


@given(data=st.binary(min_size=1, max_size=300), size=st.integers(1, 90), step=st.integers(1, 50))
def test_chunks_are_taken_apart_however_they_arrive(data: bytes, size: int, step: int) -> None:
    body, sent = Body(True, "k"), chunks(data, size) + b"0\r\n\r\n"
    assert b"".join(body.feed(sent[at : at + step]) for at in range(0, len(sent), step)) == data


@given(data=st.binary(max_size=600), step=st.integers(1, 300))
def test_arbitrary_bytes_are_chunks_or_a_format_error_and_cost_no_memory(data: bytes, step: int) -> None:
    body = Body(True, "k")
    for at in range(0, len(data), step):
        try:
            body.feed(data[at : at + step])
        except FormatError:
            return
        assert len(body._line) <= 256 + step


def test_a_line_that_never_ends_is_a_format_error() -> None:
    body = Body(True, "k")
    with pytest.raises(FormatError):
        _ = [body.feed(b"z" * 100) for _ in range(10)]


def test_a_length_that_lies_is_not_allocated() -> None:
    assert Body(True, "k").feed(b"ffffffff\r\nabc") == b"abc"
