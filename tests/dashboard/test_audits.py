"""What the store's page says of the last audit of each line."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from edge.audit.counting import digests
from sync.events import Event, Health
from sync.store.store import CentralStore
from tests.dashboard.serving import OPENS, SHOP, Feed, served
from tests.dashboard.test_page import browser, wait_for
from tests.edge.audit.making import HEARD, SETUP, keeper, result

__all__ = ["browser"]

NOW = OPENS + 3600
DAY = 86400.0
CURRENT = digests(SETUP.counting, SETUP.models, SETUP.max_fps)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CentralStore]:
    with CentralStore(f"sqlite:///{tmp_path / 'centre.db'}") as opened:
        yield opened


def health(counting: dict[str, str] | None) -> Event:
    return Event.new("camera-1", NOW - 10, Health(state="ok", fps=10.0, counting=counting))


def audit(tmp_path: Path, days_ago: float, missed: int = 0, people: int = 120) -> Event:
    box = keeper(tmp_path, now=NOW - days_ago * DAY)
    return box.keep(SETUP, "door", result(people, missed), HEARD).event()


def standings(address: str) -> list[tuple[str, str]]:
    rows = httpx.get(f"{address}api/v1/stores/{SHOP.id}/audits").json()["audits"]
    return [(row["line"], row["standing"]) for row in rows]


def test_an_audit_holds_until_it_is_too_old_or_the_line_is_another(store: CentralStore, tmp_path: Path) -> None:
    feed = Feed(store)
    feed.send(health(CURRENT | {"side": "0" * 16}))
    with served(store, NOW) as address:
        assert standings(address) == [("door", "never"), ("side", "never")]
        feed.send(audit(tmp_path, 91))
        assert standings(address)[0] == ("door", "old")
        feed.send(audit(tmp_path, 89))
        assert standings(address)[0] == ("door", "good")
        feed.send(health({"door": "f" * 16}))
        assert standings(address) == [("door", "changed")]
        # A box of an older version does not say how it counts.
        feed.send(health(None))
        assert standings(address) == [("door", "good")]


def test_a_figure_that_was_changed_on_its_way_is_not_believed(store: CentralStore, tmp_path: Path) -> None:
    event = audit(tmp_path, 1, missed=20)
    document = json.loads(event.data.model_dump_json())
    document["figures"]["accuracy"] = {"value": 1.0, "low": 0.97, "high": 1.0}
    forged = event.model_copy(update={"data": type(event.data).model_validate(document)})
    Feed(store).send(health(CURRENT), forged)
    with served(store, NOW) as address:
        assert standings(address) == [("door", "forged")]


@pytest.mark.parametrize(
    ("language", "said", "badge"),
    [
        ("en", "door: audited 95 % (88–100 %) on 11 Aug", "audit older than 90 days"),
        ("zh", "door: 8月11日核对准确率 95 %（88–100 %）", "核对已超过 90 天"),
    ],
)
def test_the_page_says_it_beside_the_sensor(
    browser: webdriver.Chrome, store: CentralStore, tmp_path: Path, language: str, said: str, badge: str
) -> None:
    Feed(store).send(health(CURRENT), audit(tmp_path, 102, missed=6))
    with served(store, NOW) as address:
        browser.get(f"{address}?lang={language}")
        wait_for(browser, "visits", "?")
        shown = browser.find_element(By.ID, "sensors").text
        assert said in shown
        assert browser.find_element(By.CSS_SELECTOR, "#sensors .badge").text == badge


def test_a_line_that_nobody_audited_says_so(browser: webdriver.Chrome, store: CentralStore) -> None:
    Feed(store).send(health(CURRENT))
    with served(store, NOW) as address:
        browser.get(f"{address}?lang=en")
        wait_for(browser, "visits", "?")
        assert browser.find_element(By.CSS_SELECTOR, "#sensors .badge").text == "never audited"
