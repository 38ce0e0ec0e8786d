from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.members.codes import make, read
from sync.members.errors import MemberError
from sync.signing import SigningKey

TODAY = date(2026, 11, 25)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.open_or_make(tmp_path / "company.key")


def test_rule_3_a_member_is_known_by_a_code_without_a_face(key: SigningKey) -> None:
    assert read(make("M-0417", TODAY, key), [key.public], TODAY) == "M-0417"


def test_a_code_is_refused_the_day_after(key: SigningKey) -> None:
    with pytest.raises(MemberError, match="out of date"):
        read(make("M-0417", date(2026, 11, 24), key), [key.public], TODAY)


def test_a_code_for_another_member_or_day_cannot_be_made_from_one(key: SigningKey) -> None:
    code = make("M-0417", TODAY, key)
    for forged in (code.replace("M-0417", "M-0418"), code.replace("20261125", "20271125")):
        with pytest.raises(MemberError, match="not made by this company"):
            read(forged, [key.public], TODAY)


def test_a_code_of_another_company_is_refused(key: SigningKey, tmp_path: Path) -> None:
    other = SigningKey.open_or_make(tmp_path / "other.key")
    with pytest.raises(MemberError, match="not made by this company"):
        read(make("M-0417", TODAY, other), [key.public], TODAY)


@given(text=st.text(max_size=200))
def test_whatever_a_scanner_reads_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(MemberError) as refused:
        read(text, ["A" * 43], TODAY)
    assert "\n" not in str(refused.value)
