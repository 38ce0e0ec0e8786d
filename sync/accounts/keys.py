"""Keys of programs: shown once, stored as a digest, limited to scopes, stores and a source."""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, select, update

from sync.accounts import tables
from sync.accounts.errors import AccountError
from sync.accounts.roles import PERMISSIONS, Caller
from sync.crm.ids import millis
from sync.store.database import insert

PREFIX = "yk"


@dataclass(frozen=True, slots=True)
class Key:
    """``stores`` and ``source`` are None for any. Times are milliseconds."""

    id: str
    name: str
    scopes: tuple[str, ...]
    stores: tuple[str, ...] | None
    source: str | None
    created: int
    disabled: int | None


def add(
    connection: Connection, name: str, scopes: Sequence[str], stores: Sequence[str], source: str | None, now: float
) -> str:
    """A new key; the text is not stored and cannot be shown again. Raises ``AccountError``."""
    if strange := set(scopes) - set(PERMISSIONS):
        raise AccountError(f"{sorted(strange)[0]} is no scope", f"one or more of {', '.join(PERMISSIONS)}")
    if not scopes:
        raise AccountError("a key without a scope opens nothing", f"one or more of {', '.join(PERMISSIONS)}")
    key = secrets.token_hex(6)
    text = f"{PREFIX}_{key}_{secrets.token_urlsafe(32)}"
    row = {
        "id": key,
        "digest": _hashed(text),
        "name": name[:32],
        "scopes": json.dumps(sorted(set(scopes))),
        "stores": json.dumps(sorted(set(stores))) if stores else None,
        "source": source,
        "created": millis(now),
        "disabled": None,
    }
    connection.execute(insert(connection, tables.api_key), [row])
    return text


def disable(connection: Connection, key: str, now: float) -> None:
    """It opens nothing from now on. Raises ``AccountError`` when there is no such key."""
    table = tables.api_key
    where = table.c.id == key, table.c.disabled.is_(None)
    if not connection.execute(update(table).where(*where).values(disabled=millis(now))).rowcount:
        raise AccountError(f"there is no key {key} in use", "yingke api-keys list shows all")


def all_keys(connection: Connection) -> list[Key]:
    """Oldest first, disabled ones too."""
    table = tables.api_key
    rows = connection.execute(select(table).order_by(table.c.created, table.c.id))
    return [
        Key(
            row.id,
            row.name,
            tuple(json.loads(row.scopes)),
            None if row.stores is None else tuple(json.loads(row.stores)),
            row.source,
            row.created,
            row.disabled,
        )
        for row in rows
    ]


def caller(connection: Connection, text: str) -> Caller | None:
    """Whose key it is; None when it is none, or disabled."""
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != PREFIX or not parts[1].isalnum() or len(parts[1]) > 16:
        return None
    table = tables.api_key
    row = connection.execute(select(table).where(table.c.id == parts[1], table.c.disabled.is_(None))).first()
    if row is None or not hmac.compare_digest(bytes(row.digest), _hashed(text)):
        return None
    may = frozenset(each for each in PERMISSIONS if each in json.loads(row.scopes))
    stores = None if row.stores is None else frozenset(json.loads(row.stores))
    return Caller(f"key:{row.id}", "integration", may, stores, row.source)


def _hashed(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
