"""What the centre holds of each outbox: the highest contiguous sequence, and the ranges ahead of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, select, tuple_

from sync.store import tables
from sync.store.database import insert
from sync.store.incoming import Key

MAX_RANGES = 10_000
"""Ranges remembered ahead of a mark. Forgetting the highest is safe: the edge sends them again."""

Range = tuple[int, int]
"""First and last sequence number, both included."""


@dataclass(slots=True)
class Mark:
    """One outbox: everything up to ``through`` is held, and ``ahead`` (sorted, apart from each other) beyond it."""

    through: int = 0
    ahead: list[Range] = field(default_factory=list)

    def holds(self, seq: int) -> bool:
        """Whether that event (or its dead letter) is held."""
        return seq <= self.through or any(first <= seq <= last for first, last in self.ahead)

    def add(self, seqs: Iterable[int]) -> None:
        """These are held now."""
        self._settle([*self.ahead, *((seq, seq) for seq in seqs)])

    def skip(self, oldest: int) -> list[Range]:
        """Nothing before ``oldest`` will ever come; returns what is missing of it."""
        missing, expected = [], self.through + 1
        for first, last in [*self.ahead, (oldest, oldest)]:
            if first >= oldest:
                first, last = oldest, oldest
            if first > expected:
                missing.append((expected, first - 1))
            expected = max(expected, last + 1)
        self.through = max(self.through, oldest - 1)
        self._settle(self.ahead)
        return missing

    def _settle(self, ranges: Sequence[Range]) -> None:
        merged: list[Range] = []
        through = self.through
        for first, last in sorted(ranges):
            if first <= through + 1:
                through = max(through, last)
            elif merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        self.through, self.ahead = through, merged[:MAX_RANGES]


def load(connection: Connection, keys: Sequence[Key]) -> dict[Key, Mark]:
    """The marks of these outboxes; one that is not known yet holds nothing."""
    marks = {key: Mark() for key in keys}
    if not keys:
        return marks
    outbox, ahead = tables.outbox, tables.outbox_ahead
    known = select(outbox.c.store, outbox.c.outbox, outbox.c.through)
    for store, name, through in connection.execute(known.where(tuple_(outbox.c.store, outbox.c.outbox).in_(keys))):
        marks[store, name].through = through
    ranges = select(ahead.c.store, ahead.c.outbox, ahead.c.first, ahead.c.last)
    ranges = ranges.where(tuple_(ahead.c.store, ahead.c.outbox).in_(keys)).order_by(ahead.c.first)
    for store, name, first, last in connection.execute(ranges):
        marks[store, name].ahead.append((first, last))
    return marks


def save(connection: Connection, before: Mapping[Key, Sequence[Range]], marks: Mapping[Key, Mark], now: int) -> None:
    """Write the marks; ``before`` holds their ranges as they were loaded."""
    rows = [
        {"store": key[0], "outbox": key[1], "through": mark.through, "first_seen": now, "last_seen": now}
        for key, mark in sorted(marks.items())
    ]
    if not rows:
        return
    statement = insert(connection, tables.outbox)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["store", "outbox"], set_={"through": new.through, "last_seen": new.last_seen}
        ),
        rows,
    )
    table = tables.outbox_ahead
    gone = [(*key, *pair) for key, mark in marks.items() for pair in set(before[key]) - set(mark.ahead)]
    come = [(*key, *pair) for key, mark in marks.items() for pair in set(mark.ahead) - set(before[key])]
    if gone:
        firsts = [(store, name, first) for store, name, first, _ in gone]
        connection.execute(delete(table).where(tuple_(table.c.store, table.c.outbox, table.c.first).in_(firsts)))
    if come:
        names = ("store", "outbox", "first", "last")
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in sorted(come)])


def record_gaps(connection: Connection, gaps: Mapping[Key, Sequence[Range]], now: int) -> None:
    """Keep what will never come, so that it can be shown as a gap."""
    rows = [
        {"store": key[0], "outbox": key[1], "first": first, "last": last, "found": now}
        for key, ranges in sorted(gaps.items())
        for first, last in ranges
    ]
    if rows:
        connection.execute(insert(connection, tables.outbox_gap).on_conflict_do_nothing(), rows)
