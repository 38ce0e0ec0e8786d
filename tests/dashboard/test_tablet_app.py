"""The tablet's API: who may ask what, and what never goes out."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from dashboard.tablet.app import create_tablet_app
from sync.events import decode
from sync.members.codes import make
from sync.members.consent import text
from sync.order_taker import box_key
from tests.dashboard.tablet_serving import LI, PIN, Box, a_box, sample_card, served

OPEN = {("GET", "/healthz"), ("GET", "/api/shop"), ("POST", "/api/login"), ("POST", "/api/logout")}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with a_box(tmp_path) as made:
        made.know(sample_card("M-0417", made.today))
        yield made


@pytest.fixture
def client(box: Box) -> Iterator[httpx.Client]:
    with (
        served(box, pumping=False) as address,
        httpx.Client(base_url=address, headers={"Origin": address}) as opened,
    ):
        yield opened


@pytest.fixture
def clerk(client: httpx.Client) -> httpx.Client:
    assert client.post("/api/login", json={"guide": LI.id, "pin": PIN}).status_code == 200
    return client


def routes(box: Box) -> list[tuple[str, str]]:
    paths = create_tablet_app(box.shop()).openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_but_the_page_and_the_log_in_refuses_who_is_not_logged_in(client: httpx.Client, box: Box) -> None:
    asked = 0
    for method, path in routes(box):
        if (method, path) in OPEN:
            continue
        asked += 1
        answer = client.request(method, path.replace("{member}", "M-0417"), json=[] if method == "POST" else None)
        assert answer.status_code == 401, (method, path, answer.status_code)
    assert asked >= 7


def test_another_sites_page_and_a_plain_form_are_refused(clerk: httpx.Client) -> None:
    tap = [{"id": str(uuid4()), "card": str(uuid4()), "action": "claim", "time": 0}]
    assert clerk.post("/api/taps", json=tap, headers={"Origin": "https://evil.example"}).status_code == 403
    assert clerk.post("/api/taps", data={"a": "b"}).status_code == 415
    assert clerk.post("/api/taps", json=[{"x": "y" * 300_000}]).status_code == 413


def test_the_cookie_is_for_the_server_alone_and_nothing_may_run_inline(client: httpx.Client) -> None:
    answer = client.post("/api/login", json={"guide": LI.id, "pin": PIN})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_wrong_pin_says_the_same_as_an_unknown_guide(client: httpx.Client) -> None:
    answers = [client.post("/api/login", json={"guide": name, "pin": "999998"}) for name in (LI.id, "guide-99")]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json() == answers[1].json()


def test_a_guide_who_leaves_sees_nothing_from_then_on(clerk: httpx.Client, box: Box) -> None:
    assert clerk.get("/api/cards").status_code == 200
    box.guides.remove(LI.id)
    assert clerk.get("/api/cards").status_code == 401


def test_rule_12_showing_a_card_is_a_look_that_is_kept(clerk: httpx.Client, box: Box) -> None:
    box.arrive("M-0417")
    box.pump().once()
    assert clerk.get("/api/cards").json()["cards"][0]["members"][0]["salutation"] == "王女士"
    assert [(entry.body["who"], entry.body["what"]) for entry in box.register.looks("M-0417")] == [(LI.id, "viewed")]


def test_a_closed_card_tells_nothing_of_a_person_any_more(clerk: httpx.Client, box: Box) -> None:
    card = box.arrive("M-0417")
    box.pump().once()
    tap = {"id": str(uuid4()), "card": str(card), "action": "wrong_person", "time": box.now()}
    assert clerk.post("/api/taps", json=[tap, tap]).json()["answers"][0]["reply"] == "done"
    (closed,) = clerk.get("/api/cards?since=0").json()["cards"]
    assert closed["members"] == [{"member": "M-0417"}]
    box.pump().once()
    events = [decode(row.payload).type for row in box.outbox.pending(0, 99)]
    assert events.count("yingke.response.v1") == 1


def test_an_arrival_whose_time_is_over_when_the_tablet_starts_is_no_card(clerk: httpx.Client, box: Box) -> None:
    box.arrive("M-0417", seconds=5)
    box.ahead = 60
    box.pump().once()
    assert clerk.get("/api/cards").json()["cards"] == []
    assert box.desk.through == 1


def test_a_tablet_that_slept_for_an_hour_resumes_from_its_cursor_and_its_taps_count(
    clerk: httpx.Client, box: Box
) -> None:
    card = box.arrive("M-0417")
    box.pump().once()
    cursor = clerk.get("/api/cards").json()["revision"]
    tapped = {"id": str(uuid4()), "card": str(card), "action": "confirm", "time": box.now()}
    box.ahead = 3600
    later = box.arrive("M-0500")
    box.pump().once()
    assert clerk.post("/api/taps", json=[tapped]).json()["answers"][0]["reply"] == "done"
    missed = clerk.get(f"/api/cards?since={cursor}").json()["cards"]
    assert {(each["id"], each["state"]) for each in missed} == {(str(card), "closed"), (str(later), "waiting")}
    box.pump().once()
    events = [decode(row.payload).type for row in box.outbox.pending(0, 99)]
    assert events.count("yingke.response.v1") == 1


def test_rule_2_words_that_have_changed_since_they_were_shown_are_no_consent(clerk: httpx.Client, box: Box) -> None:
    answer = {"member": "M-0900", "purpose": "profile", "act": "given", "language": "en", "digest": "0" * 64}
    refused = clerk.post("/api/consent", json=[answer])
    assert refused.status_code == 409
    assert "has changed" in refused.json()["error"]
    assert box.register.consents("M-0900") == []


def test_rule_2_taking_back_is_as_easy_as_giving(clerk: httpx.Client, box: Box) -> None:
    answer = {"member": "M-0417", "purpose": "profile", "language": "zh", "digest": text("profile", "zh").digest}
    assert clerk.post("/api/consent", json=[answer | {"act": "withdrawn"}]).status_code == 200
    assert box.register.card("M-0417", box.now()) is None
    assert clerk.get("/api/members/M-0417/data").json()["inForce"] == []
    assert clerk.post("/api/consent", json=[answer | {"act": "given"}]).status_code == 200
    assert clerk.get("/api/members/M-0417/data").json()["inForce"] == ["profile"]


def test_rule_3_a_code_opens_the_same_card_as_a_face(clerk: httpx.Client, box: Box) -> None:
    code = make("M-0417", box.today + timedelta(days=1), box_key(box.folder))
    assert clerk.post("/api/codes", json={"text": code}).json() == {"member": "M-0417"}
    box.pump().once()
    (card,) = clerk.get("/api/cards").json()["cards"]
    assert (card["methods"], card["confirmed"]) == (["qr"], True)


def test_rule_7_the_code_of_somebody_who_was_erased_opens_nothing(clerk: httpx.Client, box: Box) -> None:
    box.register.erase("M-0417", box.now(), "head-office", "c-1")
    code = make("M-0417", box.today, box_key(box.folder))
    refused = clerk.post("/api/codes", json={"text": code})
    assert (refused.status_code, refused.json()["code"]) == (409, "erased")


@pytest.mark.parametrize(
    "body", ["{", "[]", "[1]", json.dumps([{"id": "x"}]), json.dumps([{"id": str(uuid4()), "action": "dance"}]), "null"]
)
def test_nonsense_is_refused_without_a_fault_of_the_server(clerk: httpx.Client, body: str) -> None:
    for path in ("/api/taps", "/api/consent", "/api/codes"):
        answer = clerk.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 422), (path, answer.status_code)


def test_rule_12_the_member_can_be_shown_what_is_known_and_who_looked(clerk: httpx.Client, box: Box) -> None:
    told = clerk.get("/api/members/M-0417/data").json()
    assert told["card"]["salutation"] == "王女士"
    assert told["looks"][-1]["who"] == LI.id
    assert clerk.get("/api/members/nobody/data").status_code == 422
