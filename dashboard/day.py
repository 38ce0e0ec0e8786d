"""One store's day by the hour: visits with coverage. Hours that nobody observed are unknown, not zero."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, Protocol

from sync.settings import StoreConfig

MINUTE_S = 60.0
HOUR_S = 3600.0
FULL = 0.98
"""From this share of the time on, an hour counts as fully covered: a camera's reconnect of a minute is no gap."""

Covered = Literal["full", "partial", "gap", "future", "closed"]


class Minute(Protocol):
    """One minute of one line, as the roll-up holds it: ``minute`` in epoch seconds, ``coverage`` in seconds."""

    @property
    def minute(self) -> float: ...
    @property
    def place(self) -> str: ...
    @property
    def entered(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def coverage(self) -> float: ...
    @property
    def staff_entered(self) -> int | None: ...
    @property
    def excluded(self) -> int | None: ...
    @property
    def groups(self) -> int | None: ...


@dataclass(frozen=True)
class Hour:
    """``entered`` and ``left`` are null where nothing was observed; ``coverage`` is the observed share of open time."""

    label: str
    start: str
    entered: int | None
    left: int | None
    coverage: float | None
    covered: Covered


def bounds(store: StoreConfig, day: date) -> tuple[float, float]:
    """First and last moment of a local day in epoch seconds: 23, 24 or 25 hours apart."""
    first = datetime.combine(day, time(0), store.zone)
    last = datetime.combine(day + timedelta(days=1), time(0), store.zone)
    return first.timestamp(), last.timestamp()


def opening(store: StoreConfig, day: date) -> tuple[float, float]:
    """When the store opens and closes on that day, in epoch seconds."""
    opens = datetime.combine(day, store.opens, store.zone).timestamp()
    if store.closes == time(0):
        return opens, bounds(store, day)[1]
    return opens, datetime.combine(day, store.closes, store.zone).timestamp()


def local_date(store: StoreConfig, now: float) -> date:
    """The store's date at that moment."""
    return datetime.fromtimestamp(now, store.zone).date()


def day_view(
    minutes: Iterable[Minute], places: Sequence[str], store: StoreConfig, day: date, now: float
) -> dict[str, Any]:
    """The day as the page and the API show it. ``places`` are the lines expected to report."""
    start, end = bounds(store, day)
    opens, closes = opening(store, day)
    # The running minute is not reported yet: only whole minutes can be covered.
    known_until = now - now % MINUTE_S
    rows: dict[float, list[Minute]] = {}
    today = [row for row in minutes if start <= row.minute < end]
    for row in today:
        rows.setdefault((row.minute - start) // HOUR_S, []).append(row)
    hours: list[Hour] = []
    observed = expected = 0.0
    for index in range(round((end - start) / HOUR_S)):
        begin = start + index * HOUR_S
        due = max(0.0, min(begin + HOUR_S, closes, known_until) - max(begin, opens)) * max(1, len(places))
        here = rows.get(index, [])
        if not here and (begin + HOUR_S <= opens or begin >= closes):
            continue
        seen = sum(row.coverage for row in here)
        in_hours = sum(row.coverage for row in here if opens <= row.minute < min(closes, known_until))
        observed, expected = observed + min(in_hours, due), expected + due
        covered = _covered(seen, in_hours, due, begin, now, opens, closes)
        hours.append(_hour(store, begin, here, covered, min(1.0, in_hours / due) if due else None))
    return {
        "store": store.id,
        "name": store.name or store.id,
        "date": day.isoformat(),
        "timezone": store.timezone,
        "as_of": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "local_time": datetime.fromtimestamp(now, store.zone).strftime("%H:%M"),
        "visits": sum(hour.entered or 0 for hour in hours) if observed else None,
        "left": sum(hour.left or 0 for hour in hours) if observed else None,
        # Counted apart from the visits; null where no box looks for it.
        "staff": _known_sum(row.staff_entered for row in today),
        "excluded": _known_sum(row.excluded for row in today),
        "groups": _known_sum(row.groups for row in today),
        "coverage": observed / expected if expected else None,
        "hours": [asdict(hour) for hour in hours],
    }


def _known_sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _covered(
    seen: float, in_hours: float, due: float, begin: float, now: float, opens: float, closes: float
) -> Covered:
    if begin + HOUR_S <= opens or begin >= closes:
        return "closed"
    if due == 0:
        return "partial" if seen else "future"
    if not seen:
        return "gap"
    return "full" if in_hours >= FULL * due else "partial"


def _hour(store: StoreConfig, begin: float, here: Sequence[Minute], covered: Covered, share: float | None) -> Hour:
    local = datetime.fromtimestamp(begin, store.zone)
    known = covered not in {"gap", "future"}
    return Hour(
        label=local.strftime("%H:%M"),
        start=local.isoformat(timespec="minutes"),
        entered=sum(row.entered for row in here) if known else None,
        left=sum(row.left for row in here) if known else None,
        coverage=share,
        covered=covered,
    )
