from datetime import date
from pathlib import Path

import pytest

from models.errors import ModelError
from models.uniform import Uniform, learn
from tests.models.test_appearance import GREEN, NAVY, RED, WHITE, Colour, look, person

TODAY = date(2026, 11, 25)
CROPS = [person(RED, NAVY, seed=seed) for seed in range(6)]
OTHERS = [person(shirt, NAVY, seed=seed) for shirt in (GREEN, WHITE, NAVY) for seed in range(5)]


def test_the_uniform_is_known_above_the_waist_whatever_is_worn_below() -> None:
    uniform = learn(CROPS, OTHERS, TODAY)
    assert uniform.worn(look(person(RED, NAVY, seed=77)))
    assert uniform.worn(look(person(RED, (60, 60, 60), seed=78)))


@pytest.mark.parametrize("shirt", [GREEN, WHITE, NAVY])
@pytest.mark.parametrize("others", [OTHERS, []])
def test_other_clothes_are_not_the_uniform(shirt: Colour, others: list[object]) -> None:
    uniform = learn(CROPS, OTHERS if others else [], TODAY)
    assert not uniform.worn(look(person(shirt, NAVY, seed=90)))


def test_with_pictures_of_others_the_threshold_lies_between_the_two() -> None:
    uniform = learn(CROPS, OTHERS, TODAY)
    assert uniform.nearest_other is not None
    assert max(uniform.own) < uniform.threshold < uniform.nearest_other


def test_the_file_says_what_it_is_and_holds_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "staff.json"
    uniform = learn(CROPS, OTHERS, TODAY, "winter uniform")
    uniform.save(path)
    assert Uniform.load(path) == uniform
    text = path.read_text()
    assert "winter uniform" in text
    assert "2026-11-25" in text
    assert "no picture" in text
    # 2 bands of 32 shares: far less than the smallest picture of a person.
    assert len(text) < 4000


def test_too_few_too_small_and_too_alike_are_said_with_what_to_do() -> None:
    with pytest.raises(ModelError, match="2 pictures are too few"):
        learn(CROPS[:2], [], TODAY)
    with pytest.raises(ModelError, match="picture 2 is too small"):
        learn([CROPS[0], CROPS[1][:20], CROPS[2]], [], TODAY)
    with pytest.raises(ModelError, match="6 of 6 others would be taken for staff") as caught:
        learn(CROPS, [person(RED, GREEN, seed=seed) for seed in range(20, 26)], TODAY)
    assert "badges" in caught.value.fix


@pytest.mark.parametrize("content", ["", "{}", '{"format": "yingke.uniform.v1"}', "\x00\x01"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "staff.json"
    path.write_text(content)
    with pytest.raises(ModelError, match="is not the description of a uniform"):
        Uniform.load(path)
    with pytest.raises(ModelError, match="No such file"):
        Uniform.load(tmp_path / "absent.json")
