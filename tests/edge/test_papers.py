"""PRIVACY rule 14: the sign and the assessment say what runs, and nothing that does not."""

from datetime import date
from html import unescape
from typing import Any

import pytest

from edge.config import EdgeFile
from edge.paper_words import DPIA, SIGN
from edge.papers import dpia_markdown, facts, sign_html
from tests.edge.test_recognition import CHECK_IN, ENTRANCE

DAY = date(2026, 11, 25)
LINE = {"name": "in", "start": [0, 0.5], "end": [1, 0.5], "entering": "positive"}


def box(sensors: dict[str, Any] | None = None, **edge: Any) -> EdgeFile:
    return EdgeFile.model_validate({"store": {"id": "s1", "name": "<店>"}, "sensors": sensors or {}, "edge": edge})


def full(recognition: dict[str, Any]) -> EdgeFile:
    return box(
        {
            "cameras": [{"name": "door", "url": "rtsp://192.0.2.1/"}],
            "wifi": [{"name": "probes", "type": "fifo", "path": "/run/probes"}],
            "rfid": [{"name": "fitting", "type": "llrp", "host": "192.0.2.2"}],
        },
        counting={"door": {"lines": [LINE]}},
        devices={"probes": {"window_seconds": 600}},
        tryons={"fitting": {"rooms": {1: "room-1"}}},
        member_cards={"fitting": {}},
        codes={"door": {}},
        recognition=recognition,
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rule_14_the_sign_names_what_runs(language: Any) -> None:
    words = SIGN[language]
    page = sign_html(full(CHECK_IN), language)
    told = unescape(page)
    for key in ("cameras", "face_check_in", "without_face", "cards", "rfid"):
        assert words[key] in told, key
    assert words["wifi_on"].format(minutes="10") in told
    for key in ("face_off", "face_entrance", "wifi_off", "frigate"):
        assert words[key] not in told, key
    assert "&lt;店&gt;" in page
    assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in told


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rule_14_a_sign_claims_no_sensor_that_is_not_there(language: Any) -> None:
    words, told = SIGN[language], unescape(sign_html(box(), language))
    assert words["face_off"] in told
    assert words["wifi_off"] in told
    for key in ("cameras", "face_check_in", "face_entrance", "without_face", "cards", "rfid"):
        assert words[key] not in told, key


def test_rule_14_the_wifi_login_is_told_where_it_is_set_up() -> None:
    config = box()
    told = config.model_copy(update={"tablet": {"wifi_login": {"secret_file": "x"}}})
    assert SIGN["zh"]["wifi_login"] in sign_html(told, "zh")
    assert SIGN["zh"]["wifi_login"] not in sign_html(config, "zh")
    assert DPIA["zh"]["row_wifi_login"].format(arrival_days=90) in dpia_markdown(told, "zh", DAY)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rule_14_the_assessment_holds_the_attestation_and_leaves_open_what_only_people_know(language: Any) -> None:
    told = dpia_markdown(full(ENTRANCE), language, DAY)
    for said in ("DPIA-2026-03", "Singapore", "Lin Wei, DPO", "2026-11-25", "1.0%", "door", "probes", "fitting"):
        assert said in told, said
    assert DPIA[language]["mode_off"] not in told
    assert f"## {DPIA[language]['open']}" in told
    assert "{" not in told


def test_both_languages_say_the_same_things() -> None:
    for words in (SIGN, DPIA):
        assert words["zh"].keys() == words["en"].keys()
        for key in words["zh"]:
            assert words["zh"][key].count("\n") == words["en"][key].count("\n"), key
            assert words["zh"][key].count(" | ") == words["en"][key].count(" | "), key


def test_the_sign_and_the_assessment_know_of_access_points_too() -> None:
    config = box(
        {"access_points": [{"name": "window", "type": "sniffer"}]}, access_points={"window": {"window_seconds": 900}}
    )
    known = facts(config)
    assert (known.wifi, known.wifi_minutes) == (("window",), 15)
