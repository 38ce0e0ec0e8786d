"""What every page of the box promises, whatever it shows."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from dashboard.local.app import LARGEST_BODY, new_token, serve_local
from dashboard.local.app import create_local_app as create
from dashboard.server import listen
from sensors.errors import SourceError
from sync.errors import SyncError
from tests.dashboard.local.serving import served_locally

routes = APIRouter()


@routes.get("/hello")
def hello() -> dict[str, Any]:
    return {"hello": True}


@routes.post("/echo")
def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body


@routes.get("/broken")
def broken() -> None:
    raise SourceError("camera cannot be opened", "switch it on")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served_locally("icon.svg", routes) as served:
        yield served


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=10) as opened:
        yield opened


def test_the_holder_of_the_token_gets_the_page_its_files_and_its_api(client: httpx.Client) -> None:
    assert client.get("").status_code == 200
    assert client.get("static/base.css").headers["content-type"].startswith("text/css")
    assert client.get("api/hello").json() == {"hello": True}
    assert client.post("api/echo", json={"a": 1}).json() == {"a": 1}


@pytest.mark.parametrize("path", ["", "static/base.css", "api/hello", "nothing"])
@pytest.mark.parametrize("token", ["", "x/", f"{new_token()}/", "%e4%bd%a0/"])
def test_nobody_without_the_token_gets_anything(address: str, token: str, path: str) -> None:
    root = address.rsplit("/", 2)[0]
    assert httpx.get(f"{root}/{token}{path}").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", "192.0.2.1"])
def test_another_name_that_leads_to_this_machine_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("api/hello", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8081"])
def test_an_ssh_tunnel_may_have_another_port(client: httpx.Client, host: str) -> None:
    assert client.get("api/hello", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_another_page_of_the_same_browser_is_refused(client: httpx.Client, origin: str) -> None:
    assert client.post("api/echo", json={}, headers={"Origin": origin}).status_code == 403


def test_an_endless_or_huge_body_is_refused(client: httpx.Client) -> None:
    assert client.post("api/echo", content=b" " * (LARGEST_BODY + 1)).status_code == 413
    assert client.post("api/echo", content=iter([b"{}"])).status_code == 413


@pytest.mark.parametrize("path", ["", "static/base.css", "api/hello", "api/broken", "nothing"])
def test_every_answer_forbids_inline_code_frames_and_keeping(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_known_error_comes_with_its_fix(client: httpx.Client) -> None:
    answer = client.get("api/broken")
    assert answer.status_code == 409
    assert answer.json() == {"error": "camera cannot be opened", "fix": "switch it on", "kind": "SourceError"}


def test_tokens_are_long_and_never_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 32


def test_a_port_that_is_taken_is_said_with_the_option_that_changes_it() -> None:
    with listen("127.0.0.1", 0, "--port") as taken:
        taken.listen()
        with pytest.raises(SyncError, match="cannot serve on") as said:
            serve_local(create("icon.svg", APIRouter(), "x"), "x", taken.getsockname()[1], print)
    assert "--port" in said.value.fix
