from datetime import time
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from sync.settings import ConfigError, StoreConfig, load, merged_schema


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rate: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    store: StoreConfig
    inner: Inner = Inner()
    several: tuple[Inner, ...] = ()


def problem(tmp_path: Path, text: str) -> ConfigError:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, Outer)
    return caught.value


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("store:\n  id: nanjing-road\n  timezone: Asia/Shanghai\n  opens: 10:00\n  closes: '22:00'\n")
    store = load(path, Outer).store
    assert (store.opens, store.closes, str(store.zone)) == (time(10), time(22), "Asia/Shanghai")


def test_an_unknown_key_is_named_with_its_line_and_the_likely_key(tmp_path: Path) -> None:
    error = problem(tmp_path, "store:\n  id: a\ninner:\n  rat: 3\n")
    assert "config.yaml:4: inner.rat: unknown key" in str(error)
    assert error.fix == "did you mean rate?"


def test_an_unknown_key_with_no_likeness_lists_the_known_ones(tmp_path: Path) -> None:
    error = problem(tmp_path, "store: {id: a}\nseveral:\n  - rate: 2\n  - zzz: 1\n")
    assert ":4: several.1.zzz: unknown key" in str(error)
    assert "known here: rate" in error.fix


def test_a_missing_key_is_named_where_it_belongs(tmp_path: Path) -> None:
    error = problem(tmp_path, "store:\n  name: A\n")
    assert ":1: store.id: is missing" in str(error)
    assert error.fix == "add store.id"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    error = problem(tmp_path, "store:\n  id: Shop One\n  timezone: Asia/Shangai\ninner:\n  rate: x\n")
    assert [line.split(": ")[1] for line in str(error).splitlines()] == ["store.id", "store.timezone", "inner.rate"]
    assert "did you mean Asia/Shanghai?" in str(error)


@pytest.mark.parametrize("text", ["store: [", "store:\n\t id: a", "a: b: c", '"'])
def test_a_file_that_is_not_yaml_is_told_with_the_line(tmp_path: Path, text: str) -> None:
    assert "not YAML" in str(problem(tmp_path, text))


@pytest.mark.parametrize("text", ["", "7", "- a", "null", "{}"])
def test_a_file_with_other_content_is_a_clear_error(tmp_path: Path, text: str) -> None:
    assert str(problem(tmp_path, text))


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "none.yaml", Outer)


def test_the_schema_takes_each_section_from_the_model_that_reads_it() -> None:
    from typing import Any

    class Other(BaseModel):
        store: StoreConfig
        inner: Any = None
        own: int = 1

    text = merged_schema([Other, Outer])
    assert '"own"' in text
    assert '"$ref": "#/$defs/Inner"' in text
