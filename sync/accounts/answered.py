"""The same request sent twice is done once: what was answered to an idempotency key, for a day."""

from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, delete, select

from sync.accounts import tables
from sync.accounts.errors import AccountError
from sync.crm.ids import millis
from sync.crm.locks import one_at_a_time
from sync.store.database import insert

KEPT_S = 86400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is JSON and holds references only."""

    status: int
    body: str


class OtherRequest(AccountError):
    """The key was used for something else."""


def find(connection: Connection, actor: str, key: str, request: bytes, now: float) -> Answer | None:
    """What was answered before; None the first time. Raises ``OtherRequest``.

    Whoever sends the same at the same time waits for the first one's transaction.
    """
    one_at_a_time(connection)
    table = tables.answered
    connection.execute(delete(table).where(table.c.time < millis(now - KEPT_S)))
    row = connection.execute(select(table).where(table.c.actor == actor, table.c.key == key)).first()
    if row is None:
        return None
    if bytes(row.digest) != sha256(request).digest():
        raise OtherRequest("this Idempotency-Key was used for another request", "make a new key for each request")
    return Answer(row.status, row.body)


def keep(connection: Connection, actor: str, key: str, request: bytes, answer: Answer, now: float) -> None:
    """Remember the answer, in the transaction of what it tells of."""
    row = {"actor": actor, "key": key, "digest": sha256(request).digest(), "time": millis(now)}
    connection.execute(insert(connection, tables.answered), [row | {"status": answer.status, "body": answer.body}])
