"""Keeping the segments up to date: whoever bought, was merged, or whose day has come; everybody once a month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, delete, or_, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.crm.locks import one_at_a_time
from sync.crm.segments import basis as learning
from sync.crm.segments import facts, lifecycle, rfm
from sync.crm.segments.basis import Basis
from sync.crm.segments.facts import Facts
from sync.crm.segments.rules import SegmentRules
from sync.store.database import insert

LEARN_AGAIN_MS = 30 * 86_400_000
OVERLAP_MS = 600_000
"""A batch notes the time at which it began, and may be committed later; an import's batch takes seconds."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Computed:
    """``learnt``: everybody was looked at. ``customers`` were computed, ``gone`` have no segment any more."""

    learnt: bool
    customers: int
    gone: int


def recompute(
    connection: Connection, today: date, now: float, rules: SegmentRules | None = None, *, learn: bool = False
) -> Computed:
    """Bring the segments up to ``today``. Learns anew when told to, when the rules changed, and every 30 days."""
    one_at_a_time(connection)
    rules = rules or SegmentRules()
    known = learning.load(connection)
    if learn or known is None or known[0].rules != rules or millis(now) - known[1] >= LEARN_AGAIN_MS:
        money = facts.currency(connection)
        everybody = facts.of_all(connection, money)
        basis = learning.learn(everybody, rules, money, today)
        table = tables.customer_segment
        before = set(connection.scalars(select(table.c.customer)))
        connection.execute(delete(table))
        _write(connection, everybody, basis, today, now)
        learning.keep(connection, basis, millis(now), now)
        return Computed(True, len(everybody), len(before - set(everybody)))
    basis, learnt, through = known
    names = _touched(connection, through - OVERLAP_MS, today)
    found = facts.of(connection, names, basis.currency)
    had = _forget(connection, names)
    _write(connection, found, basis, today, now)
    learning.keep(connection, basis, learnt, now)
    return Computed(False, len(found), len(had - set(found)))


def _touched(connection: Connection, since: int, today: date) -> list[str]:
    """Roots with new purchases or merges, those whose day has come, and those who are no roots any more."""
    purchase, customer, segment = tables.purchase, tables.customer, tables.customer_segment
    merge = tables.customer_merge
    bought = select(customer.c.root).join(purchase, purchase.c.customer == customer.c.customer)
    names = set(connection.scalars(bought.where(purchase.c.received >= since).distinct()))
    moved = select(merge.c.gone, merge.c.kept).where(or_(merge.c.time >= since, merge.c.undone >= since))
    concerned = sorted({name for pair in connection.execute(moved) for name in pair})
    for start in range(0, len(concerned), _AT_ONCE):
        some = concerned[start : start + _AT_ONCE]
        names.update(some)
        names.update(connection.scalars(select(customer.c.root).where(customer.c.customer.in_(some))))
    names.update(connection.scalars(select(segment.c.customer).where(segment.c.due <= today)))
    return sorted(names)


def _forget(connection: Connection, names: Sequence[str]) -> set[str]:
    """Take their rows away; returns who had one."""
    table = tables.customer_segment
    had: set[str] = set()
    for start in range(0, len(names), _AT_ONCE):
        where = table.c.customer.in_(names[start : start + _AT_ONCE])
        had.update(connection.scalars(select(table.c.customer).where(where)))
        connection.execute(delete(table).where(where))
    return had


def _write(connection: Connection, found: dict[str, Facts], basis: Basis, today: date, now: float) -> None:
    rows = [_row(root, each, basis, today, now) for root, each in sorted(found.items())]
    if rows:
        connection.execute(insert(connection, tables.customer_segment), rows)


def _row(root: str, each: Facts, basis: Basis, today: date, now: float) -> dict[str, object]:
    last, cycle = each.days[-1], basis.cycle(each.category)
    own_pace = lifecycle.pace(each.days, basis.rules)
    standing = lifecycle.standing(len(each.days), last, cycle, own_pace, today, basis.rules, basis.recency)
    return {
        "customer": root,
        "state": standing.state,
        "since": standing.since,
        "days": len(each.days),
        "first": each.days[0],
        "last": last,
        "spent": each.spent,
        "category": each.category,
        "cycle": cycle,
        "pace": own_pace,
        "recency": rfm.recency(max(0, (today - last).days), basis.recency),
        "frequency": rfm.score(len(each.days), basis.frequency),
        "money": rfm.score(each.spent, basis.money),
        "vital": each.spent >= basis.vital_from,
        "warning": standing.warning,
        "due": standing.due,
        "computed": millis(now),
    }
