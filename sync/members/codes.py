"""The code that a member shows at the door instead of a face: a QR code with their reference, signed, for a while.

It holds no name and no number of theirs. Whoever finds one can be greeted in their place, and nothing more: an arrival
grants nothing, and the clerk sees whom the card is about.
"""

import re
from collections.abc import Sequence
from datetime import date

from sync.members.errors import MemberError
from sync.signing import SigningKey, verify

_CODE = re.compile(r"^YK1\.(M-[0-9A-Z]{4,26})\.(\d{8})\.([A-Za-z0-9_-]{86})$")


def make(member: str, until: date, key: SigningKey) -> str:
    """The text of the QR code, good up to and including ``until``. Raises ``ValueError`` for no member's reference."""
    body = f"YK1.{member}.{until:%Y%m%d}"
    if not re.fullmatch(r"M-[0-9A-Z]{4,26}", member):
        raise ValueError(f"{member!r} is no member's reference, such as M-0417")
    return f"{body}.{key.sign(_said(body))}"


def read(text: str, keys: Sequence[str], today: date) -> str:
    """The member of a code that was signed with one of ``keys`` (public).

    Raises ``MemberError``: ``unknown`` for anything that is no code of ours, ``expired``.
    """
    match = _CODE.match(text.strip())
    if match is None:
        raise MemberError("no_code", "this is no member's code", "show the code from the member's page")
    member, until, signature = match.groups()
    if not any(verify(key, signature, _said(f"YK1.{member}.{until}")) for key in keys):
        raise MemberError("no_code", "this code was not made by this company", "show the code from the member's page")
    if until < f"{today:%Y%m%d}":
        raise MemberError("expired", "this code is out of date", "open the member's page: it shows a new one")
    return member


def _said(body: str) -> bytes:
    return b"yingke member code\0" + body.encode()
