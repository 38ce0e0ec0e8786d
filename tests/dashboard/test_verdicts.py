from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.verdicts import wilson
from sync.events import Arrival, Event, Response, utc
from sync.store.store import CentralStore
from tests.dashboard.serving import OPENS, SHOP, Feed, served

NOW = OPENS + 3600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CentralStore]:
    with CentralStore(f"sqlite:///{tmp_path / 'centre.db'}") as opened:
        yield opened


def arrived(method: Literal["face", "qr"] = "face", time: float = OPENS) -> Event:
    arrival = Arrival(candidates=("M-0417",), method=method, confidence=0.9, expires=utc(time + 900))
    return Event.new("door", time, arrival)


def tapped(arrival: Event, action: Literal["confirm", "wrong_person", "claim"], after: float = 5) -> Event:
    data = Response(arrival=arrival.id, member="M-0417", action=action, guide="guide-7")
    return Event.new("tablet", arrival.time.timestamp() + after, data)


def asked(store: CentralStore) -> dict[str, object]:
    with served(store, NOW) as address:
        found: dict[str, object] = httpx.get(f"{address}api/v1/stores/{SHOP.id}/recognition").json()
        return found


def test_the_false_alert_rate_is_what_clerks_said_of_faces_and_of_nothing_else(store: CentralStore) -> None:
    faces = [arrived() for _ in range(5)]
    code, old = arrived("qr"), arrived(time=NOW - 40 * 86400)
    Feed(store).send(*faces, code, old)
    Feed(store).send(
        tapped(faces[0], "confirm"),
        tapped(faces[1], "wrong_person"),
        tapped(faces[2], "claim"),
        tapped(faces[3], "wrong_person"),
        tapped(faces[3], "confirm", after=9),
        tapped(code, "wrong_person"),
        tapped(old, "wrong_person"),
    )
    found = asked(store)
    assert (found["suggested"], found["judged"], found["wrong"]) == (5, 3, 1)


def test_before_anybody_has_judged_there_is_no_rate(store: CentralStore) -> None:
    Feed(store).send(arrived())
    assert asked(store) == {"days": 30, "suggested": 1, "judged": 0, "wrong": 0, "rate": None}


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_interval_holds_the_share_and_narrows_with_more(hits: int, more: int) -> None:
    of = hits + more
    low, high = wilson(hits, of)
    assert 0 <= low <= high <= 1
    if of:
        assert low <= hits / of <= high
        wider, wide = wilson(hits * 2, of * 2)
        assert wide - wider < high - low
