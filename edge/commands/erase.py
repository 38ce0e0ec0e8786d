"""``yingke erase``: everything of a member, on this box or in all stores; ``yingke keys``: whose signatures count."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.members import CONFIG, JSON, the_member

if TYPE_CHECKING:
    from sync.members.settings import MembersFile
    from sync.orders import CentreOrdersConfig
    from sync.store.orders import OrderBook, OrderRow

SOME_WAIT = 3
"""Exit code: ordered, and not every box has answered."""
_LOOK_EVERY_S = 0.5


@click.command()
@click.argument("member")
@click.option("--by", required=True, help="who does it, such as head-office")
@click.option("--wait", default=60.0, show_default=True, type=click.FloatRange(0), help="seconds; centre only")
@click.option("--status", is_flag=True, help="centre only: order nothing, show which boxes have answered")
@click.option("--here", is_flag=True, help="on this box only, also where the centre's section stands in the file")
@CONFIG
@JSON
def erase(member: str, by: str, wait: float, status: bool, here: bool, path: Path, as_json: bool) -> None:
    """Erase MEMBER: template, keys, card, consents; a tombstone stays, so that nothing of theirs comes back.

    On a box: at once, with its signed receipt. On the centre (section dashboard.orders): in every store; exit code 0
    when every box has signed a receipt, 3 while some have not. Those erase as soon as they are back; ask again with
    --status.
    """
    from sync.members.settings import MembersFile
    from sync.settings import load

    config = load(path, MembersFile)
    the_member(member)
    if config.centre is None or here:
        if status:
            raise click.UsageError("--status is for the centre: its configuration has dashboard.orders")
        _on_the_box(config, member, by, as_json)
    else:
        _in_all_stores(config, config.centre, member, wait, status=status, as_json=as_json)


def _on_the_box(config: "MembersFile", member: str, by: str, as_json: bool) -> None:
    from sync.clock import clock
    from sync.events import uuid7
    from sync.members.register import Register
    from sync.order_taker import box_key
    from sync.orders import Receipt

    now = clock(config.clock)()
    key, order = box_key(config.edge.data), uuid7(now)
    with Register(config.edge.data, config.store.id) as register:
        erased = register.erase(member, now, by, str(order))
    receipt = Receipt(
        order=order,
        store=config.store.id,
        kind="erase",
        member=member,
        outcome="done",
        templates=erased.templates,
        time=now,
        box=key.public,
    ).signed(key)
    if as_json:
        click.echo(receipt.decode())
        return
    gone = f"{erased.templates} templates and their keys" if erased.templates else "no template was kept here"
    click.echo(f"{member} is erased on the box of {config.store.id}: {gone}; card and consents are gone too")
    click.echo(f"receipt, signed by the box: {receipt.decode()}")
    click.echo("other stores are told by the centre: yingke erase there")


def _in_all_stores(
    config: "MembersFile",
    section: "CentreOrdersConfig",
    member: str,
    wait: float,
    *,
    status: bool,
    as_json: bool,
) -> None:
    from sync.clock import clock
    from sync.crm import erasing
    from sync.signing import SigningKey
    from sync.store.database import reading, writing
    from sync.store.orders import OrderBook
    from sync.store.store import CentralStore

    with CentralStore(config.sync.database.resolved(), config.sync.ingest) as store:
        book = OrderBook(store.engine)
        if not status:
            stores = {*config.all_stores, *book.stores()}
            now, key = clock(config.clock)(), SigningKey.open_or_make(section.key)
            with reading(store.engine) as connection:
                names = {member, *erasing.one_person(connection, member)}
            # The orders first: whoever is interrupted here and starts again still finds whom they were for.
            for name in sorted(names):
                book.erase(name, sorted(stores), key, now)
            with writing(store.engine) as connection:
                if erasing.one_person(connection, member):
                    erasing.erase(connection, member, now, "centre")
            _wait(book, member, wait)
        orders = _latest(book, member)
    waiting = [order.store for order in orders if order.receipt is None]
    if as_json:
        click.echo(json.dumps(_document(member, orders), ensure_ascii=False))
    else:
        _print(member, orders)
    if waiting:
        raise SystemExit(SOME_WAIT)


def _wait(book: "OrderBook", member: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    # The receipts come through the database, into which the running centre writes them.
    while time.monotonic() < until and any(order.receipt is None for order in _latest(book, member)):
        time.sleep(min(_LOOK_EVERY_S, max(0.0, until - time.monotonic())))


def _latest(book: "OrderBook", member: str) -> "list[OrderRow]":
    """Of each store the last order to erase."""
    last = {order.store: order for order in book.of(member) if order.kind == "erase"}
    return [last[store] for store in sorted(last)]


def _document(member: str, orders: "list[OrderRow]") -> dict[str, Any]:
    return {
        "member": member,
        "stores": [
            {
                "store": order.store,
                "ordered": order.issued,
                "receipt": None if order.receipt is None else order.receipt.model_dump(mode="json"),
            }
            for order in orders
        ],
        "waiting": [order.store for order in orders if order.receipt is None],
    }


def _print(member: str, orders: "list[OrderRow]") -> None:
    from sync.events import utc

    if not orders:
        click.echo(f"nobody was told to erase {member}")
    for order in orders:
        if order.receipt is None:
            click.echo(f"{order.store}: no answer yet; ordered {utc(order.issued).isoformat(timespec='seconds')}")
        else:
            moment = utc(order.receipt.time).isoformat(timespec="seconds")
            click.echo(f"{order.store}: {order.receipt.outcome}, {order.receipt.templates} templates, {moment}, signed")
    waiting = sum(order.receipt is None for order in orders)
    if waiting:
        click.echo(
            f"{waiting} of {len(orders)} boxes have not answered: they erase when they are back, and their lease of "
            f"the gallery ends within 24 hours; see later: yingke erase {member} --by … --status"
        )


@click.group(invoke_without_command=True)
@CONFIG
@JSON
@click.pass_context
def keys(context: click.Context, path: Path, as_json: bool) -> None:
    """The public keys of this box or this centre; without a sub-command it prints them."""
    if context.invoked_subcommand is None:
        _show_keys(path, as_json)


def _show_keys(path: Path, as_json: bool) -> None:
    from sync.members.sealed import SealKey
    from sync.members.settings import MembersFile
    from sync.order_taker import SEAL_FILE, box_key
    from sync.settings import load
    from sync.signing import SigningKey

    config = load(path, MembersFile)
    shown = {
        "box": box_key(config.edge.data).public,
        "seal": SealKey.open_or_make(config.edge.data / SEAL_FILE).public,
    }
    if config.centre is not None:
        shown["centre"] = SigningKey.open_or_make(config.centre.key).public
    if as_json:
        click.echo(json.dumps({"store": config.store.id, **shown}))
        return
    words = {
        "box": "signs receipts and members' codes",
        "seal": "edge.recognition.stores of other boxes",
        "centre": "edge.orders.centre of every box",
    }
    for name, public in shown.items():
        click.echo(f"{name:7} {public}  ({words[name]})")


@keys.command()
@click.argument("store")
@CONFIG
def forget(store: str, path: Path) -> None:
    """The box of STORE was replaced: the centre takes the key of its next receipt for the new one's."""
    from sync.members.errors import MemberError
    from sync.members.settings import MembersFile
    from sync.settings import load
    from sync.store.orders import OrderBook
    from sync.store.store import CentralStore

    config = load(path, MembersFile)
    if config.centre is None:
        raise click.UsageError("this is for the centre: its configuration has dashboard.orders")
    with CentralStore(config.sync.database.resolved(), config.sync.ingest) as opened:
        if not OrderBook(opened.engine).forget(store):
            raise MemberError("unknown", f"no box of {store} has answered yet", "check the name of the store")
    click.echo(f"the key of {store}'s box is forgotten; the next receipt from there makes a new one known")
