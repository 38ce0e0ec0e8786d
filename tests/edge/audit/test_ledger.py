import json
import multiprocessing
import os
from pathlib import Path

import pytest

from edge.app import send_audits
from edge.audit.ledger import KEY, LEDGER, SENT, LedgerError
from edge.config import EdgeFile
from sync.config import OutboxConfig
from sync.errors import SyncError
from sync.events import decode
from sync.outbox import Outbox
from sync.settings import StoreConfig
from sync.signing import KeyFileError
from tests.edge.audit.making import HEARD, SETUP, keeper, result

SHOP = "nanjing-road"


def kept(data: Path, count: int) -> Path:
    box = keeper(data)
    for number in range(count):
        box.keep(SETUP, "door", result(missed=number), HEARD)
    return data / LEDGER


def problems(data: Path) -> tuple[str, ...]:
    return keeper(data).ledger.check().problems


def test_entries_are_signed_chained_and_read_back(tmp_path: Path) -> None:
    kept(tmp_path, 3)
    checked = keeper(tmp_path).ledger.check()
    assert checked.problems == ()
    assert [entry.data.number for entry in checked.entries] == [1, 2, 3]
    assert [entry.data.figures.right for entry in checked.entries] == [120, 119, 118]
    assert all(entry.genuine for entry in checked.entries)
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("figure", ":2: the entry was changed after it was signed"),
        ("space", ":2: the entry was changed after it was signed"),
        ("dropped", "entry 2 is missing"),
        ("doubled", "entry 3 is missing"),
        ("swapped", "entry 2 is missing"),
        ("garbage", ":2: not an entry"),
    ],
)
def test_an_entry_that_was_changed_removed_or_moved_is_found(tmp_path: Path, what: str, said: str) -> None:
    path = kept(tmp_path, 3)
    lines = path.read_text().splitlines()
    if what == "figure":
        document = json.loads(lines[1])
        document["data"]["figures"]["right"] = 120
        lines[1] = json.dumps(document, sort_keys=True, separators=(",", ":"))
    changed = {
        "figure": lines,
        "space": [lines[0], lines[1] + " ", lines[2]],
        "dropped": [lines[0], lines[2]],
        "doubled": [lines[0], lines[1], lines[1], lines[2]],
        "swapped": [lines[0], lines[2], lines[1]],
        "garbage": [lines[0], "{}", lines[2]],
    }
    path.write_text("\n".join(changed[what]) + "\n")
    assert said in problems(tmp_path)[0]
    with pytest.raises(LedgerError):
        keeper(tmp_path).keep(SETUP, "door", result(), HEARD)


def test_an_entry_that_was_signed_again_with_another_key_is_found(tmp_path: Path) -> None:
    path = kept(tmp_path / "a", 1)
    kept(tmp_path / "b", 1)
    path.write_bytes((tmp_path / "b" / LEDGER).read_bytes())
    assert "signed by another key" in problems(tmp_path / "a")[0]


def test_an_end_that_was_cut_off_is_found_once_it_was_sent(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", SHOP):
        path = kept(tmp_path, 3)
        assert keeper(tmp_path).send() == 3
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert "the end was cut off" in problems(tmp_path)[0]


def test_a_line_that_a_power_cut_left_half_written_is_said_and_then_set_aside(tmp_path: Path) -> None:
    path = kept(tmp_path, 1)
    with path.open("a") as file:
        file.write('{"data":{"by"')
    assert "cut off while it was written" in problems(tmp_path)[0]
    entry = keeper(tmp_path).keep(SETUP, "door", result(), HEARD)
    assert (entry.data.number, problems(tmp_path)) == (2, ())
    assert path.with_name("audits.jsonl.torn").read_text() == '{"data":{"by"'


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    kept(tmp_path, 1)
    (tmp_path / KEY).chmod(0o644)
    with pytest.raises(KeyFileError, match="open to other users"):
        keeper(tmp_path).keep(SETUP, "door", result(), HEARD)
    assert "open to other users" in problems(tmp_path)[0]


def test_the_ledger_of_another_store_is_not_taken(tmp_path: Path) -> None:
    kept(tmp_path, 1)
    with pytest.raises(LedgerError, match="of store nanjing-road, not elsewhere"):
        keeper(tmp_path, "elsewhere").keep(SETUP, "door", result(), HEARD)


def keep_some(data: Path, count: int) -> None:
    kept(data, count)


def test_processes_that_append_at_once_make_one_unbroken_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=keep_some, args=(tmp_path, 5)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    checked = keeper(tmp_path).ledger.check()
    assert (len(checked.entries), checked.problems) == (15, ())


def test_entries_wait_where_the_box_never_ran_and_go_out_once_when_it_starts(tmp_path: Path) -> None:
    kept(tmp_path, 2)
    box = keeper(tmp_path)
    assert box.send() == 0
    assert box.try_to_send() == "the box has not run yet: it sends them when it starts"
    config = EdgeFile(store=StoreConfig(id=SHOP)).model_copy(deep=True)
    config = config.model_copy(update={"edge": config.edge.model_copy(update={"data": tmp_path})})
    with Outbox(tmp_path / "outbox.db", SHOP) as outbox:
        send_audits(config, outbox)
        send_audits(config, outbox)
        assert box.send() == 0
        rows = outbox.pending(0, 10)
    events = [decode(row.payload) for row in rows]
    assert [(event.type, event.data.number) for event in events] == [("yingke.audit.v1", 1), ("yingke.audit.v1", 2)]
    assert [row.topic for row in rows] == [f"yingke/v1/{SHOP}/events/audit"] * 2


def test_killed_between_the_outbox_and_the_note_of_it_the_same_event_goes_out_again(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", SHOP) as outbox:
        kept(tmp_path, 1)
        keeper(tmp_path).send()
        (tmp_path / SENT).unlink()
        assert keeper(tmp_path).send() == 1
        first, again = (decode(row.payload) for row in outbox.pending(0, 10))
    assert first.id == again.id


def put_many(path: Path, count: int) -> None:
    with Outbox(path, SHOP, OutboxConfig(), create=False) as outbox:
        for _ in range(count):
            outbox.put([keeper(path.parent / str(os.getpid())).keep(SETUP, "door", result(1), HEARD).event()])


def test_another_process_may_put_while_the_box_does_and_no_number_is_given_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, SHOP) as outbox:
        entry = keeper(tmp_path / "own").keep(SETUP, "door", result(1), HEARD)
        process = multiprocessing.get_context("spawn").Process(target=put_many, args=(path, 60))
        process.start()
        numbers = []
        while process.is_alive():
            numbers += list(outbox.put([entry.event()]))
            # The lock of SQLite is not fair: who takes it again at once, as no sensor does, keeps others out for long.
            process.join(0.005)
        process.join()
        assert process.exitcode == 0
        rows = outbox.pending(0, 100_000)
        assert [row.seq for row in rows] == list(range(1, len(numbers) + 61))
        assert outbox.status().quarantined == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_full_outbox_is_said_and_the_entry_stays(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db", "elsewhere"):
        pass
    kept(tmp_path, 1)
    box = keeper(tmp_path)
    with pytest.raises(SyncError, match="belongs to store elsewhere"):
        box.send()
    assert "belongs to store elsewhere" in (box.try_to_send() or "")
    assert len(box.ledger.unsent()) == 1
