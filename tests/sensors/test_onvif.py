import http.server
import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge.commands.cameras import cameras
from sensors.errors import FormatError, SourceError
from sensors.onvif.discovery import Camera, discover, matches
from sensors.onvif.streams import streams
from sensors.onvif.xml import parse
from tests.sensors.onvif_camera import OnvifCamera, onvif_camera

LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>'


def test_a_camera_is_listed_once_with_its_name_hardware_and_its_own_address() -> None:
    camera = OnvifCamera()
    with onvif_camera(camera) as where:
        found, strange = discover(0.5, to=where)
        service = camera.service
    assert found == [Camera("127.0.0.1", "HIKVISION 门口", "DS-2CD2042WD", "entrance", service)]
    assert (strange, camera.probes) == (0, 2)


def test_careless_and_hostile_answers_are_counted_and_the_camera_is_found_all_the_same() -> None:
    bad = (
        b"\xff\x00",
        b"<a>",
        LAUGHS.encode(),
        LAUGHS.encode("utf-16"),
        b"<e:Envelope xmlns:e='x'><e:Body/></e:Envelope>",
    )
    camera = OnvifCamera()
    with onvif_camera(camera, *bad) as where:
        found, strange = discover(0.5, to=where)
    assert len(found) == 1
    assert strange == 2 * 4


@pytest.mark.parametrize("content", [LAUGHS.encode(), LAUGHS.encode("utf-16"), b"x" * (2 << 20), b"", b"<a/><b/>"])
def test_xml_with_a_document_type_or_none_at_all_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        parse(content)


def test_an_answer_to_somebody_else_or_with_a_service_elsewhere_is_not_a_camera_here() -> None:
    camera = OnvifCamera()
    with onvif_camera(camera):
        probe = b"<e><MessageID>urn:uuid:mine</MessageID></e>"
        assert len(matches(camera.match(probe), "127.0.0.1", "urn:uuid:mine")) == 1
        assert matches(camera.match(probe), "127.0.0.1", "urn:uuid:other") == []
        for elsewhere in (
            "http://192.0.2.9/onvif",
            "file:///etc/passwd",
            "http://127.0.0.1.example.com/",
            "http://[",
            "",
        ):
            assert matches(camera.match(probe, elsewhere or " "), "127.0.0.1", "urn:uuid:mine") == []


@given(st.binary(max_size=300), st.text(max_size=200))
def test_no_answer_makes_anything_but_cameras_or_one_error(content: bytes, words: str) -> None:
    wrapped = f"<a><ProbeMatch><XAddrs>http://127.0.0.1/ {words}</XAddrs><Scopes>{words}</Scopes></ProbeMatch></a>"
    for answer in (content, wrapped.encode(errors="replace")):
        try:
            found = matches(answer, "127.0.0.1", "urn:uuid:1")
        except FormatError:
            continue
        assert all(camera.service.startswith("http://127.0.0.1") for camera in found)
        assert all(camera.name.isprintable() for camera in found)


@pytest.mark.parametrize("scheme", ["token", "digest"])
@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=-400, minutes=7)])
def test_the_streams_of_a_camera_come_with_the_user_and_without_the_password(scheme: str, ahead: timedelta) -> None:
    camera = OnvifCamera(scheme=scheme, ahead=ahead)
    with onvif_camera(camera) as where:
        (found,), _ = discover(0.3, to=where)
        listed = streams(found, "viewer", "right")
    assert [(one.profile, one.encoding, one.width, one.height) for one in listed] == [
        ("mainStream", "H264", 1920, 1080),
        ("sub&Stream", "H265", 640, 360),
    ]
    assert [one.url for one in listed] == [
        "rtsp://viewer@127.0.0.1:554/4?a=1&b=2",
        "rtsp://viewer@127.0.0.1:554/4?a=1&b=2",
    ]
    assert camera.asked[0] == "GetSystemDateAndTime"


@pytest.mark.parametrize("scheme", ["token", "digest"])
def test_a_wrong_password_is_refused_by_name(scheme: str) -> None:
    camera = OnvifCamera(scheme=scheme)
    with onvif_camera(camera) as where:
        (found,), _ = discover(0.3, to=where)
        with pytest.raises(SourceError, match="refuses user and password") as caught:
            streams(found, "viewer", "wrong")
    assert caught.value.reason == "login_refused"
    assert "wrong" not in str(caught.value)


def test_a_service_that_is_gone_or_talks_nonsense_is_one_clear_error() -> None:
    camera = Camera("127.0.0.1", "", "", "", "http://127.0.0.1:9/onvif")
    with pytest.raises(SourceError, match="does not answer over ONVIF"):
        streams(camera, "viewer", "x")

    class Nonsense(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(LAUGHS.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Nonsense) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(SourceError, match="document type"):
            streams(replace(camera, service=url), "viewer", "x")
        server.shutdown()
        thread.join()


def test_the_command_lists_cameras_and_streams_for_people_and_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERAS", "right")
    camera = OnvifCamera()
    with onvif_camera(camera) as where:
        given = ["discover", "--timeout", "0.3", "--to", f"127.0.0.1:{where[1]}", "--user", "viewer"]
        plain = CliRunner().invoke(cameras, [*given, "--password-env", "CAMERAS"], catch_exceptions=False)
        machine = CliRunner().invoke(cameras, [*given, "--password-env", "CAMERAS", "--json"], catch_exceptions=False)
        camera.password = "changed"
        refused = CliRunner().invoke(cameras, [*given, "--password-env", "CAMERAS"], catch_exceptions=False)
    assert "127.0.0.1  HIKVISION 门口 · DS-2CD2042WD · entrance" in plain.output
    assert "url: rtsp://viewer@127.0.0.1:554/4?a=1&b=2   # mainStream, H264, 1920×1080" in plain.output
    document = json.loads(machine.output)
    assert [stream["width"] for stream in document["cameras"][0]["streams"]] == [1920, 640]
    assert document["unreadable"] == 0
    assert "refuses user and password; many cameras have users of their own for ONVIF" in refused.output
    assert refused.exit_code == 0


def test_nobody_there_is_said_and_a_wrong_option_is_named() -> None:
    nobody = CliRunner().invoke(cameras, ["discover", "--timeout", "0.1", "--to", "127.0.0.1:9"])
    assert "no camera answered" in nobody.output
    wrong = CliRunner().invoke(cameras, ["discover", "--to", "127.0.0.1:x"])
    assert (wrong.exit_code, "the port is a number" in wrong.output) == (2, True)
    with pytest.raises(SourceError, match="no probe could be sent") as caught:
        discover(0.1, to=("127.0.0.1", 9), interface="192.0.2.77")
    assert "--interface" in caught.value.fix
