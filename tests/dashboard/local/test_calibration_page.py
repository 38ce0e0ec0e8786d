"""The calibration page in a real browser: a person draws, is told what is wrong, and saves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from dashboard.local.calibration import Calibration, calibration_routes
from edge.config import EdgeFile
from sync.settings import load
from tests.dashboard.local.serving import served_locally
from tests.dashboard.local.test_calibration import config as config
from tests.dashboard.local.test_calibration import whole


@pytest.fixture
def page(browser: webdriver.Chrome, config: Path) -> Iterator[webdriver.Chrome]:
    """The page in English at 1440 px, its picture there and the watching over."""
    calibration = Calibration(config, None, 8.0, whole)
    try:
        with served_locally("calibration.html", calibration_routes(calibration)) as address:
            size(browser, 1440, 1000)
            browser.get(f"{address}?lang=en")
            wait(browser, "#watching", "people seen")
            yield browser
            # An unsaved drawing asks before it is left, and only a person may answer.
            browser.execute_cdp_cmd("Page.navigate", {"url": "about:blank"})
            for alert in alerts(browser):
                alert.accept()
            # A refusal with words is told as an answer of 409; anything else is a fault of the page.
            log: Any = browser.get_log
            severe = [line["message"] for line in log("browser") if line["level"] == "SEVERE"]
            assert [message for message in severe if "409" not in message] == []
    finally:
        calibration.close()


def alerts(browser: webdriver.Chrome) -> Iterator[Any]:
    from selenium.common.exceptions import NoAlertPresentException

    try:
        yield browser.switch_to.alert
    except NoAlertPresentException:
        return


def size(browser: webdriver.Chrome, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def wait(browser: webdriver.Chrome, selector: str, text: str) -> None:
    def there(seen: webdriver.Chrome) -> bool:
        script = "return [...document.querySelectorAll(arguments[0])].map(node => node.textContent).join('\\n')"
        return text in seen.execute_script(script, selector)

    WebDriverWait(browser, 60).until(there, f"{selector} never said {text!r}")


def click(browser: webdriver.Chrome, name: str) -> None:
    browser.find_element(By.ID, name).click()


def at(browser: webdriver.Chrome, x: float, y: float) -> tuple[int, int]:
    """Where a share of the picture is in the window."""
    box = browser.execute_script("const b = document.querySelector('#canvas image').getBoundingClientRect();"
                                 "return [b.x, b.y, b.width, b.height]")  # fmt: skip
    return round(box[0] + x * box[2]), round(box[1] + y * box[3])


def pointer(browser: webdriver.Chrome, *places: tuple[float, float], kind: str = "mouse") -> None:
    """Press at the first place, move over the others, let go at the last."""
    device: Any = PointerInput
    actions = ActionBuilder(browser, mouse=device(kind, kind), duration=20)
    mouse: Any = actions.pointer_action
    mouse.move_to_location(*at(browser, *places[0])).pointer_down()
    for place in places[1:]:
        mouse.move_to_location(*at(browser, *place))
    mouse.pointer_up()
    actions.perform()


def drag(browser: webdriver.Chrome, start: tuple[float, float], end: tuple[float, float], kind: str = "mouse") -> None:
    pointer(browser, start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end, kind=kind)


def test_a_line_is_drawn_found_bad_mended_and_saved_with_every_comment(page: webdriver.Chrome, config: Path) -> None:
    before = config.read_text(encoding="utf-8")
    click(page, "draw-line")
    drag(page, (0.0, 0.2), (0.0, 0.8))
    wait(page, ".shape.bad .finding.error", "Nobody can cross here")
    wait(page, "#said", "One error must be corrected")
    assert not page.find_element(By.ID, "save").is_enabled()
    assert len(page.find_elements(By.CSS_SELECTOR, "#canvas .line.bad")) == 1

    drag(page, (0.0, 0.2), (0.7, 0.25))
    drag(page, (0.0, 0.8), (0.7, 0.9))
    wait(page, "#said", "Not saved yet.")
    name = page.find_elements(By.CSS_SELECTOR, ".shape.line input")[1]
    name.send_keys(Keys.CONTROL, "a")
    name.send_keys("Inner Door")
    wait(page, ".shape.bad .finding.error", "The name may have a to z")
    name = page.find_elements(By.CSS_SELECTOR, ".shape.line input")[1]
    name.send_keys(Keys.CONTROL, "a")
    name.send_keys("inner-door")
    wait(page, "#said", "Not saved yet.")
    page.find_element(By.CSS_SELECTOR, "[data-field='line-1-flip']").click()
    click(page, "save")
    wait(page, "#said", "Saved into my-store.yaml")

    after = config.read_text(encoding="utf-8")
    assert all(line in after for line in before.splitlines())
    line = load(config, EdgeFile).edge.counting["door"].lines[1]
    assert (line.name, line.entering) == ("inner-door", "negative")
    assert line.start == pytest.approx((0.7, 0.25), abs=0.005)
    assert line.end == pytest.approx((0.7, 0.9), abs=0.005)


def test_a_zone_is_tapped_its_corner_moved_with_the_keyboard_and_undone(page: webdriver.Chrome, config: Path) -> None:
    click(page, "draw-zone")
    for corner in ((0.55, 0.3), (0.85, 0.8), (0.85, 0.3), (0.55, 0.8)):
        pointer(page, corner)
    pointer(page, (0.55, 0.3))
    wait(page, ".shape.zone.bad .finding.error", "The zone crosses itself")
    click(page, "undo")
    wait(page, "#said", "As in the file.")

    click(page, "draw-zone")
    for corner in ((0.55, 0.3), (0.85, 0.3), (0.85, 0.8)):
        pointer(page, corner)
    click(page, "close-zone")
    wait(page, "#said", "Not saved yet.")
    # In one step: the handles are drawn anew when the checks answer, and keep the focus.
    focus = (
        "const handle = document.querySelector(arguments[0]); handle.focus(); return handle.getAttribute('aria-label')"
    )
    assert page.execute_script(focus, "[data-id='zone-1-corner-0']") == "zone: corner 1, arrow keys move it"
    ActionChains(page).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    wait(page, "#said", "Not saved yet.")
    click(page, "save")
    wait(page, "#said", "Saved into my-store.yaml")
    zone = load(config, EdgeFile).edge.counting["door"].zones[1]
    assert zone.polygon[0] == pytest.approx((0.51, 0.3), abs=0.005)
    assert zone.polygon[2] == pytest.approx((0.85, 0.8), abs=0.005)


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_finger_and_pen_draw_as_the_mouse_does(page: webdriver.Chrome, kind: str) -> None:
    click(page, "draw-line")
    drag(page, (0.6, 0.3), (0.8, 0.7), kind=kind)
    wait(page, "#said", "Not saved yet.")
    values = [field.get_attribute("value") for field in page.find_elements(By.CSS_SELECTOR, ".shape.line input")]
    assert values == ["entrance", "entrance-2"]
    drag(page, (0.8, 0.7), (0.6, 0.3), kind=kind)
    wait(page, ".shape.bad .finding.error", "shorter than a person")


def test_a_line_can_be_drawn_without_pointing(page: webdriver.Chrome, config: Path) -> None:
    page.find_element(By.ID, "draw-line").send_keys(Keys.ENTER)
    wait(page, "#said", "Not saved yet.")
    keys = [Keys.ARROW_UP] * 3 + [Keys.ARROW_RIGHT]
    ActionChains(page).key_down(Keys.SHIFT).send_keys(*keys).key_up(Keys.SHIFT).perform()
    click(page, "save")
    wait(page, "#said", "Saved into my-store.yaml")
    line = load(config, EdgeFile).edge.counting["door"].lines[1]
    assert line.start == pytest.approx((0.37, 0.6 - 3 * 0.02 * 640 / 360), abs=0.002)


def test_the_proposed_input_is_saved_only_when_it_is_accepted(page: webdriver.Chrome, config: Path) -> None:
    wait(page, "#input-text", "are enough")
    click(page, "accept-box")
    click(page, "save")
    wait(page, "#said", "Saved into my-store.yaml")
    assert load(config, EdgeFile).models_of("door").detector.size < 416
    wait(page, "#input-text", "fits")


def test_a_file_that_somebody_changed_is_said_and_can_be_loaded_again(page: webdriver.Chrome, config: Path) -> None:
    page.find_element(By.CSS_SELECTOR, "[data-field='line-0-flip']").click()
    changed = config.read_text(encoding="utf-8").replace("name: till", "name: counter")
    config.write_text(changed, encoding="utf-8")
    click(page, "save")
    wait(page, "#said", "somebody changed this file meanwhile")
    click(page, "reload")
    wait(page, "#said", "As in the file.")
    values = [field.get_attribute("value") for field in page.find_elements(By.CSS_SELECTOR, ".shape.zone input")]
    assert values == ["counter"]
    assert config.read_text(encoding="utf-8") == changed


def test_the_page_speaks_chinese_and_a_camera_that_cannot_be_opened_says_what_to_do(page: webdriver.Chrome) -> None:
    click(page, "draw-line")
    drag(page, (0.0, 0.2), (0.0, 0.8))
    click(page, "language")
    wait(page, ".finding.error", "没有人能在此跨越")
    click(page, "undo")
    Select(page.find_element(By.ID, "camera")).select_by_value("back")
    wait(page, "#empty", "check the path of the video")
    assert page.find_element(By.ID, "retry").is_displayed()
    # In this language again for whoever comes next.
    click(page, "language")


@pytest.mark.parametrize(("width", "height"), [(800, 1280), (1280, 800), (1440, 1000)])
def test_on_every_screen_nothing_is_cut_and_everything_is_large_enough_for_a_finger(
    page: webdriver.Chrome, width: int, height: int
) -> None:
    size(page, width, height)
    wait(page, "#said", "As in the file.")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    small = page.execute_script(
        "return [...document.querySelectorAll('button, select, input:not([type=checkbox]), label.accept, .touch')]"
        ".map(node => [node.id || node.dataset.field || node.parentNode.dataset.id, node.getBoundingClientRect()])"
        ".filter(([, box]) => box.width > 0 && (box.width < 43.9 || box.height < 43.9)).map(([name]) => name)"
    )
    assert small == []
