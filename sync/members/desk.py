"""Arrival cards and what clerks tap on them: one SQLite file on the box, shared by all tablets of a store.

Every tap has an id that the tablet made, so that a tablet which slept or lost its line can send it again: it counts
once. A tap and its event are kept in one transaction; the event goes to the outbox from there, and stays until it did.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

from sync.events import Arrival, Event, Response, utc
from sync.members.file import MemberFile

Action = Literal["claim", "release", "confirm", "wrong_person", "companion", "staff", "escalate", "left"]
Method = Literal["face", "qr", "rfid_card", "wifi_login"]
State = Literal["waiting", "claimed", "closed"]
Reply = Literal["done", "taken", "closed", "unknown"]
ACTIONS: tuple[Action, ...] = get_args(Action)
CLOSING: tuple[Action, ...] = ("wrong_person", "companion", "staff", "left")
ASKED_FIRST_S = 20.0
"""So long a card is for the member's own guide, who is asked first; then it is for whoever is free."""
KEPT_S = 90 * 86400.0
"""PRIVACY rule 13: arrivals are kept for 90 days."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS card (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, time REAL NOT NULL, revision INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS card_revision ON card (revision);
CREATE TABLE IF NOT EXISTS tap (
  id TEXT PRIMARY KEY, card TEXT NOT NULL, time REAL NOT NULL, reply TEXT NOT NULL, event TEXT, sent INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS tap_unsent ON tap (sent) WHERE sent = 0;
CREATE TABLE IF NOT EXISTS state (
  one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, through INTEGER NOT NULL);
INSERT OR IGNORE INTO state VALUES (1, 0, 0);
"""


@dataclass(frozen=True, slots=True)
class Card:
    """One arrival as every tablet of the store sees it. Times are epoch seconds.

    ``members`` are the candidates that are left: two mean "A or B?". ``confirmed`` says that a clerk agreed; until
    then the card says "possibly". ``asked`` is the guide who is asked first, until ``open_at``. ``ended`` names the
    action that closed it, or ``expired``.
    """

    id: str
    members: tuple[str, ...]
    methods: tuple[Method, ...]
    confidence: float
    time: float
    expires: float
    state: State = "waiting"
    confirmed: bool = False
    asked: str | None = None
    open_at: float = 0.0
    guide: str | None = None
    ended: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Tap:
    """What a clerk tapped. ``id`` is the tablet's own, ``time`` when it was tapped."""

    id: UUID
    card: UUID
    action: Action
    guide: str
    time: float
    member: str | None = None
    """Which of two candidates; may be left out where there is one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``done``, or why not: somebody else has it (``taken``), it is over (``closed``), or there is no such card."""

    reply: Reply
    card: Card | None


