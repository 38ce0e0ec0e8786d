"""Wrong logins cost time: per account, known or not, and per address."""

from typing import Literal

from sqlalchemy import Connection, delete, select

from sync.accounts import tables
from sync.crm.ids import millis
from sync.store.database import insert

Kind = Literal["account", "address"]
FREE_TRIES: dict[Kind, int] = {"account": 5, "address": 20}
"""An address may be a whole shop behind one router."""
WAIT_S, LONGEST_WAIT_S = 30.0, 900.0
FORGOTTEN_S = 86400.0


def wait(connection: Connection, who: dict[Kind, str], now: float) -> float:
    """Seconds until the next try is allowed; 0 when it is now."""
    longest, table = 0.0, tables.login_try
    for kind, name in who.items():
        until = connection.scalar(select(table.c.until).where(table.c.kind == kind, table.c.name == name[:64]))
        longest = max(longest, (until or 0) / 1000 - now)
    return longest


def wrong(connection: Connection, who: dict[Kind, str], now: float) -> None:
    """One more wrong try: from the free ones on the wait doubles, to a quarter of an hour."""
    table = tables.login_try
    connection.execute(delete(table).where(table.c.time < millis(now - FORGOTTEN_S)))
    for kind, name in who.items():
        key = {"kind": kind, "name": name[:64]}
        where = table.c.kind == kind, table.c.name == name[:64]
        statement = insert(connection, table)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "name"], set_={"wrong": table.c.wrong + 1, "time": statement.excluded.time}
            ),
            [key | {"wrong": 1, "until": 0, "time": millis(now)}],
        )
        over = (connection.scalar(select(table.c.wrong).where(*where)) or 0) - FREE_TRIES[kind]
        if over >= 0:
            until = millis(now + min(LONGEST_WAIT_S, WAIT_S * 2.0 ** min(over, 10)))
            connection.execute(table.update().where(*where).values(until=until))


def right(connection: Connection, account: str) -> None:
    """A login that fitted: the account's wrong ones are forgotten. Its address's are not: it may try others."""
    table = tables.login_try
    connection.execute(delete(table).where(table.c.kind == "account", table.c.name == account[:64]))
