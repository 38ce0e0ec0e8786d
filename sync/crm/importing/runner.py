"""An import from its file to the database: in batches, each with how far the file is done, in one transaction.

Interrupted anywhere, the same command goes on after the last batch; run again, it changes nothing.
"""

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from sync.crm import customers, products, purchases, tables
from sync.crm.errors import CrmError
from sync.crm.ids import millis, new_id
from sync.crm.importing import mapping, parsing, receipts
from sync.crm.importing.mapping import Kind
from sync.crm.importing.parsing import Fields, Settings
from sync.crm.importing.reading import Format, Look, Row, Table, look, open_table
from sync.crm.importing.receipts import Read
from sync.crm.taking import Outcome, Wrong
from sync.store.database import insert, reading, translated, writing

BATCH = 2000
"""Rows of one transaction: a third of a second, so that the ingest waits no longer for SQLite's lock."""
SHOWN = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to take in, and how to read it. ``columns``: said fields; ``errors``: where the wrong rows go."""

    kind: Kind
    path: Path
    settings: Settings
    columns: Mapping[str, str] = field(default_factory=dict)
    format: Format | None = None
    sheet: str | None = None
    encoding: str | None = None
    errors: Path | None = None
    preview: bool = False

    @property
    def errors_path(self) -> Path:
        """Beside the file, unless it was said."""
        return self.errors or self.path.with_name(f"{self.path.name}.errors.csv")


@dataclass(frozen=True, slots=True)
class Report:
    """How far it is. ``row`` is the last row that is done with; ``share`` of the file, None where that is not known.

    ``new``, ``changed`` and ``same`` count customers, variants or receipts; ``wrong`` counts rows. ``first`` shows the
    first rows as they are understood, and ``mapping`` which column is which field.
    """

    row: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    wrong: int = 0
    share: float | None = None
    resumed: int = 0
    errors: Path | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    """What was read of one or more rows, or why not (then ``content`` is None)."""

    rows: tuple[Row, ...]
    content: T | None
    faults: tuple[str, ...] = ()


class _Putter(Protocol):
    def __call__(self, connection: Connection, given: Sequence[Any]) -> list[Outcome]: ...


def run(engine: Engine, plan: Plan, now: Callable[[], float]) -> Iterator[Report]:
    """Take a file in; a report after each batch, the last one when it is done. Raises ``CrmError``, ``StoreError``."""
    seen = look(plan.path, plan.format, plan.encoding)
    with open_table(plan.path, seen, plan.sheet) as table:
        with reading(engine) as connection:
            known = mapping.remembered(connection, plan.kind, table.header)
        columns = mapping.chosen(plan.kind, table.header, plan.columns, known)
        report = Report(mapping={name: table.header[index] for name, index in columns.items()})
        if plan.preview:
            yield from _preview(engine, plan, table, columns, report, now)
            return
        with contextlib.ExitStack() as opened, translated():
            book = _Book(engine, plan, seen, table.header, columns, now())
            errors = opened.enter_context(_Errors(plan.errors_path, table.header, book.errors))
            if errors.fresh and book.done.row:
                book.start_again()
            report = replace(
                report,
                **{name: getattr(book.done, name) for name in ("row", "new", "changed", "same", "wrong")},
                resumed=book.done.row,
            )
            items = _items(plan, table, columns, after=book.done.row)
            while batch := list(islice(items, BATCH)):
                report = _batch(engine, plan, batch, report, book, errors, now())
                report = replace(report, share=_share(table))
                yield report
            book.finish(columns, table.header, now())
        yield replace(report, share=1.0, errors=plan.errors_path if report.wrong else None)


def _batch(
    engine: Engine,
    plan: Plan,
    batch: Sequence[_Item[Any]],
    before: Report,
    book: "_Book",
    errors: "_Errors",
    now: float,
) -> Report:
    """One transaction; in halves where the database refuses it, so that one row keeps no other out."""
    try:
        with writing(engine) as connection:
            report, wrong = _put(connection, plan, batch, before, book.run, now)
            length = errors.append(wrong)
            book.reached(connection, report, length)
    except (OverflowError, StatementError) as error:
        # A failing database is not the rows' fault: only their values can be refused.
        if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
            raise
        errors.back_to(book.errors)
        if len(batch) == 1:
            reason = "the database refuses a value of this row"
            spoilt: list[_Item[Any]] = [_Item(batch[0].rows, None, tuple(reason for _ in batch[0].rows))]
            with writing(engine) as connection:
                report, wrong = _put(connection, plan, spoilt, before, book.run, now)
                length = errors.append(wrong)
                book.reached(connection, report, length)
        else:
            half = len(batch) // 2
            report = _batch(engine, plan, batch[:half], before, book, errors, now)
            return _batch(engine, plan, batch[half:], report, book, errors, now)
    book.errors = length
    return report


def _put(
    connection: Connection, plan: Plan, batch: Sequence[_Item[Any]], before: Report, run: UUID | None, now: float
) -> tuple[Report, list[tuple[Row, str]]]:
    good = [item for item in batch if item.content is not None]
    outcomes = _putter(plan, run, now)(connection, [item.content for item in good]) if good else []
    wrong = [pair for item in batch if item.content is None for pair in zip(item.rows, item.faults, strict=True)]
    counts = {"new": 0, "changed": 0, "same": 0}
    for item, outcome in zip(good, outcomes, strict=True):
        if isinstance(outcome, Wrong):
            wrong += [(row, outcome.reason) for row in item.rows]
        else:
            counts[outcome] += 1
    wrong.sort(key=lambda pair: pair[0].number)
    report = replace(
        before,
        row=batch[-1].rows[-1].number,
        wrong=before.wrong + len(wrong),
        **{name: getattr(before, name) + count for name, count in counts.items()},
    )
    return report, wrong


def _putter(plan: Plan, run: UUID | None, now: float) -> _Putter:
    if plan.kind == "customers":
        return lambda connection, given: customers.put(connection, given, now, "import", run)
    if plan.kind == "products":
        return lambda connection, given: products.put(connection, given, now, run)
    return lambda connection, given: purchases.put(connection, given, now)


def _items(plan: Plan, table: Table, columns: Mapping[str, int], after: int) -> Iterator[_Item[Any]]:
    rows = (row for row in table.rows if row.number > after)
    if plan.kind == "purchases":
        reads = (_read_line(row, columns, plan.settings) for row in rows)
        yield from (_receipt(group, plan.settings) for group in receipts.gathered(reads))
        return
    parse: Callable[[Fields, Settings], Any] = parsing.customer if plan.kind == "customers" else parsing.product
    for row in rows:
        if row.fault is not None:
            yield _Item((row,), None, (row.fault,))
            continue
        try:
            yield _Item((row,), parse(Fields(columns, row.cells), plan.settings))
        except ValueError as error:
            yield _Item((row,), None, (str(error),))


def _read_line(row: Row, columns: Mapping[str, int], settings: Settings) -> Read:
    if row.fault is not None:
        return Read(row, None, row.fault, None)
    fields = Fields(columns, row.cells)
    try:
        line = parsing.receipt_row(fields, settings)
    except ValueError as error:
        with contextlib.suppress(ValueError):
            return Read(row, None, str(error), fields.text("receipt", 64))
        return Read(row, None, str(error), None)
    return Read(row, line, None, line.receipt)


def _receipt(group: Sequence[Read], settings: Settings) -> _Item[Any]:
    rows = tuple(each.row for each in group)
    if any(each.fault is not None for each in group):
        faults = tuple(each.fault or "another row of this receipt is wrong" for each in group)
        return _Item(rows, None, faults)
    try:
        return _Item(rows, receipts.purchase(group, settings))
    except ValueError as error:
        return _Item(rows, None, tuple(str(error) for _ in rows))


def _preview(
    engine: Engine, plan: Plan, table: Table, columns: Mapping[str, int], report: Report, now: Callable[[], float]
) -> Iterator[Report]:
    """The same, each batch rolled back: what one batch would say of an earlier one is not seen."""
    items = _items(plan, table, columns, after=0)
    while batch := list(islice(items, BATCH)):
        if not report.first:
            shown = [str(item.content) for item in batch if item.content is not None][:SHOWN]
            report = replace(report, first=tuple(shown))
        with translated(), engine.connect().execution_options(writes=True) as connection:
            transaction = connection.begin()
            try:
                report, _ = _put(connection, plan, batch, report, new_id(now()), now())
            finally:
                transaction.rollback()
        report = replace(report, share=_share(table))
        yield report
    yield replace(report, share=1.0)


def _share(table: Table) -> float | None:
    return min(1.0, table.read / table.size) if table.size else None


class _Book:
    """The row of ``import_run``: how far this file is, with these settings."""

    def __init__(
        self, engine: Engine, plan: Plan, seen: Look, header: Sequence[str], columns: Mapping[str, int], now: float
    ) -> None:
        self._engine = engine
        table = tables.import_run
        said = repr((plan.settings, sorted(columns.items()), tuple(header), plan.sheet, seen.encoding))
        settings = sha256(said.encode("utf-8", "replace")).hexdigest()
        where = (
            table.c.kind == plan.kind,
            table.c.source == plan.settings.source,
            table.c.digest == seen.digest,
            table.c.settings == settings,
            table.c.finished.is_(None),
        )
        with writing(engine) as connection:
            row = connection.execute(select(table).where(*where).order_by(table.c.started.desc())).first()
            if row is not None:
                self.run: UUID = row.id
                self.done = Report(row.row, row.new, row.changed, row.same, row.wrong)
                self.errors = int(row.errors)
                return
            self.run, self.done, self.errors = new_id(now), Report(), 0
            values = {
                "id": self.run,
                "kind": plan.kind,
                "source": plan.settings.source,
                "digest": seen.digest,
                "settings": settings,
                "name": plan.path.name[:200].encode("utf-8", "replace").decode(),
                "started": millis(now),
                "finished": None,
                **dict.fromkeys(("row", "new", "changed", "same", "wrong", "errors"), 0),
            }
            connection.execute(insert(connection, table), [values])

    def start_again(self) -> None:
        """The file of wrong rows is gone: what is in already is no change, and its wrong rows are named again."""
        self.done, self.errors = Report(), 0

    def reached(self, connection: Connection, report: Report, errors: int) -> None:
        """Within the batch's transaction."""
        table = tables.import_run
        values = {name: getattr(report, name) for name in ("row", "new", "changed", "same", "wrong")}
        connection.execute(update(table).where(table.c.id == self.run).values(values | {"errors": errors}))

    def finish(self, columns: Mapping[str, int], header: Sequence[str], now: float) -> None:
        """All rows are done with: the mapping was right enough to remember."""
        table = tables.import_run
        with writing(self._engine) as connection:
            kind: Kind | None = connection.scalar(select(table.c.kind).where(table.c.id == self.run))
            connection.execute(update(table).where(table.c.id == self.run).values(finished=millis(now)))
            if kind is not None:
                mapping.remember(connection, kind, header, columns, now)


