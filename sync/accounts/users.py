"""People with a password, and their sessions. Functions take a connection in the caller's transaction, and the time."""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from sync.accounts import tables
from sync.accounts.errors import AccountError
from sync.accounts.roles import ONE_STORE, PEOPLE, Caller, Role
from sync.crm.ids import millis
from sync.store.database import insert

SESSION_S = 12 * 3600.0
"""A long working day."""
_NAME = re.compile(r"^[a-z0-9][a-z0-9.-]{0,31}$")


@dataclass(frozen=True, slots=True)
class User:
    """``stores`` is None for every store. Times are milliseconds."""

    account: str
    role: Role
    stores: tuple[str, ...] | None
    created: int
    disabled: int | None


def add(connection: Connection, account: str, password: str, role: Role, stores: Sequence[str], now: float) -> None:
    """Somebody new; or another password, role and stores for who is there (sessions end). ``password`` is a hash.

    Raises ``AccountError``.
    """
    if not _NAME.match(account):
        raise AccountError(f"{account[:40]!r} is no name for an account", "small letters, digits, dots and hyphens")
    if role not in PEOPLE:
        raise AccountError(f"{role} is no role of a person", f"one of {', '.join(PEOPLE)}; programs get a key")
    if role in ONE_STORE and not stores:
        raise AccountError(f"a {role} belongs to a store", "name it: --store ID")
    row = {
        "account": account,
        "password": password,
        "role": role,
        "stores": json.dumps(sorted(set(stores))) if stores else None,
        "created": millis(now),
        "disabled": None,
    }
    statement = insert(connection, tables.account)
    values = {name: statement.excluded[name] for name in ("password", "role", "stores", "disabled")}
    connection.execute(statement.on_conflict_do_update(index_elements=["account"], set_=values), [row])
    end_sessions(connection, account)


def disable(connection: Connection, account: str, now: float) -> None:
    """No login and no session of theirs works from now on. Raises ``AccountError`` when there is no such account."""
    table = tables.account
    where = table.c.account == account, table.c.disabled.is_(None)
    if not connection.execute(update(table).where(*where).values(disabled=millis(now))).rowcount:
        raise AccountError(f"there is no account {account} in use", "yingke users list shows all")
    end_sessions(connection, account)


def all_users(connection: Connection) -> list[User]:
    """By name, disabled ones too."""
    return [_user(row) for row in connection.execute(select(tables.account).order_by(tables.account.c.account))]


def any_user(connection: Connection) -> bool:
    """Whether anybody was ever added: from then on the pages ask for a login, also when everybody was disabled."""
    return connection.scalar(select(tables.account.c.account).limit(1)) is not None


def password_of(connection: Connection, account: str) -> str | None:
    """The hash; None where there is no such account in use."""
    table = tables.account
    where = table.c.account == account, table.c.disabled.is_(None)
    found: str | None = connection.scalar(select(table.c.password).where(*where))
    return found


def open_session(connection: Connection, account: str, now: float) -> str:
    """The token of a new session; only its digest is stored."""
    table, token = tables.account_session, secrets.token_urlsafe(32)
    connection.execute(delete(table).where(table.c.expires <= millis(now)))
    row = {"token": _hashed(token), "account": account, "expires": millis(now + SESSION_S)}
    connection.execute(insert(connection, table), [row])
    return token


def end_session(connection: Connection, token: str) -> None:
    """Log out."""
    connection.execute(delete(tables.account_session).where(tables.account_session.c.token == _hashed(token)))


def end_sessions(connection: Connection, account: str) -> None:
    """Log out everywhere."""
    connection.execute(delete(tables.account_session).where(tables.account_session.c.account == account))


def caller(connection: Connection, token: str, now: float) -> Caller | None:
    """Whose session it is, with the role and stores of this moment; None when it has ended."""
    table, session = tables.account, tables.account_session
    query = select(table).join(session, session.c.account == table.c.account)
    query = query.where(session.c.token == _hashed(token), session.c.expires > millis(now), table.c.disabled.is_(None))
    row = connection.execute(query).first()
    if row is None:
        return None
    user = _user(row)
    stores = None if user.stores is None else frozenset(user.stores)
    return Caller(user.account, user.role, PEOPLE[user.role], stores)


def _user(row: Row[Any]) -> User:
    stores = None if row.stores is None else tuple(json.loads(row.stores))
    return User(row.account, row.role, stores, row.created, row.disabled)


def _hashed(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
