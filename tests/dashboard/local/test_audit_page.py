"""The audit as a person makes it: a real browser, the shipped clip, the real detector."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from dashboard.local.audit import PAGE, audit_routes
from edge.audit.counting import Setup
from edge.audit.record import Keeper
from edge.audit.session import Session
from edge.processors.footfall import FootfallConfig, LineConfig
from sync.config import OutboxConfig
from sync.outbox import Outbox
from tests.dashboard.local.serving import served_locally
from tests.dashboard.test_page import browser, text

__all__ = ["browser"]

CLIP = Path(__file__).resolve().parents[3] / "edge/demo/clip.mp4"
ENTRANCE = LineConfig(name="entrance", start=(0.46, 0.15), end=(0.46, 0.95), entering="positive")
SETUP = Setup("door", FootfallConfig(lines=(ENTRANCE,)))
LATE = 0.4
"""Seconds of media after the crossing at which this person taps."""


def truth() -> list[tuple[float, str]]:
    """(seconds, in or out) of everybody who crosses in the clip."""
    document = json.loads(CLIP.with_name("clip.truth.json").read_text())
    return [(one["t"], "in" if one["dir"] == "L2R" else "out") for one in document["lines"][0]["events"]]


@contextmanager
def audited(browser: webdriver.Chrome, session: Session, query: str = "?lang=en") -> Iterator[str]:
    with session, served_locally(PAGE, audit_routes(session)) as address:
        browser.get(address + query)
        WebDriverWait(browser, 30).until(lambda seen: text(seen, "about") != "")
        yield address


def begin(browser: webdriver.Chrome, by: str) -> None:
    field = browser.find_element(By.ID, "by")
    field.clear()
    field.send_keys(by)
    browser.find_element(By.ID, "start").click()


def clock(browser: webdriver.Chrome) -> float:
    minutes, seconds = text(browser, "clock").split(":")
    return int(minutes) * 60 + float(seconds)


def wait_for_phase(browser: webdriver.Chrome, phase: str) -> None:
    WebDriverWait(browser, 240).until(
        lambda seen: seen.find_element(By.TAG_NAME, "body").get_attribute("data-phase") == phase,
        f"never {phase}: {text(browser, 'trouble')}",
    )


def body(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


@pytest.mark.slow
def test_who_taps_along_sees_no_count_then_the_right_figure_and_both_figures_after_the_review(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    keeper = Keeper(tmp_path, "nanjing-road", OutboxConfig(), time.time)
    with Outbox(tmp_path / "outbox.db", "nanjing-road"):
        pass
    events = truth()
    # One person is overlooked, and one is seen who is not there.
    tapped = sorted([*(event for event in events if event[0] != 32.65), (27.0, "in")])
    with audited(browser, Session(CLIP, SETUP, keeper)):
        begin(browser, "store-manager")
        browser.find_element(By.CSS_SELECTOR, "[data-speed='4']").click()
        keys = {"in": Keys.ARROW_RIGHT, "out": Keys.ARROW_LEFT}
        for seconds, way in tapped:
            WebDriverWait(browser, 60, poll_frequency=0.005).until(lambda seen, at=seconds + LATE: clock(seen) >= at)  # type: ignore[misc]
            ActionChains(browser).send_keys(keys[way]).perform()
            assert not {"counted", "accuracy"} & set(body(browser).lower().split())
        WebDriverWait(browser, 60).until(lambda seen: text(seen, "play") == "▶ Play")
        assert text(browser, "taps-title") == "16 taps"
        assert "You have watched all of it" in text(browser, "done-hint")
        browser.find_element(By.ID, "done").click()
        wait_for_phase(browser, "result")

        cells = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#figures tbody tr:last-child td")]
        assert cells == ["16", "16", "15", "1", "1"]
        assert "too few to say whether it meets 95 %" in text(browser, "figures")
        assert text(browser, "disagreements-title") == "2 disagreements"
        assert [entry.data.stage for entry in keeper.ledger.check().entries] == ["blind"]

        for choice in browser.find_elements(By.XPATH, "//ol[@id='disagreements']//button[text()='I was wrong']"):
            choice.click()
        browser.find_element(By.ID, "save").click()
        wait_for_phase(browser, "reviewed")
        cells = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#figures tbody tr:last-child td")]
        assert cells == ["16", "16", "16", "0", "0"]
        assert "Signed and kept as entry 2" in text(browser, "kept")
        assert "on its way to the dashboards" in text(browser, "kept")
    checked = keeper.ledger.check()
    assert checked.problems == ()
    blind, reviewed = (entry.data for entry in checked.entries)
    assert (blind.figures.right, reviewed.figures.right, reviewed.revised) == (15, 16, 2)
    assert reviewed.blind == blind.figures
    assert reviewed.of == checked.entries[0].id
    assert (blind.by, blind.how, blind.watched_seconds) == ("store-manager", "taps", 80.0)
    assert browser.execute("getLog", {"type": "browser"})["value"] == []


def test_taps_are_shown_deleted_and_taken_back_and_the_touch_buttons_tap(browser: webdriver.Chrome) -> None:
    with audited(browser, Session(CLIP, SETUP)):
        begin(browser, "Not A Name")
        assert "small letters" in text(browser, "trouble")
        begin(browser, "tester")
        WebDriverWait(browser, 30).until(lambda seen: clock(seen) > 0.5)
        assert text(browser, "tap-right") == "in →"
        browser.find_element(By.ID, "tap-right").click()
        browser.find_element(By.ID, "tap-left").click()
        ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
        rows = [row.text.split("\n")[1] for row in browser.find_elements(By.CSS_SELECTOR, "#taps li")]
        assert rows == ["out", "out", "in"]
        browser.find_elements(By.CSS_SELECTOR, "#taps button")[2].click()
        assert text(browser, "taps-title") == "2 taps"
        browser.find_element(By.ID, "undo").click()
        ActionChains(browser).send_keys(Keys.BACKSPACE).perform()
        assert "Your taps appear here" in text(browser, "taps")
        WebDriverWait(browser, 30).until(lambda seen: clock(seen) > 1.5)
        ActionChains(browser).send_keys(" ").perform()
        stopped = clock(browser)
        browser.find_element(By.ID, "back").click()
        WebDriverWait(browser, 30).until(lambda seen: clock(seen) < stopped)


def test_the_page_is_whole_in_chinese(browser: webdriver.Chrome) -> None:
    with audited(browser, Session(CLIP, SETUP, by="tester"), "?lang=zh"):
        assert "先自己数，再对照" in body(browser)
        browser.find_element(By.ID, "start").click()
        assert text(browser, "tap-left") == "← 出"
        assert "数完了，开始对照" in body(browser)
        browser.find_element(By.ID, "language").click()
        assert "I am done: compare" in body(browser)
