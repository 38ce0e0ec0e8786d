"""Take the tablet's screens for docs/screens: python -m tools.make_screens [FOLDER]

A box with made-up members is served on this machine and opened in headless Chromium; nobody real is on the pictures.
"""

import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from bench.arrivals import browser
from models.encoders import RECOMMENDED
from sync.events import uuid7
from sync.members.desk import Tap
from tests.dashboard.tablet_serving import LI, WANG, Box, a_box, sample_card, served
from tests.dashboard.test_tablet_page import button, log_in, shows, wait

PORTRAIT, LANDSCAPE = (800, 1280), (1280, 800)


def take(page: webdriver.Chrome, folder: Path, name: str, size: tuple[int, int], *, dark: bool = False) -> None:
    """One picture of the page in that size, without waiting for anything."""
    wide, high = size
    metrics = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
    page.save_screenshot(str(folder / f"{name}.png"))


def fill(box: Box) -> None:
    """Members as in the sketch of the tablet."""
    box.know(sample_card("M-0417", box.today))
    box.know(sample_card("M-0500", box.today, salutation="陈先生", guide=WANG.id, level="银卡"))
    plain: dict[str, object] = {"guide": None, "level": None, "tried": [], "coupons": [], "due": [], "occasions": []}
    box.know(sample_card("M-0501", box.today, salutation="陈女士", **plain))


def main() -> None:
    """Open the page, let people arrive, take pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screens")
    with tempfile.TemporaryDirectory() as scratch, a_box(Path(scratch) / "box") as box, browser(scratch) as page:
        fill(box)
        with served(box, encoder=RECOMMENDED) as address:
            log_in(page, address)
            box.arrive("M-0777", method="qr")
            shows(page, "M-0777")
            box.arrive("M-0500", "M-0501")
            shows(page, "是哪一位")
            card = box.arrive("M-0417")
            shows(page, "王女士")
            take(page, folder, "tablet-zh-portrait", PORTRAIT)
            take(page, folder, "tablet-zh-landscape-dark", LANDSCAPE, dark=True)
            page.find_element(By.ID, "language").click()
            shows(page, "Possibly")
            box.desk.tap(Tap(uuid7(box.now()), card, "claim", LI.id, box.now()))
            shows(page, "You take care")
            take(page, folder, "tablet-en-portrait-dark", PORTRAIT, dark=True)
            take(page, folder, "tablet-en-landscape", LANDSCAPE)
            page.find_element(By.ID, "language").click()
            button(page, "＋ 新会员授权").click()
            wait(page, "//input[@id='member']")
            WebDriverWait(page, 5).until(lambda seen: seen.find_elements(By.CSS_SELECTOR, "fieldset.purpose"))
            take(page, folder, "tablet-zh-consent", PORTRAIT)


if __name__ == "__main__":
    main()
