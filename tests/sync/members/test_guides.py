from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from sync.members.errors import MemberError
from sync.members.guides import FREE_TRIES, SESSION_S, WAIT_S, Guide, Guides, WrongPin

NOW = 1_780_000_000.0
LI = Guide("guide-7", "李娜", "clerk")
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def guides(tmp_path: Path) -> Iterator[Guides]:
    with Guides(tmp_path / "guides.db", QUICK) as opened:
        opened.add(LI, "602214")
        yield opened


def test_a_guide_logs_in_with_a_pin_and_is_known_by_the_session(guides: Guides) -> None:
    token = guides.login("guide-7", "602214", NOW)
    assert guides.who(token, NOW + 1) == LI
    assert guides.who(token, NOW + SESSION_S + 1) is None
    assert guides.who("", NOW) is None


def test_neither_pin_nor_session_is_readable_in_the_file(guides: Guides, tmp_path: Path) -> None:
    token = guides.login("guide-7", "602214", NOW)
    for path in tmp_path.iterdir():
        assert b"602214" not in path.read_bytes()
        assert token.encode() not in path.read_bytes()
    assert (tmp_path / "guides.db").stat().st_mode & 0o077 == 0


def test_an_unknown_guide_and_a_wrong_pin_are_told_alike(guides: Guides) -> None:
    said = []
    for guide in ("guide-7", "guide-8"):
        with pytest.raises(WrongPin) as refused:
            guides.login(guide, "000001", NOW)
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_after_five_wrong_pins_even_the_right_one_waits(guides: Guides) -> None:
    for _ in range(FREE_TRIES):
        with pytest.raises(WrongPin, match="do not fit"):
            guides.login("guide-7", "111112", NOW)
    with pytest.raises(WrongPin, match="too many"):
        guides.login("guide-7", "602214", NOW + WAIT_S - 1)
    guides.login("guide-7", "602214", NOW + WAIT_S + 1)
    with pytest.raises(WrongPin, match="do not fit"):
        guides.login("guide-7", "111112", NOW + WAIT_S + 2)


def test_a_guide_who_leaves_is_out_at_once(guides: Guides) -> None:
    token = guides.login("guide-7", "602214", NOW)
    assert guides.remove("guide-7")
    assert guides.who(token, NOW + 1) is None
    with pytest.raises(WrongPin):
        guides.login("guide-7", "602214", NOW + 1)
    assert not guides.remove("guide-7")


def test_a_new_pin_ends_the_sessions_of_the_old_one(guides: Guides) -> None:
    token = guides.login("guide-7", "602214", NOW)
    guides.add(LI, "314159")
    assert guides.who(token, NOW + 1) is None


@pytest.mark.parametrize("pin", ["", "12345", "111111", "121212"])
def test_a_weak_pin_is_refused(guides: Guides, pin: str) -> None:
    with pytest.raises(MemberError, match="at least 6"):
        guides.add(LI, pin)


def test_a_session_that_logs_out_is_over(guides: Guides) -> None:
    token = guides.login("guide-7", "602214", NOW)
    guides.logout(token)
    assert guides.who(token, NOW + 1) is None
