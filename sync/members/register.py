"""The members of one box: consents, sealed templates, tombstones, and every look at a person. One SQLite file.

What may be compared with a face is decided here and nowhere else: ``templates`` gives only those whose member agreed,
has not taken it back, was not erased, and whose template is of the model in use and not past its day.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from sync.events import ConsentGiven, Event, utc, uuid7
from sync.members import ledger
from sync.members.cards import CustomerCard
from sync.members.consent import Consent, Purpose
from sync.members.errors import MemberError
from sync.members.file import MemberFile
from sync.members.vault import Bound, Vault

Vectors = npt.NDArray[np.float32]
"""``(n, size)``: the unit embeddings of one member, n at least 1."""

DAY_S = 86400.0
AFTER_VISIT_S = 365 * DAY_S
LONGEST_S = 3 * 365 * DAY_S
"""PRIVACY rule 6: twelve months after the last visit, thirty-six at most."""
CARD_DAYS = 30.0
FILING_WARNING = 80_000
"""PRIVACY rule 13: in China a filing duty starts at 100,000 enrolled faces."""
_BACK_S = 300.0
"""A clock may be set back by so much: more would bring expired consents back to life."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS template (
  member TEXT NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL, made REAL NOT NULL, seen REAL NOT NULL,
  sealed BLOB NOT NULL, PRIMARY KEY (member, model));
