"""The page in a real browser: what a manager would read there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from sync.events import Event, FootfallMinute, Health, utc
from sync.store.store import CentralStore
from tests.dashboard.chromium import chromium
from tests.dashboard.serving import OPENS, Feed, served

NOW = OPENS + 2.5 * 3600


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CentralStore]:
    with CentralStore(f"sqlite:///{tmp_path / 'centre.db'}") as opened:
        yield opened


def text(browser: webdriver.Chrome, name: str) -> str:
    return browser.find_element(By.ID, name).text


def wait_for(browser: webdriver.Chrome, name: str, value: str) -> None:
    WebDriverWait(browser, 60).until(lambda seen: text(seen, name) == value, f"{name} never became {value}")


def test_the_page_shows_the_day_its_gap_and_new_visits_as_they_come(
    browser: webdriver.Chrome, store: CentralStore
) -> None:
    feed = Feed(store)
    feed.send(Event.new("door", OPENS, Health(state="ok", fps=10, encoder="dlib-resnet-v1 2")))
    feed.a_morning()
    with served(store, NOW) as address:
        browser.get(f"{address}?lang=en")
        wait_for(browser, "visits", "120")
        assert text(browser, "coverage") == "60 %"
        assert text(browser, "tryons") == "1"
        assert len(browser.find_elements(By.CSS_SELECTOR, "#chart rect.gap")) == 1
        assert [node.text for node in browser.find_elements(By.CSS_SELECTOR, "#chart text.count")] == ["60", "60"]
        assert "One person came in at door" in text(browser, "events")
        assert "fitting: lost" in text(browser, "sensors")
        assert "recognises members with dlib-resnet-v1 2" in text(browser, "sensors")
        feed.minutes(OPENS + 60 * 90, 1, entered=5)
        wait_for(browser, "visits", "125")
        log = browser.execute_script("return performance.getEntriesByType('resource').map(r => r.responseStatus)")
        assert set(log) <= {0, 200}


def test_the_page_says_what_is_counted_apart_from_the_visits(browser: webdriver.Chrome, store: CentralStore) -> None:
    feed = Feed(store)
    feed.a_morning()
    data = FootfallMinute(
        minute=utc(OPENS + 60 * 90),
        place="entrance",
        entered=5,
        left=2,
        coverage=60,
        revision=0,
        staff_entered=3,
        excluded=4,
        groups=2,
    )
    feed.send(Event.new("door", OPENS + 60 * 91, data))
    with served(store, NOW) as address:
        browser.get(f"{address}?lang=en")
        wait_for(browser, "visits", "125")
        assert text(browser, "visits-hint") == (
            "2 went out · 2 groups · staff 3, not in it · re-entry, U-turn, short stay 4, not in it"
        )
        browser.get(f"{address}?lang=zh")
        wait_for(browser, "visits", "125")
        assert "店员 3（不计入）" in text(browser, "visits-hint")


def test_the_page_speaks_chinese(browser: webdriver.Chrome, store: CentralStore) -> None:
    Feed(store).a_morning()
    with served(store, NOW, note="演示店") as address:
        browser.get(f"{address}?lang=zh")
        wait_for(browser, "visits", "120")
        body = browser.find_element(By.TAG_NAME, "body").text
        assert "今日进店" in body
        assert "缺失：没有观测" in body
        assert "演示店" in body
        browser.find_element(By.ID, "language").click()
        assert "Visits today" in browser.find_element(By.TAG_NAME, "body").text


def test_a_store_without_any_event_says_unknown_and_what_will_appear(
    browser: webdriver.Chrome, store: CentralStore
) -> None:
    with served(store, NOW) as address:
        browser.get(f"{address}?lang=en")
        wait_for(browser, "visits", "?")
        assert "Events appear here" in text(browser, "events")
        assert len(browser.find_elements(By.CSS_SELECTOR, "#chart rect.gap")) == 3


def test_a_page_that_lost_the_centre_says_so(browser: webdriver.Chrome, store: CentralStore) -> None:
    with served(store, NOW) as address:
        browser.get(f"{address}?lang=en")
        wait_for(browser, "line", "live")
    wait_for(browser, "line", "no connection to the centre: figures may be old")