class Desk(MemberFile):
    """A context manager; any number of threads and processes.

    ``guide_of`` tells whose customer a member is, None when nobody's.
    """

    SCRIPT = _SCHEMA

    def __init__(self, path: Path, guide_of: Callable[[str], str | None] = lambda _: None) -> None:
        super().__init__(path, "arrivals'")
        self._guide_of = guide_of

    def arrived(self, event: UUID, arrival: Arrival, time: float, through: int = 0) -> Card:
        """Open a card for an arrival, or add to the one that the same member has: one arrival per visit.

        ``through`` is the outbox's number of the event: what was read up to there is not read again.
        """
        with self._changing() as db:
            db.execute("UPDATE state SET through = MAX(through, ?)", (through,))
            known = self._load(db, str(event))
            if known is not None:
                return known
            # Until the members of two cards overlap, nobody knows that they are one visit.
            for card in self._open(db, time):
                if set(card.members) & set(arrival.candidates):
                    return self._save(db, _merged(card, arrival))
            asked = self._guide_of(arrival.candidates[0]) if len(arrival.candidates) == 1 else None
            return self._save(
                db,
                Card(
                    str(event),
                    arrival.candidates,
                    (arrival.method,),
                    arrival.confidence,
                    time,
                    arrival.expires.timestamp(),
                    confirmed=arrival.method != "face",
                    asked=asked,
                    open_at=time + ASKED_FIRST_S if asked else time,
                ),
            )

    def passed(self, through: int) -> None:
        """The outbox was read up to this number, and there is no card to make of it."""
        with self._changing() as db:
            db.execute("UPDATE state SET through = MAX(through, ?)", (through,))

    def tap(self, tap: Tap, sensor: str = "tablet") -> Answer:
        """Apply a tap, once. What it did is told by the state that every tablet sees."""
        with self._changing() as db:
            before = db.execute("SELECT reply FROM tap WHERE id = ?", (str(tap.id),)).fetchone()
            card = self._load(db, str(tap.card))
            if before is not None:
                return Answer(before[0], card)
            reply, after = _applied(card, tap)
            event = None
            if reply == "done" and card is not None and after is not None:
                after = self._save(db, after)
                member = tap.member or card.members[0]
                data = Response(arrival=tap.card, member=member, action=tap.action, guide=tap.guide)
                made = Event.new(sensor, tap.time, data)
                event = json.dumps([str(made.id), sensor, tap.time, data.model_dump(mode="json")])
            row = (str(tap.id), str(tap.card), tap.time, reply, event, 0 if event else 1)
            db.execute("INSERT INTO tap VALUES (?, ?, ?, ?, ?, ?)", row)
            return Answer(reply, after if after is not None else card)

    def unsent(self, limit: int = 500) -> list[tuple[str, Event]]:
        """Taps whose event is not in the outbox yet: put them there, then call ``sent``."""
        with self._reading() as db:
            rows = db.execute("SELECT id, event FROM tap WHERE sent = 0 ORDER BY time LIMIT ?", (limit,)).fetchall()
        return [(name, _event(*json.loads(body))) for name, body in rows]

    def sent(self, taps: Sequence[str]) -> None:
        """The outbox holds the events of these taps."""
        with self._changing() as db:
            db.executemany("UPDATE tap SET sent = 1 WHERE id = ?", [(name,) for name in taps])

    def expire(self, now: float) -> int:
        """Close cards that are past their time, and forget those of ninety days ago; returns how many were closed."""
        with self._changing() as db:
            over = [card for card in self._open(db, float("-inf")) if card.expires <= now]
            for card in over:
                self._save(db, replace(card, state="closed", ended="expired"))
            db.execute("DELETE FROM tap WHERE sent = 1 AND time < ?", (now - KEPT_S,))
            db.execute("DELETE FROM card WHERE time < ?", (now - KEPT_S,))
        return len(over)

    def since(self, revision: int, limit: int = 200) -> tuple[list[Card], int]:
        """Cards that changed after ``revision``, oldest change first, and the revision up to which they are told."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT body FROM card WHERE revision > ? ORDER BY revision LIMIT ?", (revision, limit)
            ).fetchall()
            cards = [_card(body) for (body,) in rows]
            return cards, cards[-1].revision if cards else revision

    def cards(self, now: float) -> list[Card]:
        """The open cards, newest first."""
        with self._reading() as db:
            return sorted(self._open(db, now), key=lambda card: -card.time)

    def wrong_taps(self) -> dict[str, int]:
        """How often "wrong person" was tapped of each member's face since somebody last confirmed them."""
        counts: dict[str, int] = {}
        for member, action in self._judged():
            counts[member] = counts.get(member, 0) + 1 if action == "wrong_person" else 0
        return {member: count for member, count in counts.items() if count}

    def alerts(self, since: float) -> tuple[int, int]:
        """Of the faces that clerks judged from ``since`` on: how many were the wrong person, and how many in all."""
        judged = [action for _, action in self._judged(since)]
        return judged.count("wrong_person"), len(judged)

    def _judged(self, since: float = 0.0) -> Iterator[tuple[str, str]]:
        """Member and verdict of every tap on a card that a face opened, in order."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT tap.event FROM tap JOIN card ON card.id = tap.card"
                " WHERE tap.event IS NOT NULL AND tap.time >= ?"
                " AND json_extract(card.body, '$.methods[0]') = 'face' ORDER BY tap.time",
                (since,),
            ).fetchall()
        for (event,) in rows:
            data = json.loads(event)[3]
            if data["action"] in ("wrong_person", "confirm"):
                yield data["member"], data["action"]

    @property
    def revision(self) -> int:
        """Of the last change."""
        with self._reading() as db:
            return int(db.execute("SELECT revision FROM state").fetchone()[0])

    @property
    def through(self) -> int:
        """The outbox's number up to which arrivals were read."""
        with self._reading() as db:
            return int(db.execute("SELECT through FROM state").fetchone()[0])

    def _open(self, db: sqlite3.Connection, now: float) -> list[Card]:
        rows = db.execute("SELECT body FROM card WHERE json_extract(body, '$.state') <> 'closed'").fetchall()
        return [card for (body,) in rows if (card := _card(body)).expires > now]

    def _load(self, db: sqlite3.Connection, name: str) -> Card | None:
        row = db.execute("SELECT body FROM card WHERE id = ?", (name,)).fetchone()
        return None if row is None else _card(row[0])

    def _save(self, db: sqlite3.Connection, card: Card) -> Card:
        db.execute("UPDATE state SET revision = revision + 1")
        (revision,) = db.execute("SELECT revision FROM state").fetchone()
        card = replace(card, revision=revision)
        body = json.dumps({name: getattr(card, name) for name in card.__dataclass_fields__})
        db.execute("INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?)", (card.id, body, card.time, revision))
        return card


