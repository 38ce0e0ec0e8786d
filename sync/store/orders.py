"""The centre's book of orders: what each box was told to do, and the receipt that it gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, delete, func, select, update

from sync.events import uuid7
from sync.members.sealed import Parcel
from sync.orders import Kind, Order, OrderRefused, Receipt, open_receipt
from sync.signing import SigningKey
from sync.store import tables
from sync.store.database import insert, reading, translated, writing

ERASE_LASTS_S = 400 * 86400.0
"""A box that was away for so long has lost its gallery to expiry."""

TEMPLATE_LASTS_S = 30 * 86400.0
GUIDE_OUT_LASTS_S = 30 * 86400.0
"""A box that was away for so long has no session left; whoever sets it up again adds the guides who are there."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order; times are epoch seconds. ``receipt`` is None while the box has not answered."""

    store: str
    id: UUID
    kind: Kind
    member: str | None
    issued: float
    payload: bytes
    receipt: Receipt | None


class OrderBook:
    """Over the engine of a ``CentralStore``; every method raises ``StoreError`` when the database fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def erase(self, member: str, stores: Sequence[str], key: SigningKey, now: float) -> list[OrderRow]:
        """Order every store's box to erase a member; orders that wait already are not given again."""
        with translated(), writing(self._engine) as connection:
            table = tables.box_order
            waiting = select(table.c.store).where(
                table.c.member == member, table.c.kind == "erase", table.c.receipt.is_(None)
            )
            asked = set(connection.scalars(waiting))
            last = connection.scalar(select(func.max(table.c.number)).where(table.c.member == member)) or 0
            number = max(last + 1, round(now * 1000))
            rows = []
            for store in sorted(set(stores) - asked):
                order = Order(
                    id=uuid7(now),
                    store=store,
                    number=number,
                    kind="erase",
                    issued=now,
                    expires=now + ERASE_LASTS_S,
                    member=member,
                )
                rows.append(_row(order, order.signed(key)))
            if rows:
                connection.execute(insert(connection, table), rows)
            erased = insert(connection, tables.erased_member)
            connection.execute(
                erased.on_conflict_do_update(index_elements=["member"], set_={"time": erased.excluded.time}),
                [{"member": member, "time": round(now * 1000)}],
            )
        return self.of(member)

    def pass_on(self, parcel: Parcel, key: SigningKey, now: float) -> None:
        """Order the box of the parcel's receiver to take it in; once, however often the parcel comes.

        A member who was erased after the parcel was sent is not passed on.
        """
        erased = self.erased(parcel.member)
        if erased is not None and erased >= parcel.sent:
            return
        with translated(), writing(self._engine) as connection:
            table = tables.box_order
            last = connection.scalar(select(func.max(table.c.number)).where(table.c.member == parcel.member)) or 0
            order = Order(
                id=parcel.id,
                store=parcel.to,
                number=max(last + 1, round(now * 1000)),
                kind="template",
                issued=now,
                expires=now + TEMPLATE_LASTS_S,
                member=parcel.member,
                parcel=parcel.model_dump_json(),
            )
            connection.execute(insert(connection, table).on_conflict_do_nothing(), [_row(order, order.signed(key))])

    def box(self, store: str) -> str | None:
        """The public key of a store's box; None before its first receipt."""
        with reading(self._engine) as connection:
            keys = tables.box_key
            public: str | None = connection.scalar(select(keys.c.public).where(keys.c.store == store))
            return public

    def boxes(self) -> dict[str, str]:
        """The public key of every box that has answered once, by store."""
        with reading(self._engine) as connection:
            keys = tables.box_key
            rows = connection.execute(select(keys.c.store, keys.c.public).order_by(keys.c.store))
            return {store: public for store, public in rows}

    def forget(self, store: str) -> bool:
        """A store's box was replaced: the key of the next receipt is taken for its own. False when none was known."""
        with translated(), writing(self._engine) as connection:
            keys = tables.box_key
            return bool(connection.execute(delete(keys).where(keys.c.store == store)).rowcount)

    def stores(self) -> list[str]:
        """Every store that the database knows: of its events, orders and boxes."""
        with reading(self._engine) as connection:
            found: set[str] = set()
            for table in (tables.store, tables.box_order, tables.box_key):
                found |= set(connection.scalars(select(table.c.store).distinct()))
            return sorted(found)

    def of(self, member: str) -> list[OrderRow]:
        """The orders about a member, oldest first."""
        table = tables.box_order
        with reading(self._engine) as connection:
            query = select(table).where(table.c.member == member).order_by(table.c.number, table.c.store)
            return [_order(row._mapping) for row in connection.execute(query)]

    def waiting(self, now: float) -> list[OrderRow]:
        """Orders without a receipt that have not expired."""
        table = tables.box_order
        with reading(self._engine) as connection:
            query = select(table).where(table.c.receipt.is_(None), table.c.expires > round(now * 1000))
            return [_order(row._mapping) for row in connection.execute(query.order_by(table.c.number, table.c.store))]

    def received(self, receipt: Receipt, text: str) -> None:
        """Keep a receipt. The first one of a store makes its box's key known; another key is refused from then on.

        Raises ``OrderRefused``.
        """
        with translated(), writing(self._engine) as connection:
            keys, table = tables.box_key, tables.box_order
            row = {"store": receipt.store, "public": receipt.box, "first_seen": round(receipt.time * 1000)}
            connection.execute(insert(connection, keys).on_conflict_do_nothing(), [row])
            known = connection.scalar(select(keys.c.public).where(keys.c.store == receipt.store))
            if known != receipt.box:
                raise OrderRefused(
                    "key",
                    f"a receipt of {receipt.store} is signed by another box than before",
                    f"if its box was replaced: yingke keys forget {receipt.store}",
                )
            where = table.c.store == receipt.store, table.c.id == receipt.order, table.c.receipt.is_(None)
            connection.execute(update(table).where(*where).values(receipt=text))

    def erased(self, member: str) -> float | None:
        """When a member was erased; None when not. Nothing of theirs is taken in again without a new consent."""
        table = tables.erased_member
        with reading(self._engine) as connection:
            time = connection.scalar(select(table.c.time).where(table.c.member == member))
        return None if time is None else time / 1000


def guide_out(connection: Connection, guide: str, stores: Sequence[str], key: SigningKey, now: float) -> None:
    """Order the boxes of these stores, within the caller's transaction, to end a guide's access to their tablets."""
    rows = []
    for store in sorted(set(stores)):
        order = Order(
            id=uuid7(now),
            store=store,
            number=max(1, round(now * 1000)),
            kind="guide_out",
            issued=now,
            expires=now + GUIDE_OUT_LASTS_S,
            guide=guide,
        )
        rows.append(_row(order, order.signed(key)))
    if rows:
        connection.execute(insert(connection, tables.box_order), rows)


def _order(row: RowMapping) -> OrderRow:
    text = row["receipt"]
    receipt = None if text is None else open_receipt(text.encode(), row["store"])
    return OrderRow(
        row["store"], row["id"], row["kind"], row["member"], row["issued"] / 1000, row["payload"].encode(), receipt
    )


def _row(order: Order, payload: bytes) -> dict[str, object]:
    return {
        "store": order.store,
        "id": order.id,
        "number": order.number,
        "kind": order.kind,
        "member": order.member,
        "issued": round(order.issued * 1000),
        "expires": round(order.expires * 1000),
        "payload": payload.decode(),
        "receipt": None,
    }
