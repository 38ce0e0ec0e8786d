"""What try-ons and sales say of a product: star, design, display or wait, and only where the figures can tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sync.crm.tryons.closing import Closed, Session

Verdict = Literal["star", "design", "display", "wait", "not enough data"]
MINIMUM_TRIED = 20
"""Below so many try-ons a conversion's interval is wider than 0.4: no two products can be told apart."""
MINIMUM_VISITS = 100
Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``value`` is None where there was no opportunity; then the interval is everything."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One style. ``tried`` and ``bought`` are numbers of sessions, ``in_room`` those that were no try-on;
    ``behind`` names the sessions tried, ``sold`` those of them that a sale closed, ``by_epc`` of these for certain."""

    style: str
    visits: int
    tried: int
    in_room: int
    bought: int
    by_epc: int
    tryon: Rate
    conversion: Rate
    verdict: Verdict
    behind: tuple[UUID, ...]
    sold: tuple[UUID, ...]


def wilson(hits: int, of: int, z: float = Z) -> Rate:
    """A share with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    if of <= 0:
        return Rate(None, 0.0, 1.0)
    share = hits / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return Rate(share, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def rows(sessions: Sequence[Session], closed: Sequence[Closed], styles: Mapping[str, str], visits: int) -> list[Row]:
    """By style, most tried first. ``styles``: of each GTIN or EPC; a product nobody knows is its own style.

    The opportunity of every style is every visit. A visit that tries two items of a style is two of it, and the rate
    is cut at 1. The four corners meet where all styles together are: the mean try-on rate of a style, and the
    conversion of all try-ons.
    """
    by_style: dict[str, list[Session]] = {}
    for each in sessions:
        by_style.setdefault(_style(each, styles), []).append(each)
    how = {each.session.id: each.how for each in closed}
    tried_all = [each for each in sessions if each.kind == "tried_on"]
    usual_tryon = min(1.0, len(tried_all) / (visits * len(by_style))) if visits and by_style else 0.0
    usual_conversion = sum(each.id in how for each in tried_all) / len(tried_all) if tried_all else 0.0
    found = []
    for style, all_of_it in by_style.items():
        tried = [each for each in all_of_it if each.kind == "tried_on"]
        sold = [each for each in tried if each.id in how]
        tryon = wilson(min(len(tried), visits), visits)
        conversion = wilson(len(sold), len(tried))
        enough = len(tried) >= MINIMUM_TRIED and visits >= MINIMUM_VISITS
        verdict = _verdict(tryon, conversion, usual_tryon, usual_conversion) if enough else "not enough data"
        found.append(
            Row(
                style,
                visits,
                len(tried),
                len(all_of_it) - len(tried),
                len(sold),
                sum(how[each.id] == "epc" for each in sold),
                tryon,
                conversion,
                verdict,
                tuple(each.id for each in tried),
                tuple(each.id for each in sold),
            )
        )
    return sorted(found, key=lambda row: (-row.tried, row.style))


def _style(session: Session, styles: Mapping[str, str]) -> str:
    return styles.get(session.epc) or styles.get(session.gtin or "") or session.gtin or session.epc


def _verdict(tryon: Rate, conversion: Rate, usual_tryon: float, usual_conversion: float) -> Verdict:
    """An interval that holds the usual rate says neither more nor less than usual."""
    if tryon.low <= usual_tryon <= tryon.high or conversion.low <= usual_conversion <= conversion.high:
        return "not enough data"
    often, sells = tryon.low > usual_tryon, conversion.low > usual_conversion
    if often:
        return "star" if sells else "design"
    return "display" if sells else "wait"