def _card(body: str) -> Card:
    fields = json.loads(body)
    return Card(**{**fields, "members": tuple(fields["members"]), "methods": tuple(fields["methods"])})


def _event(name: str, sensor: str, time: float, data: object) -> Event:
    return Event(id=UUID(name), sensor=sensor, time=utc(time), data=Response.model_validate(data))


def _merged(card: Card, arrival: Arrival) -> Card:
    """The same visit, seen once more: a code or a card settles what a face left open."""
    both = tuple(member for member in card.members if member in arrival.candidates)
    certain = arrival.method != "face"
    return replace(
        card,
        members=both,
        methods=tuple(dict.fromkeys((*card.methods, arrival.method))),
        confidence=max(card.confidence, arrival.confidence),
        confirmed=card.confirmed or certain,
        expires=max(card.expires, arrival.expires.timestamp()),
    )


def _late(card: Card, tap: Tap) -> tuple[Reply, Card | None]:
    """A tap on a card that is over: one made in time, on a tablet that then slept, still counts, and opens nothing."""
    if card.ended != "expired" or tap.time >= card.expires:
        return "closed", None
    reply, after = _applied(replace(card, state="waiting" if card.guide is None else "claimed", ended=None), tap)
    return reply, None if after is None else replace(after, state="closed", ended=after.ended or "expired")


def _applied(card: Card | None, tap: Tap) -> tuple[Reply, Card | None]:
    """What a tap makes of a card."""
    if card is None or (tap.member is not None and tap.member not in card.members):
        return "unknown", None
    if card.state == "closed":
        return _late(card, tap)
    if card.state == "claimed" and card.guide != tap.guide and tap.action in ("claim", "release"):
        return "taken", None
    member = tap.member or (card.members[0] if len(card.members) == 1 else None)
    match tap.action:
        case "claim":
            return "done", replace(card, state="claimed", guide=tap.guide)
        case "release":
            return "done", replace(card, state="waiting", guide=None, open_at=0.0)
        case "escalate":
            return "done", replace(card, state="waiting", guide=None, asked=None, open_at=0.0)
        case "confirm" if member is not None:
            return "done", replace(card, confirmed=True, members=(member,))
        case "wrong_person" if len(card.members) == 2 and tap.member is not None:
            return "done", replace(card, members=tuple(each for each in card.members if each != tap.member))
        case "confirm":
            return "unknown", None
        case _:
            return "done", replace(card, state="closed", ended=tap.action)
