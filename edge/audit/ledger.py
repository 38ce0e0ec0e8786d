"""The ledger of audits on the box: one signed line each, only ever appended, synced before anything is said."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sync.audits import BEGIN, Entry, seal
from sync.errors import SyncError
from sync.events import Event
from sync.outbox import Outbox
from sync.signing import SigningKey, fingerprint

KEY = "audit.key"
LEDGER = "audits.jsonl"
SENT = "audits.sent"


class LedgerError(SyncError):
    """The ledger cannot be read or written, or is not what was written."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``Ledger.check`` found: the good entries, and one sentence per problem."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


class Ledger:
    """``audits.jsonl`` in the box's data folder, with its key and the number of entries that the outbox has.

    Any number of processes may append; each entry gets its number under a lock. Every method raises ``LedgerError``
    (or ``KeyFileError``) when a file cannot be used.
    """

    def __init__(self, data: Path, store: str) -> None:
        self.path = data / LEDGER
        self._data = data
        self._store = store

    def append(self, event: Event) -> Entry:
        """Sign ``event`` (``sync.audits.unsealed``) and keep it; when this returns it survives a power cut."""
        key = SigningKey.open_or_make(self._data / KEY)
        with self._locked() as file:
            checked = self._read()
            if checked.problems:
                raise LedgerError(checked.problems[0], "look at all of it with: yingke audit verify; then move it away")
            last = checked.entries[-1] if checked.entries else None
            number, previous = (last.data.number + 1, last.digest) if last else (1, BEGIN)
            entry = seal(self._store, event, number, previous, key)
            begun = os.fstat(file).st_size
            try:
                os.write(file, entry.line + b"\n")
                os.fsync(file)
            except OSError:
                # A full disk may have taken a part of the line: it must not stand before the next one.
                os.ftruncate(file, begun)
                raise
            _sync_folder(self._data)
        return entry

    def check(self) -> Checked:
        """Read everything and check signatures, chain, store and key."""
        with _translated(self.path):
            checked = self._read()
        problems = list(checked.problems)
        try:
            own = SigningKey.open(self._data / KEY).public if self.path.exists() else None
        except SyncError as error:
            problems.append(f"{error}; {error.fix}")
            own = None
        problems += [
            f"entry {entry.data.number} is signed by another key ({fingerprint(entry.data.key)})"
            for entry in checked.entries
            if own is not None and entry.data.key != own
        ]
        if not checked.problems and self._sent(checked.entries) is None:
            problems.append("entries that were sent are not here any more: the end was cut off, or all of it replaced")
        return Checked(checked.entries, tuple(problems))

    def unsent(self) -> list[Entry]:
        """The entries that the outbox does not have yet, as far as is known."""
        with _translated(self.path):
            entries = self._read().entries
            return list(entries[self._sent(entries) or 0 :])

    def hand_over(self, outbox: Outbox, *, everything: bool = False) -> int:
        """Put the entries that wait (or all) into the outbox, and remember it; returns how many.

        Killed in between, they are put again: an entry's event id stays, and the centre counts an id once. The box may
        run meanwhile: the outbox numbers events under the lock of its file.
        """
        if not self.path.exists():
            return 0
        with self._locked():
            waiting = list(self._read().entries) if everything else self.unsent()
            if waiting:
                outbox.put([entry.event() for entry in waiting])
                new = self._data / f"{SENT}.new"
                new.write_text(f"{waiting[-1].data.number} {waiting[-1].digest}\n", encoding="ascii")
                new.replace(self._data / SENT)
        return len(waiting)

    def _sent(self, entries: Sequence[Entry]) -> int | None:
        """How many of ``entries`` the outbox has; None when the last one that was sent is not among them."""
        try:
            number, digest = (self._data / SENT).read_text(encoding="ascii").split()
            last = int(number)
        except FileNotFoundError:
            return 0
        except ValueError:
            return None
        return last if 0 < last <= len(entries) and entries[last - 1].digest == digest else None

    def _read(self) -> Checked:
        """Up to the first line that is not what was written: what follows it proves nothing."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return Checked((), ())
        entries: list[Entry] = []
        previous = BEGIN
        for number, line in enumerate(raw.splitlines(keepends=True), 1):
            try:
                entry = Entry.model_validate_json(line)
            except ValidationError:
                cut = " (it was cut off while it was written)" if not line.endswith(b"\n") else ""
                return Checked(tuple(entries), (f"{self.path}:{number}: not an entry{cut}",))
            problem = self._problem(entry, line, number, previous)
            if problem is not None:
                return Checked(tuple(entries), (f"{self.path}:{number}: {problem}",))
            entries.append(entry)
            previous = entry.digest
        return Checked(tuple(entries), ())

    def _problem(self, entry: Entry, line: bytes, number: int, previous: str) -> str | None:
        if entry.store != self._store:
            return f"the entry is of store {entry.store}, not {self._store}"
        if not entry.genuine or line != entry.line + b"\n":
            return "the entry was changed after it was signed"
        if entry.data.number != number:
            return f"entry {number} is missing: this is number {entry.data.number}"
        if entry.data.previous != previous:
            return "the entry does not follow the one before: that was replaced"
        return None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        with _translated(self.path):
            self._data.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._set_torn_aside(file)
                yield file
            finally:
                os.close(file)

    def _set_torn_aside(self, file: int) -> None:
        """A last line without an end was never confirmed to anybody (a power cut): it is moved beside the ledger."""
        raw = self.path.read_bytes()
        kept = raw.rfind(b"\n") + 1
        if kept < len(raw):
            self.path.with_name(f"{LEDGER}.torn").write_bytes(raw[kept:])
            os.ftruncate(file, kept)
            os.fsync(file)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the ledger of audits {path} cannot be used: {error.strerror or type(error).__name__}"
        raise LedgerError(message, "check the disk, edge.data and its permissions") from error


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
