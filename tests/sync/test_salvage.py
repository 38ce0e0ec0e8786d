"""What a failing disk left of an outbox is saved, and the rest is told to the centre."""

import random
from pathlib import Path

import pytest

from sync.events import decode
from sync.outbox import Outbox, OutboxError
from sync.outbox.salvage import salvage
from tests.sync.making import T0, visit

EVENTS = 400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.db"
    with Outbox(path, "s1") as outbox:
        for start in range(0, EVENTS, 20):
            outbox.put([visit(T0 + start + n) for n in range(20)])
        outbox.confirm(100)
    return path


def written(path: Path) -> dict[int, bytes]:
    with Outbox(path, "s1") as outbox:
        return {row.seq: row.payload for row in outbox.pending(0, 10_000)}


def test_a_sound_outbox_is_copied_as_it_is(path: Path, tmp_path: Path) -> None:
    before = written(path)
    result = salvage(path, tmp_path / "new.db")
    assert (result.store, result.saved, result.lost, result.confirmed, result.same_id) == ("s1", EVENTS, 0, 100, True)
    assert written(tmp_path / "new.db") == before


def test_of_a_file_with_destroyed_pages_every_intact_row_is_saved_and_the_rest_is_told(
    path: Path, tmp_path: Path
) -> None:
    before = written(path)
    content = bytearray(path.read_bytes())
    for page in (20, 21, 30):
        content[page * 4096 : page * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    result = salvage(path, tmp_path / "new.db")
    after = written(tmp_path / "new.db")
    assert result.lost > 0
    assert list(after) == list(before)
    assert len([seq for seq in after if after[seq] == before[seq]]) == result.saved
    assert sum(decode(payload).sensor == "outbox" for payload in after.values()) == result.lost


def test_after_any_flipped_bit_each_row_is_as_written_or_reported(path: Path, tmp_path: Path) -> None:
    before, sound = written(path), path.read_bytes()
    rng = random.Random(5)
    opened = 0
    for number in range(60):
        content = bytearray(sound)
        place = rng.randrange(100, len(content))
        content[place] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        try:
            salvage(path, target := tmp_path / f"{number}.db")
        except OutboxError:
            continue
        opened += 1
        with Outbox(target, "s1") as outbox:
            rows = [decode(row.payload) for row in outbox.pending(0, 10_000)]
        wanted = {seq: decode(payload) for seq, payload in before.items()}
        for row in rows:
            # Also under a new id, when the bit was in the state.
            assert row.sensor == "outbox" or row.id == wanted[row.seq].id
            assert row.sensor == "outbox" or row.data == wanted[row.seq].data
        assert sum(row.sensor == "outbox" for row in rows) <= 20
    assert opened >= 55


def test_a_target_that_exists_and_a_source_that_does_not_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="exists already"):
        salvage(path, path)
    with pytest.raises(OutboxError, match="no such file"):
        salvage(tmp_path / "none.db", tmp_path / "new.db")


def test_of_a_file_that_is_no_database_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"junk" * 5000)
    with pytest.raises(OutboxError):
        salvage(tmp_path / "junk", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()
