"""The configuration file is changed in one place and stays itself everywhere else."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.settings import ConfigError, parse
from sync.settings_edit import ChangedMeanwhile, SettingsFile, rewrite

EXAMPLE = Path(__file__).resolve().parents[2] / "config.yaml"
LINES, ZONES = ("edge", "counting", "door", "lines"), ("edge", "counting", "door", "zones")
BLOCK = """\
# the top
edge:  # beside edge
  counting:
    door:
      # before the key
      lines:
      # before the first
      - name: entrance   # beside the name
        start: [0.2, 0.6]  # A
        end: [0.8, 0.6]
        entering: positive
        # before the second
      - name: side
        start:
        - 0.1
        - 0.2
        end: [0.1, 0.9]
        entering: negative
      # after the last
    back: {lines: [{name: x, start: [0, 1], end: [1, 1], entering: positive}]}  # in one line
store: {id: "a#b", opens: 10:00}
"""


def line(name: str, start: tuple[float, float] = (0.1, 0.2), **more: Any) -> dict[str, Any]:
    return {"name": name, "start": list(start), "end": [0.9, 0.7], "entering": "positive", "anchor": "foot"} | more


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "my-store.yaml"
    path.write_bytes(EXAMPLE.read_bytes())
    return path


def change(path: Path, *changes: tuple[tuple[str, ...], Any]) -> str:
    rewrite(path, SettingsFile(path).revision, changes, parse)
    return path.read_text()


def test_a_moved_line_changes_its_line_of_the_file_and_no_other(example: Path) -> None:
    before = example.read_text().splitlines()
    after = change(example, (LINES, [line("entrance", (0.25, 0.5))])).splitlines()
    differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.strip() for _, new in differing] == [
        "- {name: entrance, start: [0.25, 0.5], end: [0.9, 0.7], entering: positive, anchor: foot}"
    ]
    assert example.with_name("my-store.yaml.bak").read_bytes() == EXAMPLE.read_bytes()


def test_nothing_to_change_changes_no_byte(example: Path) -> None:
    assert change(example, (LINES, SettingsFile(example).value(*LINES))) == EXAMPLE.read_text()


def test_new_sections_are_made_where_there_were_none(example: Path) -> None:
    change(
        example,
        (("edge", "counting", "back", "lines"), [line("rear")]),
        (ZONES, [{"name": "till", "polygon": [[0, 0], [1, 0], [1, 1]]}]),
        (("models", "detector", "size"), 640),
    )
    new = SettingsFile(example)
    assert new.value("models", "detector", "size") == 640
    assert new.value("edge", "counting", "back", "lines")[0]["name"] == "rear"
    assert new.value(*ZONES)[0]["polygon"] == [[0, 0], [1, 0], [1, 1]]
    assert new.value("edge", "counting", "door", "lines")[0]["name"] == "entrance"


NAMES = st.lists(st.sampled_from(["entrance", "side", "rear", "a", "b"]), unique=True, max_size=4)
SHARES = st.integers(0, 10_000).map(lambda value: value / 10_000)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([EXAMPLE.read_text(), BLOCK]), NAMES, NAMES, SHARES, SHARES)
def test_whatever_is_drawn_every_comment_stays_and_the_file_says_what_was_drawn(
    tmp_path: Path, text: str, lines: list[str], zones: list[str], x: float, y: float
) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(text)
    drawn = [line(name, (x, y)) for name in lines]
    areas = [{"name": f"z-{name}", "polygon": [[0, 0], [x, 0.5], [1, y]]} for name in zones]
    after = change(path, (LINES, drawn), (ZONES, areas))
    for comment in (part.strip() for part in text.splitlines() if part.strip().startswith("#")):
        assert comment in after
    for comment in ("# beside edge", "# in one line", "#b"):
        assert (comment in after) == (comment in text)
    new = SettingsFile(path)
    assert new.value(*LINES) == drawn
    assert new.value(*ZONES) == areas
    assert new.value("store") == (parse(EXAMPLE)["store"] if "nanjing" in text else {"id": "a#b", "opens": 600})


def test_a_file_that_somebody_changed_meanwhile_is_not_written_over(example: Path) -> None:
    revision = SettingsFile(example).revision
    example.write_text(EXAMPLE.read_text() + "# mine\n")
    with pytest.raises(ChangedMeanwhile, match="somebody changed") as said:
        rewrite(example, revision, [(LINES, [line("a")])], parse)
    assert "reload" in said.value.fix
    assert example.read_text().endswith("# mine\n")


def test_a_result_that_the_check_refuses_leaves_everything_as_it_was_and_names_the_real_file(example: Path) -> None:
    def refuse(path: Path) -> None:
        assert parse(path)["edge"]["counting"]["door"]["lines"][0]["name"] == "a"
        raise ConfigError(f"{path}:33: edge.counting.door: no", "draw it again")

    with pytest.raises(ConfigError, match=r"my-store\.yaml:33: edge"):
        rewrite(example, SettingsFile(example).revision, [(LINES, [line("a")])], refuse)
    assert example.read_bytes() == EXAMPLE.read_bytes()
    assert [path.name for path in example.parent.iterdir()] == ["my-store.yaml"]


def test_the_file_keeps_its_permissions_and_a_link_stays_a_link(example: Path) -> None:
    example.chmod(0o640)
    link = example.with_name("link.yaml")
    link.symlink_to(example.name)
    change(link, (LINES, [line("a")]))
    assert link.is_symlink()
    assert stat.S_IMODE(example.stat().st_mode) == 0o640
    assert parse(example)["edge"]["counting"]["door"]["lines"][0]["name"] == "a"


def test_a_list_that_an_anchor_uses_twice_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "anchored.yaml"
    path.write_text("edge:\n  counting:\n    door: &d\n      lines: []\n    back: *d\n")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="cannot be changed safely"):
        change(path, (LINES, [line("a")]))
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(example: Path) -> None:
    example.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            change(example, (LINES, [line("a")]))
    finally:
        example.parent.chmod(0o700)


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("edge: {}\nedge: {}\n")
    with pytest.raises(ConfigError, match=r"twice\.yaml:2"):
        change(path, (LINES, [line("a")]))