class _Errors:
    """The file of wrong rows: row, reason, and the row's own cells, so that it can be corrected and taken in again.

    It holds what the file held: only this user may read it. Made with the first wrong row.
    """

    def __init__(self, path: Path, header: Sequence[str], length: int) -> None:
        self._path, self._header, self._length = path, header, length
        self.fresh = not path.exists() or path.stat().st_size < length
        self._file: io.BufferedRandom | None = None

    def __enter__(self) -> Self:
        if self.fresh:
            self._length = 0
        if self._length == 0:
            self._path.unlink(missing_ok=True)
        else:
            self.back_to(self._length)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, wrong: Sequence[tuple[Row, str]]) -> int:
        """Write rows durably; returns the length of the file with them."""
        if not wrong:
            return self._length
        text = io.StringIO()
        writer = csv.writer(text)
        if self._length == 0:
            writer.writerow(["row", "reason", *self._header])
        for row, reason in wrong:
            writer.writerow([row.number, reason, *("" if cell is None else cell for cell in row.cells)])
        file = self._open()
        file.seek(self._length)
        file.write(text.getvalue().encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())
        self._length = file.tell()
        return self._length

    def back_to(self, length: int) -> None:
        """Forget what was written after this length: its transaction did not happen."""
        self._length = length
        if self._file is not None or length:
            self._open().truncate(length)

    def _open(self) -> io.BufferedRandom:
        if self._file is None:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise CrmError(
                    "file", f"{self._path} cannot be written: {error.strerror}", "choose another: --errors FILE"
                ) from error
            self._file = os.fdopen(handle, "r+b")
        return self._file
