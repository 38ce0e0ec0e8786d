"""The tablet in a real browser: what a clerk sees and taps."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from sync.events import Response, decode
from sync.members.codes import make
from sync.members.desk import Tap
from sync.order_taker import box_key
from tests.dashboard.chromium import chromium
from tests.dashboard.tablet_serving import LI, PIN, WANG, Box, a_box, agreed, sample_card, served, serving
from tests.dashboard.test_tablet_enrolment import enrolling, film

AT_A_GLANCE = (
    "王女士",
    "M-0417",
    "金卡",
    "您的顾客",
    "18K 戒指 · 3 周前",
    "试穿（试戴）2 件，购买 1 件",
    "玫瑰金、简约",
    "戒指 12",
    "纪念日 · 6 天后",
    "三周养护提醒",
    "优惠券 200 元",
    "本店有货 1 / 2",
    "珍珠耳钉：他店有 4 件",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    # A card that is still fading in has no text for the driver yet.
    with chromium(tmp_path_factory.mktemp("profile"), "--force-prefers-reduced-motion") as opened:
        opened.set_window_size(800, 1280)
        yield opened


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with a_box(tmp_path) as made:
        made.know(sample_card("M-0417", made.today))
        yield made


def wait(browser: webdriver.Chrome, what: str, seconds: float = 30) -> WebElement:
    found = WebDriverWait(browser, seconds, poll_frequency=0.05).until(
        lambda seen: seen.find_elements(By.XPATH, what), f"never there: {what}"
    )
    return found[0]


def button(browser: webdriver.Chrome, words: str) -> WebElement:
    return wait(browser, f"//button[normalize-space()='{words}']")


def log_in(browser: webdriver.Chrome, address: str, name: str = LI.name) -> None:
    browser.get(address)
    browser.delete_all_cookies()
    browser.execute_script("localStorage.clear(); localStorage.setItem('yingke.language', 'zh')")
    browser.get(address)
    button(browser, name).click()
    wait(browser, "//input[@id='pin']").send_keys(PIN)
    button(browser, "登录").click()
    wait(browser, "//*[@id='bar' and not(@hidden)]")


def shows(browser: webdriver.Chrome, words: str, seconds: float = 30) -> None:
    WebDriverWait(browser, seconds, poll_frequency=0.05).until(
        lambda seen: words in seen.find_element(By.ID, "main").text, f"never shown: {words}"
    )


def test_an_arrival_becomes_a_card_with_what_the_clerk_needs_in_one_glance(browser: webdriver.Chrome, box: Box) -> None:
    with served(box) as address:
        log_in(browser, address)
        shows(browser, "会员到店时，卡片出现在这里")
        box.arrive("M-0417")
        shows(browser, "可能是")
        # Read in one step: a card is drawn anew when anything about it changes.
        card = browser.execute_script("return document.querySelector('article').innerText")
        for told in AT_A_GLANCE:
            assert told in card, told
        button(browser, "我来接待").click()
        shows(browser, "您正在接待")
        WebDriverWait(browser, 10).until(
            lambda _: not box.desk.unsent() and box.desk.cards(box.now())[0].guide == LI.id
        )
        entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
        # Before anybody has logged in, the page is told so.
        assert [each for each in entries if each["level"] == "SEVERE" and "401" not in each["message"]] == []
    responses = [
        event.data for row in box.outbox.pending(0, 99) if isinstance((event := decode(row.payload)).data, Response)
    ]
    assert [(each.action, each.guide, each.member) for each in responses] == [("claim", LI.id, "M-0417")]


def test_two_candidates_stand_side_by_side_and_one_tap_decides(browser: webdriver.Chrome, box: Box) -> None:
    box.know(sample_card("M-0500", box.today, salutation="陈先生", guide=WANG.id))
    with served(box) as address:
        log_in(browser, address)
        box.arrive("M-0417", "M-0500")
        shows(browser, "是哪一位？")
        names = "return [...document.querySelectorAll('article .person h2')].map((node) => node.firstChild.textContent)"
        assert browser.execute_script(names) == ["王女士", "陈先生"]
        wait(browser, "//section[contains(., '陈先生')]//button[normalize-space()='是 TA']").click()
        shows(browser, "会员到店")
        WebDriverWait(browser, 10).until(lambda _: box.desk.cards(box.now())[0].members == ("M-0500",))


def test_what_is_tapped_without_a_line_is_sent_when_it_is_back(browser: webdriver.Chrome, box: Box) -> None:
    with served(box) as address:
        log_in(browser, address)
        box.arrive("M-0417")
        shows(browser, "王女士")
        port = int(address.rsplit(":", 1)[1])
    WebDriverWait(browser, 20).until(lambda seen: "断开" in seen.find_element(By.ID, "banner").text)
    button(browser, "我来接待").click()
    shows(browser, "您正在接待")
    assert box.desk.cards(box.now())[0].guide is None
    with served(box, port):
        WebDriverWait(browser, 30).until(lambda _: box.desk.cards(box.now())[0].guide == LI.id)
        WebDriverWait(browser, 30).until(lambda seen: not seen.find_element(By.ID, "banner").is_displayed())


def test_a_second_tablet_sees_the_claim_and_the_card_goes_when_the_visitor_leaves(
    browser: webdriver.Chrome, box: Box
) -> None:
    with served(box) as address:
        log_in(browser, address, WANG.name)
        card = box.arrive("M-0417")
        shows(browser, "先问 李娜")
        WebDriverWait(browser, 10).until(lambda _: box.desk.cards(box.now()))
        box.desk.tap(Tap(uuid4(), card, "claim", LI.id, box.now()))
        shows(browser, "李娜 正在接待")
        box.desk.tap(Tap(uuid4(), card, "left", LI.id, box.now()))
        shows(browser, "会员到店时，卡片出现在这里")


def test_a_scanned_code_is_an_arrival_like_any_other(browser: webdriver.Chrome, box: Box) -> None:
    with served(box) as address:
        log_in(browser, address)
        button(browser, "扫会员码").click()
        wait(browser, "//input[@id='code']").send_keys("nonsense\n")
        WebDriverWait(browser, 10).until(lambda seen: "这不是有效的会员码" in seen.find_element(By.ID, "dialog").text)
        field = browser.find_element(By.ID, "code")
        field.clear()
        field.send_keys(make("M-0417", box.today, box_key(box.folder)) + "\n")
        shows(browser, "王女士")
        assert "可能是" not in browser.execute_script("return document.getElementById('main').innerText")


def test_consent_is_recorded_purpose_by_purpose_with_the_words_that_were_shown(
    browser: webdriver.Chrome, box: Box
) -> None:
    with served(box) as address:
        log_in(browser, address)
        button(browser, "＋ 新会员授权").click()
        wait(browser, "//input[@id='member']").send_keys("M-0900")
        browser.find_element(By.CSS_SELECTOR, "input[name=recognition][value=yes]").click()
        button(browser, "记录选择").click()
        WebDriverWait(browser, 10).until(lambda seen: "仅限成年人" in seen.find_element(By.ID, "dialog").text)
        browser.find_element(By.ID, "adult").click()
        button(browser, "记录选择").click()
        WebDriverWait(browser, 10).until(lambda _: box.register.allows("M-0900", "recognition", box.now()))
    assert not box.register.allows("M-0900", "profile", box.now())
    (consent,) = box.register.consents("M-0900")
    assert (consent.language, consent.taken_by, consent.adult) == ("zh", LI.id, True)


def test_html_and_emoji_in_a_name_are_shown_and_never_run(browser: webdriver.Chrome, box: Box) -> None:
    name = "<img src=x onerror=alert(1)>🎉"
    box.know(sample_card("M-0600", box.today, salutation=name))
    with served(box) as address:
        log_in(browser, address)
        box.arrive("M-0600")
        shows(browser, name)
        assert browser.find_elements(By.CSS_SELECTOR, "article img") == []


def test_the_page_opens_without_a_line_once_it_was_open(browser: webdriver.Chrome, box: Box) -> None:
    with served(box) as address:
        log_in(browser, address)
        WebDriverWait(browser, 20).until(
            lambda seen: seen.execute_async_script(
                "const done = arguments[0]; navigator.serviceWorker.ready.then(() => caches.open('yingke-tablet-1'))"
                ".then((cache) => cache.match('/static/app.js')).then((hit) => done(Boolean(hit)))"
            )
        )
    browser.get(address)
    WebDriverWait(browser, 20).until(lambda seen: "断开" in seen.find_element(By.ID, "banner").text)


@pytest.mark.slow
def test_a_card_is_on_the_page_within_a_second_of_the_event(browser: webdriver.Chrome, box: Box) -> None:
    waited = []
    with served(box) as address:
        log_in(browser, address)
        for number in range(20):
            member = f"M-{1000 + number}"
            start = time.monotonic()
            box.arrive(member)
            wait(browser, f"//article[contains(., '{member}')]", 10)
            waited.append(time.monotonic() - start)
    assert sorted(waited)[18] < 1.5, waited


def test_after_the_consent_the_box_takes_the_pictures_and_the_page_tells_how_far_it_is(
    browser: webdriver.Chrome, box: Box, tmp_path: Path
) -> None:
    with serving(enrolling(box, film(tmp_path / "film.mp4", "Al_Sharpton"))) as address:
        log_in(browser, address)
        WebDriverWait(browser, 30).until(lambda seen: "dlib-resnet-v1" in seen.find_element(By.ID, "line").text)
        button(browser, "＋ 新会员授权").click()
        wait(browser, "//input[@id='member']").send_keys("M-0900")
        wait(browser, "//input[@name='recognition' and @value='yes']").click()
        browser.find_element(By.ID, "adult").click()
        button(browser, "记录选择").click()
        button(browser, "拍摄 3 至 5 张照片（用后即删）").click()
        wait(browser, "//p[@role='status' and contains(., '可用') and not(starts-with(normalize-space(), '可用 0'))]")
        browser.save_screenshot(str(tmp_path / "enrol.png"))
        wait(browser, "//*[@id='toast' and contains(., '已登记')]")
        assert not browser.find_elements(By.CSS_SELECTOR, "dialog[open]")
        assert not browser.find_elements(By.CSS_SELECTOR, "dialog img, dialog video, dialog canvas")
    assert box.register.enrolled() == 1


def chinese(said: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in said) and not re.search("[a-z]{3}", said)


def test_refusals_are_told_in_the_language_of_the_page(browser: webdriver.Chrome, box: Box, tmp_path: Path) -> None:
    with serving(enrolling(box, tmp_path / "none.mp4")) as address:
        browser.get(address)
        browser.delete_all_cookies()
        browser.execute_script("localStorage.clear(); localStorage.setItem('yingke.language', 'zh')")
        browser.get(address)
        button(browser, LI.name).click()
        wait(browser, "//input[@id='pin']").send_keys("000000\n")
        said = wait(browser, "//p[@role='alert' and contains(., '导购与 PIN 码不符')]").text
        assert chinese(said), said
        log_in(browser, address)
        button(browser, "＋ 新会员授权").click()
        wait(browser, "//input[@id='member']").send_keys("M-0900")
        wait(browser, "//input[@name='recognition' and @value='yes']").click()
        browser.find_element(By.ID, "adult").click()
        button(browser, "记录选择").click()
        button(browser, "拍摄 3 至 5 张照片（用后即删）").click()
        said = wait(browser, "//p[@role='alert' and contains(., '无法连接摄像头')]").text
        assert chinese(said), said
        # Taken back on another tablet while this one was about to take the pictures.
        withdrawn = agreed("M-0900", "recognition", box.now()).model_copy(update={"act": "withdrawn"})
        box.register.record([withdrawn])
        button(browser, "拍摄 3 至 5 张照片（用后即删）").click()
        said = wait(browser, "//p[@role='alert' and contains(., '会员尚未授权')]").text
        assert chinese(said), said
