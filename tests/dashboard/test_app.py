from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sync.store.store import CentralStore
from tests.dashboard.serving import OPENS, SHOP, Feed, served

NOW = OPENS + 2.5 * 3600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CentralStore]:
    with CentralStore(f"sqlite:///{tmp_path / 'centre.db'}") as opened:
        yield opened


@pytest.fixture
def client(store: CentralStore) -> Iterator[httpx.Client]:
    Feed(store).a_morning()
    with served(store, NOW) as address, httpx.Client(base_url=address, timeout=10) as opened:
        yield opened


def test_the_day_is_told_by_the_hour_with_its_gap(client: httpx.Client) -> None:
    day = client.get(f"/api/v1/stores/{SHOP.id}/day").json()
    assert [(h["label"], h["entered"], h["covered"]) for h in day["hours"][:4]] == [
        ("10:00", 60, "full"), ("11:00", None, "gap"), ("12:00", 60, "full"), ("13:00", None, "future"),
    ]  # fmt: skip
    assert (day["visits"], day["tryons"], day["coverage"]) == (120, 1, 0.6)
    assert [(s["sensor"], s["state"], s["reason"]) for s in day["sensors"]] == [("fitting", "lost", "source_lost")]


def test_the_last_events_come_newest_first_with_times_in_utc(client: httpx.Client) -> None:
    events = client.get(f"/api/v1/stores/{SHOP.id}/events?limit=3").json()["events"]
    assert [event["type"] for event in events] == ["health", "tryon", "visit"]
    assert events[2]["time"] == "2026-11-21T02:00:30.000Z"
    happened = client.get(f"/api/v1/stores/{SHOP.id}/events?kind=happening").json()["events"]
    assert [event["type"] for event in happened] == ["tryon", "visit"]


def test_a_day_without_events_is_unknown_and_not_zero(client: httpx.Client) -> None:
    day = client.get(f"/api/v1/stores/{SHOP.id}/day?date=2026-11-20").json()
    assert day["visits"] is None
    assert {hour["covered"] for hour in day["hours"]} == {"gap"}


def test_a_door_that_reported_yesterday_and_is_dead_today_lowers_the_coverage(
    client: httpx.Client, store: CentralStore
) -> None:
    Feed(store).minutes(OPENS - 86400, 1, place="back-door")
    day = client.get(f"/api/v1/stores/{SHOP.id}/day").json()
    assert day["coverage"] == 0.3


def test_what_zones_count_are_no_visits_and_no_coverage_of_the_doors(client: httpx.Client, store: CentralStore) -> None:
    before = client.get(f"/api/v1/stores/{SHOP.id}/day").json()
    Feed(store).minutes(OPENS, 150, entered=5, place="queue", kind="zone")
    Feed(store).minutes(OPENS - 86400, 1, place="dead-zone", kind="zone")
    day = client.get(f"/api/v1/stores/{SHOP.id}/day").json()
    assert {key: day[key] for key in ("visits", "left", "coverage", "hours")} == {
        key: before[key] for key in ("visits", "left", "coverage", "hours")
    }
    assert day["visits"] == 120


def test_a_store_with_zones_only_has_unknown_visits_and_not_zero(store: CentralStore) -> None:
    Feed(store).minutes(OPENS, 60, entered=5, place="queue", kind="zone")
    with served(store, NOW) as address:
        day = httpx.get(f"{address}api/v1/stores/{SHOP.id}/day").json()
    assert day["visits"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/stores/elsewhere/day", 404),
        ("/api/v1/stores/elsewhere/events", 404),
        (f"/api/v1/stores/{SHOP.id}/day?date=yesterday", 422),
        (f"/api/v1/stores/{SHOP.id}/day?date=0001-01-01", 422),
        (f"/api/v1/stores/{SHOP.id}/events?limit=0", 422),
        (f"/api/v1/stores/{SHOP.id}/events?limit=100000", 422),
        ("/docs", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
    ],
)
def test_wrong_questions_get_plain_refusals(client: httpx.Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_every_answer_carries_the_security_headers(client: httpx.Client) -> None:
    for path in ("/", "/static/page.js", "/api/v1/stores", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"


def test_the_stream_says_at_once_and_again_when_something_came_in(client: httpx.Client, store: CentralStore) -> None:
    with client.stream("GET", "/api/v1/changes") as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data:"))
        first = next(lines)
        Feed(store).minutes(OPENS + 8 * 3600, 1)
        assert next(lines) != first


def test_a_database_that_does_not_answer_is_503_for_a_page_and_silence_for_a_stream(
    store: CentralStore, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.stream("GET", "/api/v1/changes") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: changed"
        with store._engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE store RENAME TO away")
        assert client.get("/healthz").status_code == 503
        assert client.get("/healthz").json() == {"detail": "the database does not answer now"}
        with store._engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO store")
        Feed(store).minutes(OPENS + 7200, 1)
        assert "event: changed" in lines
    assert not any(record.exc_info for record in caplog.records)
