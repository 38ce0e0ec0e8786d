"""Which try-on was followed by the sale of what was tried: by the item itself, else by its kind and the time."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

ITEM_WINDOW_S = 86_400.0
"""The very item that was tried: to the end of the shopping trip, and of a night in between."""
KIND_WINDOW_S = 7_200.0
"""Another item of the same GTIN: within the visit. Later it may be anybody's."""
SAME_SALE_S = 600.0
"""The till's reader and the till's line of one sale are so close together, with both clocks wrong by minutes."""

How = Literal["epc", "gtin"]


@dataclass(frozen=True, slots=True)
class Session:
    """One try-on of one item; nobody's. ``start`` and ``end`` in epoch seconds."""

    id: UUID
    store: str
    epc: str
    gtin: str | None
    start: float
    end: float
    kind: Literal["in_room", "tried_on"]


@dataclass(frozen=True, slots=True)
class Sold:
    """One unit at the till, from a line of a receipt (``key``: source, receipt, number, unit) or from its reader."""

    key: tuple[str, ...]
    store: str
    time: float
    epc: str | None
    gtin: str | None


@dataclass(frozen=True, slots=True)
class Closed:
    """The session that a sale closes."""

    session: Session
    sale: Sold
    how: How


def united(lines: Sequence[Sold], read: Sequence[Sold]) -> list[Sold]:
    """Lines of receipts and reads at the till, each sale once: a read is the line of its EPC, or tells a line its EPC.

    A line without an EPC takes the nearest read of its GTIN within ten minutes.
    """
    told = {(line.store, line.epc) for line in lines if line.epc is not None}
    waiting: dict[tuple[str, str | None], list[Sold]] = defaultdict(list)
    alone: list[Sold] = []
    for each in sorted(read, key=lambda sale: (sale.time, sale.key)):
        if (each.store, each.epc) not in told:
            (waiting[each.store, each.gtin] if each.gtin is not None else alone).append(each)
    found = []
    for line in sorted(lines, key=lambda sale: (sale.time, sale.key)):
        near = waiting.get((line.store, line.gtin), []) if line.epc is None and line.gtin is not None else []
        best = min(near, key=lambda sale: abs(sale.time - line.time), default=None)
        if best is not None and abs(best.time - line.time) <= SAME_SALE_S:
            near.remove(best)
            found.append(replace(line, epc=best.epc))
        else:
            found.append(line)
    return sorted(
        [*found, *alone, *(each for rest in waiting.values() for each in rest)], key=lambda s: (s.time, s.key)
    )


def close(sessions: Iterable[Session], sales: Iterable[Sold]) -> list[Closed]:
    """Each sale closes one session at most, and each session is closed by one sale at most; EPCs come first.

    By EPC the last try-on before the sale counts, or else the last time that the item was in a room. By GTIN, where
    only what was tried counts, the session whose time runs out first: so as many as
    possible find a sale, in whatever order they came.
    """
    falling = sorted(sessions, key=lambda each: (each.start, each.id))
    rising = sorted(sales, key=lambda each: (each.time, each.key))
    found: list[Closed] = []
    open_, unsold = _by_epc(falling, rising, found)
    _by_gtin(open_, unsold, found)
    return sorted(found, key=lambda each: (each.sale.time, each.sale.key))


def _by_epc(
    sessions: Sequence[Session], sales: Sequence[Sold], found: list[Closed]
) -> tuple[list[Session], list[Sold]]:
    of_item: dict[tuple[str, str], list[Session]] = defaultdict(list)
    for each in sessions:
        of_item[each.store, each.epc].append(each)
    closed: set[UUID] = set()
    unsold = []
    for sale in sales:
        tried = of_item.get((sale.store, sale.epc), []) if sale.epc is not None else []
        fits = [s for s in tried if s.id not in closed and s.start <= sale.time <= s.end + ITEM_WINDOW_S]
        if fits:
            # Carried in and tried are two sessions of one item: the one that was tried is what the sale followed.
            best = max(fits, key=lambda each: (each.kind == "tried_on", each.start, each.id))
            closed.add(best.id)
            found.append(Closed(best, sale, "epc"))
        else:
            unsold.append(sale)
    return [each for each in sessions if each.id not in closed], unsold


def _by_gtin(sessions: Sequence[Session], sales: Sequence[Sold], found: list[Closed]) -> None:
    coming: dict[tuple[str, str], list[Session]] = defaultdict(list)
    for each in reversed(sessions):
        if each.gtin is not None and each.kind == "tried_on":
            coming[each.store, each.gtin].append(each)
    waiting: dict[tuple[str, str], list[tuple[float, UUID, Session]]] = defaultdict(list)
    for sale in sales:
        if sale.gtin is None:
            continue
        key = sale.store, sale.gtin
        while coming[key] and coming[key][-1].start <= sale.time:
            session = coming[key].pop()
            insort(waiting[key], (session.end + KIND_WINDOW_S, session.id, session))
        while waiting[key] and waiting[key][0][0] < sale.time:
            waiting[key].pop(0)
        if waiting[key]:
            found.append(Closed(waiting[key].pop(0)[2], sale, "gtin"))