CREATE TABLE IF NOT EXISTS card (
  member TEXT PRIMARY KEY, key TEXT NOT NULL, expires REAL NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tombstone (member TEXT PRIMARY KEY, time REAL NOT NULL, command TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outgoing (
  id TEXT PRIMARY KEY, member TEXT NOT NULL, parcel TEXT NOT NULL, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS rfid_card (epc TEXT PRIMARY KEY, member TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS carried (
  id TEXT PRIMARY KEY, member TEXT NOT NULL, number INTEGER NOT NULL, receipt TEXT NOT NULL, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS state (
  one INTEGER PRIMARY KEY CHECK (one = 1), store TEXT NOT NULL, revision INTEGER NOT NULL, latest REAL NOT NULL,
  lease REAL NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0);
"""


@dataclass(frozen=True, slots=True)
class Template:
    """One member's face, opened: ``vectors`` lives in RAM only."""

    member: str
    model: str
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Gallery:
    """What may be compared now. ``left_out`` says why others are not: member to code of ``MemberError``."""

    templates: Sequence[Template]
    left_out: Mapping[str, str]
    revision: int


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did on this box; the receipt is signed over it."""

    member: str
    time: float
    templates: int
    command: str


class Register(MemberFile):
    """A context manager; any number of threads and processes. ``store`` is this box's.

    ``leased``: the gallery opens only while the centre's lease lasts; a box that was stolen or cut off closes it.
    Entering raises ``MemberError`` when the file cannot be used or belongs to another store.
    """

    SCRIPT = _SCHEMA + ledger.SCHEMA

    def __init__(self, folder: Path, store: str, *, leased: bool = False) -> None:
        super().__init__(folder / "members.db", "members'")
        self.store = store
        self._leased = leased
        self._vault = Vault(folder / "gallery-keys.db")

    def __enter__(self) -> Self:
        self._vault.__enter__()
        try:
            super().__enter__()
            with self._changing() as db:
                db.execute("INSERT OR IGNORE INTO state VALUES (1, ?, 0, 0, 0, 0)", (self.store,))
                (owner,) = db.execute("SELECT store FROM state").fetchone()
            if owner != self.store:
                raise MemberError(
                    "file", f"{self.path} belongs to store {owner}", "name the folder of this store's box"
                )
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Close both files."""
        super().close()
        self._vault.__exit__(None, None, None)

    # Consent ----------------------------------------------------------------------------------------------------------

    def record(self, consents: Sequence[Consent]) -> None:
        """Write consents or withdrawals, all or none. A withdrawn recognition deletes the template at once.

        Raises ``MemberError``: ``minor`` where recognition is agreed to without the word of an adult, ``clock``.
        """
        for consent in consents:
            if consent.act == "given" and consent.purpose == "recognition" and not consent.adult:
                raise MemberError(
                    "minor",
                    "recognition is for adults only",
                    "use the member's code or card: the benefits are the same",
                )
        with self._changing() as db:
            for consent in consents:
                self._tick(db, consent.time)
                ledger.append(db, "consent", consent.time, consent.member, consent.model_dump(mode="json"))
                if consent.act == "given":
                    # Who was erased and comes back of their own will begins anew.
                    db.execute("DELETE FROM tombstone WHERE member = ?", (consent.member,))
                elif consent.purpose == "recognition":
                    self._drop(db, consent.member)
                elif consent.purpose == "profile":
                    self._drop_card(db, consent.member)
            self._revise(db)

    def consents(self, member: str) -> list[Consent]:
        """The member's entries, oldest first."""
        with self._reading() as db:
            return [Consent.model_validate(_intact(entry).body) for entry in ledger.entries(db, "consent", member)]

    def untold(self, limit: int = 200) -> list[tuple[int, Event]]:
        """Consents whose event is not in the outbox yet: put them there, then call ``told`` with the last number.

        The event of an entry is always the same one, so that putting it twice does no harm.
        """
        with self._reading() as db:
            (told,) = db.execute("SELECT told FROM state").fetchone()
            found = [entry for entry in ledger.entries(db, "consent", after=told, limit=limit)]
        # An altered one says nothing any more and must not keep back the others; ``verify`` names it.
        return [(entry.seq, self._event(entry)) for entry in found if entry.intact]

    def told(self, seq: int) -> None:
        """The outbox holds the consents up to this number."""
        with self._changing() as db:
            db.execute("UPDATE state SET told = MAX(told, ?)", (seq,))

    def _event(self, entry: ledger.Entry) -> Event:
        data = {name: value for name, value in entry.body.items() if name in ConsentGiven.model_fields}
        digest = blake2b(f"{self.store}/{entry.seq}/{entry.time!r}".encode(), digest_size=10).digest()
        return Event(
            id=uuid7(entry.time, digest), sensor="members", time=utc(entry.time), data=ConsentGiven.model_validate(data)
        )

    def allows(self, member: str, purpose: Purpose, now: float) -> bool:
        """Whether the member's last word on this purpose, up to ``now``, is yes for this store."""
        with self._reading() as db:
            return self._allowed(db, purpose, now, member).get(member) is not None

    # Templates --------------------------------------------------------------------------------------------------------

    def enrol(self, member: str, model: str, vectors: Vectors, now: float, by: str) -> None:
        """Seal and keep a member's embeddings, in place of earlier ones of the same model.

        Raises ``MemberError``: ``no_consent`` without an agreement to recognition in force, ``clock``.
        """
        if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
            raise ValueError(f"embeddings of shape {vectors.shape} are none")
        with self._changing() as db:
            self._tick(db, now)
            if member not in self._allowed(db, "recognition", now, member):
                raise MemberError(
                    "no_consent",
                    f"{member} has not agreed to recognition in store {self.store}",
                    "show the text and record the answer first: yingke consent give",
                )
            replaced = db.execute("SELECT key FROM template WHERE member = ? AND model = ?", (member, model)).fetchall()
            bound = Bound(self.store, member, model, self._vault.new_key(now))
            row = (member, model, bound.key, now, now, self._vault.seal(_packed(vectors), bound))
            db.execute("INSERT OR REPLACE INTO template VALUES (?, ?, ?, ?, ?, ?)", row)
            ledger.append(db, "access", now, member, {"who": by, "what": "enrolled", "model": model})
            self._revise(db)
        # Only now: had the disk been full, the former template would still be there.
        self._vault.forget([key for (key,) in replaced])

    def gallery(self, model: str, now: float) -> Gallery:
        """All that may be compared with a face now, opened.

        Raises ``MemberError``: ``clock`` for a clock that was set back, ``lease`` when the centre's has run out.
        """
        templates: list[Template] = []
        left_out: dict[str, str] = {}
        with self._changing() as db:
            self._tick(db, now)
            (lease,) = db.execute("SELECT lease FROM state").fetchone()
            if self._leased and now > lease:
                raise MemberError(
                    "lease",
                    "the centre's lease of this box's gallery has run out",
                    "connect the box to the centre; nobody is recognised until then",
                )
            allowed = self._allowed(db, "recognition", now)
            rows = db.execute("SELECT member, model, key, made, seen, sealed FROM template ORDER BY member").fetchall()
            for member, of, key, made, seen, sealed in rows:
                if member not in allowed:
                    left_out[member] = "no_consent"
                elif not isinstance(made, float) or not isinstance(seen, float):
                    left_out[member] = "altered"
                elif now > expiry(made, seen):
                    left_out[member] = "expired"
                elif of != model:
                    left_out.setdefault(member, "other_model")
                else:
                    try:
                        plain = self._vault.open(sealed, Bound(self.store, member, of, key))
                        templates.append(Template(member, of, _unpacked(plain)))
                        left_out.pop(member, None)
                    except MemberError as error:
                        left_out[member] = error.code
            revision = self._revision(db)
        return Gallery(templates, left_out, revision)

    @property
    def revision(self) -> int:
        """Grows with every change that ``gallery`` would show; cheap to ask."""
        with self._reading() as db:
            return self._revision(db)

    def seen(self, member: str, now: float) -> None:
        """The member visited: their template's twelve months begin anew."""
        with self._changing() as db:
            db.execute("UPDATE template SET seen = MAX(seen, ?) WHERE member = ?", (now, member))

    def expire(self, now: float) -> list[str]:
        """Delete what is past its day; returns the members whose template went."""
        with self._changing() as db:
            self._tick(db, now)
            rows = db.execute("SELECT member, made, seen FROM template").fetchall()
            gone = sorted({member for member, made, seen in rows if now > expiry(made, seen)})
            for member in gone:
                self._drop(db, member)
                ledger.append(db, "access", now, member, {"who": "box", "what": "expired"})
            for (member,) in db.execute("SELECT member FROM card WHERE expires <= ?", (now,)).fetchall():
                self._drop_card(db, member)
            ledger.expire(db, now)
            if gone:
                self._revise(db)
        return gone

    def erase(self, member: str, now: float, by: str, command: str) -> Erased:
        """Delete templates and their keys, withdraw every consent, and leave a tombstone. Harmless when repeated."""
        with self._changing() as db:
            count = self._drop(db, member)
            self._drop_card(db, member)
            for table in ("rfid_card", "outgoing"):
                db.execute(f"DELETE FROM {table} WHERE member = ?", (member,))  # noqa: S608  # two names of our own
            given = self._allowed(db, None, now, member).get(member, {})
            for last in given.values():
                taken = last.model_copy(
                    update={"act": "withdrawn", "time": max(now, last.time), "taken_by": by, "how": "command"}
                )
                ledger.append(db, "consent", taken.time, member, taken.model_dump(mode="json"))
            db.execute("INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)", (member, now, command))
            ledger.append(db, "access", now, member, {"who": by, "what": "erased", "templates": count})
            self._revise(db)
        # The log, too, held the sealed template: moved into the file, where deleted bytes are overwritten.
        with self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Erased(member, now, count, command)

    def tombstone(self, member: str) -> float | None:
        """When the member was erased; None when they were not. Nothing of theirs is taken in from elsewhere."""
        with self._reading() as db:
            row = db.execute("SELECT time FROM tombstone WHERE member = ?", (member,)).fetchone()
        return None if row is None else float(row[0])

    def enrolled(self) -> int:
        """How many members have a template here."""
        with self._reading() as db:
            return int(db.execute("SELECT COUNT(DISTINCT member) FROM template").fetchone()[0])

    # Arrival without a face -------------------------------------------------------------------------------------------

    def bind_card(self, epc: str, member: str, now: float, by: str) -> None:
        """The member carries this RFID card (EPC in hex); a card belongs to one member. Raises ``MemberError``."""
        with self._changing() as db:
            if db.execute("SELECT 1 FROM tombstone WHERE member = ?", (member,)).fetchone():
                raise MemberError("erased", f"{member} was erased here", "record a new consent first")
            db.execute("INSERT OR REPLACE INTO rfid_card VALUES (?, ?)", (epc.upper(), member))
            ledger.append(db, "access", now, member, {"who": by, "what": "card_bound"})

    def member_of_card(self, epc: str) -> str | None:
        """Whose card it is; None for any other tag."""
        with self._reading() as db:
            row = db.execute("SELECT member FROM rfid_card WHERE epc = ?", (epc.upper(),)).fetchone()
        return None if row is None else str(row[0])

    # To and from other stores -----------------------------------------------------------------------------------------

    def send(self, name: str, member: str, parcel: str, now: float) -> None:
        """Keep a sealed parcel until the centre has taken it."""
        with self._changing() as db:
            db.execute("INSERT OR REPLACE INTO outgoing VALUES (?, ?, ?, ?)", (name, member, parcel, now))

    def outgoing(self) -> list[str]:
        """The parcels that the centre has not taken yet, oldest first."""
        with self._reading() as db:
            return [parcel for (parcel,) in db.execute("SELECT parcel FROM outgoing ORDER BY time")]

    def taken(self, name: str) -> None:
        """The centre has this parcel."""
        with self._changing() as db:
            db.execute("DELETE FROM outgoing WHERE id = ?", (name,))

    def admit(self, member: str, model: str, vectors: Vectors, consents: Sequence[Consent], now: float) -> None:
        """Take in a template that the member agreed to in another store.

        Raises ``MemberError``: ``erased`` when they were erased here after they agreed, ``no_consent`` when none of the
        consents is an agreement to recognition in this store.
        """
        with self._reading() as db:
            erased, known = self.tombstone(member), self.consents(member)
            if erased is not None and erased >= max((consent.time for consent in consents), default=0.0):
                raise MemberError(
                    "erased", f"{member} was erased here", "nothing of theirs comes back without a new consent"
                )
            last_word = max((each.time for each in known if each.purpose == "recognition"), default=0.0)
            new = [
                consent
                for consent in consents
                if consent.member == member and consent not in known and consent.time >= last_word
            ]
            del db
        self.record(new)
        self.enrol(member, model, vectors, now, "other-store")

    # Orders -----------------------------------------------------------------------------------------------------------

    def lease(self, until: float) -> None:
        """The centre lets the gallery be used until then."""
        with self._changing() as db:
            db.execute("UPDATE state SET lease = MAX(lease, ?)", (until,))
            self._revise(db)

    def receipt(self, order: str) -> str | None:
        """The receipt of an order that was carried out; None when it was not."""
        with self._reading() as db:
            row = db.execute("SELECT receipt FROM carried WHERE id = ?", (order,)).fetchone()
        return None if row is None else str(row[0])

    def number(self, member: str) -> int:
        """The highest number of the orders that were carried out for this member, 0 before the first."""
        with self._reading() as db:
            (number,) = db.execute("SELECT MAX(number) FROM carried WHERE member = ?", (member,)).fetchone()
        return int(number or 0)

    def carried(self, order: str, member: str, number: int, receipt: str, now: float) -> None:
        """Remember an order and its receipt: it may come again."""
        with self._changing() as db:
            row = (order, member, number, receipt, now)
            db.execute("INSERT OR REPLACE INTO carried VALUES (?, ?, ?, ?, ?)", row)
            db.execute("DELETE FROM carried WHERE time < ?", (now - ledger.RETENTION_S,))

    # Cards ------------------------------------------------------------------------------------------------------------

    def keep_card(self, card: CustomerCard, now: float, days: float = CARD_DAYS) -> None:
        """Keep what a clerk may see of a member, for some days.

        Raises ``MemberError``: ``erased`` for somebody who was, ``no_consent`` who has not agreed to ``profile``.
        """
        with self._changing() as db:
            self._tick(db, now)
            if db.execute("SELECT 1 FROM tombstone WHERE member = ?", (card.member,)).fetchone():
                raise MemberError("erased", f"{card.member} was erased here", "nothing of theirs is taken in again")
            if card.member not in self._allowed(db, "profile", now, card.member):
                raise MemberError(
                    "no_consent", f"{card.member} has not agreed to a profile", "record it first: yingke consent give"
                )
            replaced = db.execute("SELECT key FROM card WHERE member = ?", (card.member,)).fetchall()
            bound = Bound(self.store, card.member, "card", self._vault.new_key(now))
            sealed = self._vault.seal(card.model_dump_json().encode(), bound)
            row = (card.member, bound.key, now + days * DAY_S, sealed)
            db.execute("INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?)", row)
        self._vault.forget([key for (key,) in replaced])

    def card(self, member: str, now: float) -> CustomerCard | None:
        """What is known of a member; None when nothing is, or no more. Note who looked with ``look``."""
        with self._reading() as db:
            row = db.execute("SELECT key, expires, sealed FROM card WHERE member = ?", (member,)).fetchone()
            if (
                row is None
                or not isinstance(row[1], float)
                or row[1] <= now
                or member not in self._allowed(db, "profile", now, member)
            ):
                return None
        return CustomerCard.model_validate_json(self._vault.open(row[2], Bound(self.store, member, "card", row[0])))

    # Who looked -------------------------------------------------------------------------------------------------------

    def look(self, member: str, who: str, what: Literal["viewed", "matched", "exported"], now: float) -> None:
        """Note that somebody, or the box, looked at a member."""
        with self._changing() as db:
            ledger.append(db, "access", now, member, {"who": who, "what": what})

    def looks(self, member: str) -> list[ledger.Entry]:
        """Every look at a member, oldest first: the member may have this list."""
        with self._reading() as db:
            return [_intact(entry) for entry in ledger.entries(db, "access", member)]

    def verify(self) -> int | None:
        """The number of the first altered entry of the ledger, None when none is."""
        with self._reading() as db:
            return ledger.verify(db)

    # Inside -----------------------------------------------------------------------------------------------------------

    def _allowed(
        self, db: sqlite3.Connection, purpose: Purpose | None, now: float, member: str | None = None
    ) -> dict[str, dict[str, Consent]]:
        """By member and purpose: the agreements in force at ``now`` for this store."""
        last: dict[tuple[str, str], Consent] = {}
        for entry in ledger.entries(db, "consent", member):
            if not entry.intact:
                # It may have been a withdrawal: what was agreed to before counts no more, a new consent does.
                void = {entry.member, entry.body.get("member")}
                last = {key: consent for key, consent in last.items() if key[0] not in void}
                continue
            consent = Consent.model_validate(entry.body)
            if consent.time <= now and purpose in (None, consent.purpose):
                last[consent.member, consent.purpose] = consent
        result: dict[str, dict[str, Consent]] = {}
        for (whose, what), consent in last.items():
            here = not consent.stores or self.store in consent.stores
            if consent.act == "given" and here:
                result.setdefault(whose, {})[what] = consent
        return result

    def _drop(self, db: sqlite3.Connection, member: str) -> int:
        """Delete a member's templates; the keys first: a template without its key is nothing."""
        keys = [key for (key,) in db.execute("SELECT key FROM template WHERE member = ?", (member,))]
        self._vault.forget(keys)
        db.execute("DELETE FROM template WHERE member = ?", (member,))
        return len(keys)

    def _drop_card(self, db: sqlite3.Connection, member: str) -> None:
        self._vault.forget([key for (key,) in db.execute("SELECT key FROM card WHERE member = ?", (member,))])
        db.execute("DELETE FROM card WHERE member = ?", (member,))

    def _tick(self, db: sqlite3.Connection, now: float) -> None:
        """A clock in the past would bring back what has expired: refused."""
        (latest,) = db.execute("SELECT latest FROM state").fetchone()
        if not isinstance(latest, int | float):
            raise MemberError("file", f"the members' file {self.path} is damaged", "restore the file")
        if now < latest - _BACK_S:
            raise MemberError(
                "clock",
                f"the box's clock is {latest - now:.0f} s behind what it was before",
                "set the clock (NTP); until then nobody is enrolled or recognised",
            )
        db.execute("UPDATE state SET latest = MAX(latest, ?)", (now,))

    def _revise(self, db: sqlite3.Connection) -> None:
        db.execute("UPDATE state SET revision = revision + 1")

    def _revision(self, db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT revision FROM state").fetchone()[0])


def _intact(entry: ledger.Entry) -> ledger.Entry:
    if not entry.intact:
        raise MemberError(
            "altered", f"entry {entry.seq} about {entry.member} was altered", "see what else was: yingke members verify"
        )
    return entry


def expiry(made: float, seen: float) -> float:
    """Until when a template may be used: 12 months after the last visit, 36 after it was made."""
    return min(max(made, seen) + AFTER_VISIT_S, made + LONGEST_S)


def _packed(vectors: Vectors) -> bytes:
    return len(vectors).to_bytes(2, "big") + np.ascontiguousarray(vectors, "<f4").tobytes()


def _unpacked(plain: bytes) -> Vectors:
    return np.frombuffer(plain, "<f4", offset=2).reshape(int.from_bytes(plain[:2], "big"), -1).astype(np.float32)
