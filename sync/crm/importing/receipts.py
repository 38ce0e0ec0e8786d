"""The rows of one receipt, gathered: a receipt is taken in whole or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.crm.importing.parsing import ReceiptRow, Settings
from sync.crm.importing.reading import Row
from sync.crm.purchases import LineIn, PurchaseIn


@dataclass(frozen=True, slots=True)
class Read:
    """A row of a file, and what was made of it: a line of a receipt, or why not."""

    row: Row
    line: ReceiptRow | None
    fault: str | None
    receipt: str | None
    """Whose row it is, also where the rest of it is wrong."""


MOST_ROWS = 500
"""Rows of one receipt that are gathered: a file whose receipt column says the same everywhere must not fill memory."""


def gathered(reads: Iterator[Read]) -> Iterator[list[Read]]:
    """Rows that follow each other under one receipt number."""
    group: list[Read] = []
    for each in reads:
        if group and (each.receipt is None or each.receipt != group[0].receipt or len(group) >= MOST_ROWS):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def purchase(group: Sequence[Read], settings: Settings) -> PurchaseIn:
    """The receipt of a group without a fault. Raises ``ValueError`` when its rows do not agree."""
    lines = [each.line for each in group if each.line is not None]
    first = lines[0]
    for name in ("moment", "kind", "currency", "channel", "customer", "store", "guide", "returned"):
        if any(getattr(line, name) != getattr(first, name) for line in lines[1:]):
            raise ValueError(f"the rows of receipt {first.receipt} differ in {'day' if name == 'moment' else name}")
    return PurchaseIn(
        source=settings.source,
        receipt=first.receipt,
        moment=first.moment,
        amount=sum(line.amount for line in lines),
        currency=first.currency,
        units=sum(line.units for line in lines),
        kind=first.kind,
        channel=first.channel,
        customer=first.customer,
        customer_source=settings.customer_source,
        store=first.store,
        guide=first.guide,
        returned=first.returned,
        lines=tuple(LineIn(line.codes, line.units, line.amount) for line in lines if line.codes),
    )
