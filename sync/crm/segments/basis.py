"""What is learnt of all customers together: bands, cycles by category, the model of the next purchase."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from itertools import pairwise

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.crm.segments import rfm
from sync.crm.segments.facts import Facts
from sync.crm.segments.next_purchase import History, Model, fit
from sync.crm.segments.rules import SegmentRules
from sync.store.database import insert

NAME = "main"
OTHER = ""
"""The category of what nobody said a category of."""


class Basis(BaseModel):
    """Holds until it is learnt again, so that one customer's figures do not move with another one's purchases."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rules: SegmentRules
    currency: str
    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    money: tuple[int, ...]
    vital_from: int
    cycles: dict[str, int]
    """Learnt from gaps; a category that is absent goes by the rules."""
    model: tuple[float, float, float, float] | None
    """r, alpha (weeks), a, b; None where too few bought again."""

    def cycle(self, category: str) -> int:
        """Days within which a buyer of the category is expected back."""
        return self.cycles.get(category, self.rules.expected(category))

    def next_purchase(self) -> Model | None:
        """The model, where there is one."""
        return None if self.model is None else Model(*self.model)


def history(days: int, first: date, last: date, today: date) -> History:
    """As the model takes it: weeks after the first purchase day."""
    return History(days - 1, (last - first).days / 7, max((today - first).days, (last - first).days) / 7)


def learn(everybody: Mapping[str, Facts], rules: SegmentRules, currency: str, today: date) -> Basis:
    """Look at all customers once."""
    facts = everybody.values()
    bands = rules.bands
    model = fit([history(len(each.days), each.days[0], each.days[-1], today) for each in facts])
    return Basis(
        rules=rules,
        currency=currency,
        recency=bands.recency if bands else rfm.quantiles([max(0, (today - each.days[-1]).days) for each in facts]),
        frequency=bands.frequency if bands else rfm.quantiles([len(each.days) for each in facts]),
        money=bands.money if bands else rfm.quantiles([each.spent for each in facts]),
        vital_from=rfm.vital_from([each.spent for each in facts], rules.vital_share),
        cycles=_cycles(everybody, rules) if rules.learn else {},
        model=None if model is None else (model.r, model.alpha, model.a, model.b),
    )


def _cycles(everybody: Mapping[str, Facts], rules: SegmentRules) -> dict[str, int]:
    gaps: dict[str, list[int]] = defaultdict(list)
    for each in everybody.values():
        gaps[each.category] += [(later - sooner).days for sooner, later in pairwise(each.days)]
    found = {}
    for category, seen in gaps.items():
        if len(seen) >= rules.learn_gaps:
            rule = rules.expected(category)
            learnt = sorted(seen)[int(len(seen) * rules.learn_share)]
            # Gaps are those of who came back within the records: they alone must not shorten a cycle without limit.
            found[category] = min(max(learnt, -(-rule // 2)), rule * 3)
    return found


def load(connection: Connection) -> tuple[Basis, int, int] | None:
    """What was learnt, when, and the time up to which purchases are in (milliseconds); None before the first time."""
    table = tables.segment_basis
    row = connection.execute(select(table).where(table.c.name == NAME)).first()
    return None if row is None else (Basis.model_validate_json(row.body), row.learnt, row.through)


def keep(connection: Connection, basis: Basis, learnt: int, now: float) -> None:
    """Store it, with everything up to ``now`` computed."""
    statement = insert(connection, tables.segment_basis)
    row = {"name": NAME, "body": basis.model_dump_json(), "learnt": learnt, "through": millis(now)}
    values = {name: statement.excluded[name] for name in ("body", "learnt", "through")}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values), [row])
