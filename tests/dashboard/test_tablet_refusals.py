"""What the tablet's server refuses is told in the page's language."""

import re
from pathlib import Path

import httpx
import pytest

from dashboard.tablet.app import STATIC
from dashboard.tablet.refusals import CODES, code_of
from models.errors import ModelError
from sensors.errors import SourceError
from sync.errors import SyncError
from sync.members.errors import MemberError
from tests.dashboard.tablet_serving import LI, PIN, a_box, served


def texts() -> list[dict[str, str]]:
    """The page's words for refusals: Chinese, English."""
    words = (STATIC / "words.js").read_text("utf-8")
    tables = re.findall(r"^    refusals: \{\n(.*?)^    \},$", words, re.MULTILINE | re.DOTALL)
    return [dict(re.findall(r'^      (\w+): "([^"]+)",$', table, re.MULTILINE)) for table in tables]


def test_every_code_has_its_words_in_both_languages_and_no_words_are_without_a_code() -> None:
    chinese, english = texts()
    assert chinese.keys() == CODES
    assert english.keys() == CODES
    assert [code for code, said in chinese.items() if not re.search(r"[\u4e00-\u9fff]", said)] == []
    assert [code for code, said in english.items() if re.search(r"[\u4e00-\u9fff]", said)] == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemberError("no_consent", "a", "b"), "no_consent"),
        (SourceError("a", "b"), "camera"),
        (SourceError("a", "b", reason="login_refused"), "camera_login"),
        (ModelError("a", "b"), "model"),
        (SyncError("a", "b"), "failed"),
    ],
)
def test_an_error_has_the_code_of_its_kind(error: Exception, code: str) -> None:
    assert code_of(error) == code


def test_a_request_that_is_refused_for_what_it_is_carries_a_code_and_never_what_was_sent(tmp_path: Path) -> None:
    with a_box(tmp_path) as box, served(box) as address, httpx.Client(base_url=address) as client:
        own = {"Origin": address}
        secret = "9" * 70
        answers = [
            client.get("/api/cards"),
            client.post("/api/login", json={"guide": LI.id, "pin": PIN}),
            client.post("/api/login", content="guide", headers=own),
            client.post("/api/login", json={"guide": LI.id, "pin": "9" * 300_000}, headers=own),
            client.post("/api/login", json={"guide": LI.id, "pin": secret}, headers=own),
            client.post("/api/login", json={"guide": LI.id, "pin": "000000"}, headers=own),
        ]
    told = [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert told == [
        (401, "log_in"),
        (403, "other_page"),
        (415, "not_json"),
        (413, "too_large"),
        (422, "invalid"),
        (409, "pin"),
    ]
    assert secret not in answers[4].text
