import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensors.errors import SourceError
from sensors.refusal import digest, explain


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one answer per connection, in order; what it was asked is in the list."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    asked.append(connection.recv(4096))
                    if not asked[-1]:
                        return
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        try:
            yield f"127.0.0.1:{port}", asked
        finally:
            if thread.is_alive():
                # An answer that nobody asked for: an empty visit ends the wait.
                socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "answer", "said", "reason"),
    [
        ("http", b"HTTP/1.1 404 Not Found\r\n\r\n", "no stream /s", "not_found"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "a page", "no_video"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Type: image/webp\r\n\r\n", "no picture can be decoded", "no_video"),
        ("http", b"HTTP/1.1 503 Busy\r\n\r\n", "answers 503 Busy", "source_lost"),
        ("http", b"HTTP/1.1 401 No\r\n\r\n", "asks for a user", "login_refused"),
        ("rtsp", b"RTSP/1.0 454 Session Not Found\r\n\r\n", "no stream", "not_found"),
        ("rtsp", b"RTSP/1.0 200 OK\r\n\r\n", "no picture can be decoded", "no_video"),
        ("rtsp", b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak RTSP", "no_video"),
        ("rtsp", b"", "does not speak RTSP", "no_video"),
        ("rtsp", b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 200, "does not speak RTSP", "no_video"),
    ],
)
def test_what_a_camera_answers_is_said_in_words(scheme: str, answer: bytes, said: str, reason: str) -> None:
    with answering(answer) as (address, _):
        error = explain(f"{scheme}://{address}/s", "cam")
    assert said in str(error)
    assert error.reason == reason
    assert error.fix


def test_a_login_is_sent_by_the_kind_that_the_camera_asks_for() -> None:
    refused = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="c"\r\n'
    asks_digest = refused + b'WWW-Authenticate: Digest realm="c", nonce="n", qop="auth", algorithm=SHA-256\r\n\r\n'
    with answering(refused + b"\r\n", b"HTTP/1.1 403 No\r\n\r\n") as (address, asked):
        error = explain(f"http://v:a%3Ab@{address}/s?x=1", "cam")
    assert b"Authorization: Basic djphOmI=" in asked[1]
    assert asked[1].startswith(b"GET /s?x=1 HTTP/1.0")
    assert "refuses user and password" in str(error)
    with answering(asks_digest, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n") as (address, asked):
        error = explain(f"http://v:a%3Ab@{address}/s", "cam")
    assert b'Authorization: Digest username="v"' in asked[1]
    assert error.reason == "no_video"


def test_the_digest_is_that_of_the_standard_s_examples() -> None:
    # RFC 7616, 3.9.1, with MD5 and with SHA-256; RFC 2617's password is "Circle of Life" there, too.
    given = {
        "realm": "http-auth@example.org",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "qop": "auth, auth-int",
        "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    }
    nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        header = digest("Mufasa", "Circle of Life", "GET", "/dir/index.html", {**given, "algorithm": algorithm}, nonce)
        assert f'response="{response}"' in header
        assert "qop=auth, nc=00000001" in header


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rtsp://127.0.0.1:9/s", "nothing listens at 127.0.0.1:9"),
        ("rtsp://no-such-name.invalid/s", "the name no-such-name.invalid is not known"),
        ("rtsp://127.0.0.1:99999/s", "out of range"),
        ("rtmp://127.0.0.1:9/s", "nothing listens"),
    ],
)
def test_a_camera_that_cannot_be_reached_is_told_apart(url: str, said: str) -> None:
    error = explain(url, "cam")
    assert said in str(error)
    assert error.reason == "unreachable"


def test_a_camera_that_takes_the_connection_and_says_nothing_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.refusal._TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        error = explain(f"rtsp://127.0.0.1:{server.getsockname()[1]}/s", "cam")
    assert "does not answer" in str(error)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
@example(b"=")
def test_no_answer_makes_anything_but_one_clear_error(answer: bytes) -> None:
    with answering(b"RTSP/1.0 401 x\r\nWWW-Authenticate: Digest " + answer + b"\r\n\r\n", answer) as (address, _):
        error = explain(f"rtsp://v:p@{address}/s", "cam")
    assert isinstance(error, SourceError)
    assert "\n" not in str(error)
