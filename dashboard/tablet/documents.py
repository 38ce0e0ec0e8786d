"""What a tablet is told of an arrival: the card, and of each candidate what their consent to a profile allows."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sync.members.cards import CustomerCard, next_occasion
from sync.members.desk import Card

OCCASION_DAYS = 14
"""An occasion is told this many days ahead: soon enough for a word, not so early that it is forgotten."""


def card_document(card: Card, known: Callable[[str], CustomerCard | None], today: date) -> dict[str, Any]:
    """One card as JSON. Times are ISO 8601 in UTC; days are relative to the store's ``today``."""
    return {
        "id": card.id,
        "revision": card.revision,
        "time": _moment(card.time),
        "expires": _moment(card.expires),
        "state": card.state,
        "ended": card.ended,
        "confirmed": card.confirmed,
        "methods": list(card.methods),
        "guide": card.guide,
        "asked": card.asked,
        "openAt": _moment(card.open_at),
        # A closed card tells nobody anything about a person any more.
        "members": [
            {"member": member, **(_known(known(member), today) if card.state != "closed" else {})}
            for member in card.members
        ],
    }


def _known(card: CustomerCard | None, today: date) -> dict[str, Any]:
    if card is None:
        return {}
    nearest = next_occasion(card, today)
    return {
        "salutation": card.salutation,
        "level": card.level,
        "guide": card.guide,
        "bought": [{"what": item.what, "daysAgo": (today - item.day).days} for item in card.bought],
        "tried": [
            {
                "what": item.what,
                "daysAgo": (today - item.day).days,
                "bought": item.bought,
                "here": item.here,
                "elsewhere": item.elsewhere,
            }
            for item in card.tried
        ],
        "likes": list(card.likes),
        "sizes": dict(card.sizes),
        "occasion": None
        if nearest is None or nearest[1] > OCCASION_DAYS
        else {"kind": nearest[0].kind, "days": nearest[1]},
        "due": [{"what": step.what, "days": (step.day - today).days} for step in card.due],
        "coupons": [
            {"what": coupon.what, "until": coupon.until.isoformat()} for coupon in card.coupons if coupon.until >= today
        ],
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
