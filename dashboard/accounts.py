"""``yingke users`` and ``yingke api-keys``: who may log in at the centre, and which programs may use its API."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from dashboard.config import CentreFile
from sync.accounts.errors import AccountError
from sync.accounts.roles import PEOPLE, PERMISSIONS, Role

if TYPE_CHECKING:
    from sync.store.database import Connection

_CONFIG = click.option(
    "--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
)
_JSON = click.option("--json", "as_json", is_flag=True, help="one JSON object")


@contextmanager
def _database(path: Path) -> "Iterator[tuple[Connection, float, CentreFile]]":
    from sync.clock import clock
    from sync.settings import load
    from sync.store.database import open_engine, translated, writing

    config = load(path, CentreFile)
    engine = open_engine(config.sync.database.resolved())
    try:
        with translated(), writing(engine) as connection:
            yield connection, clock(config.clock)(), config
    finally:
        engine.dispose()


def _known(stores: tuple[str, ...], config: CentreFile) -> tuple[str, ...]:
    known = {store.id for store in config.all_stores}
    for store in stores:
        if store not in known:
            raise AccountError(f"there is no store {store}", f"one of {', '.join(sorted(known))}")
    return stores


@click.group()
def users() -> None:
    """Who may log in at the centre, and as what. With the first account, the pages ask for a login."""


@users.command("add")
@click.argument("account")
@click.option("--role", type=click.Choice(list(PEOPLE)), required=True)
@click.option("--store", "stores", multiple=True, help="may be given several times; none is every store")
@click.option("--password-stdin", is_flag=True, help="the first line of standard input, instead of asking")
@_CONFIG
def add_user(account: str, role: str, stores: tuple[str, ...], password_stdin: bool, path: Path) -> None:
    """Add ACCOUNT, or give it another password, role and stores; its sessions end."""
    from sync.accounts import users as accounts
    from sync.accounts.passwords import Passwords

    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    hashed = Passwords().hashed(password)
    with _database(path) as (connection, now, config):
        accounts.add(connection, account, hashed, cast(Role, role), _known(stores, config), now)
    click.echo(f"{account} may log in as {role} of {', '.join(stores) or 'every store'}")


@users.command("disable")
@click.argument("account")
@_CONFIG
def disable_user(account: str, path: Path) -> None:
    """End every session of ACCOUNT, and let it log in no more."""
    from sync.accounts import users as accounts

    with _database(path) as (connection, now, _):
        accounts.disable(connection, account, now)
    click.echo(f"{account} is out")


@users.command("list")
@_CONFIG
@_JSON
def list_users(path: Path, as_json: bool) -> None:
    """All accounts."""
    from sync.accounts import users as accounts

    with _database(path) as (connection, _, _):
        found = accounts.all_users(connection)
    if as_json:
        click.echo(json.dumps({"users": [asdict(each) for each in found]}))
        return
    for each in found:
        state = "disabled" if each.disabled is not None else ", ".join(each.stores or ("every store",))
        click.echo(f"{each.account:24} {each.role:12} {state}")


@click.group("api-keys")
def api_keys() -> None:
    """Keys of programs that use the centre's API: shown once, limited to scopes."""


@api_keys.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(PERMISSIONS))
@click.option("--store", "stores", multiple=True, help="may be given several times; none is every store")
@click.option("--source", help="the only source whose receipts and numbers it may write")
@_CONFIG
@_JSON
def add_key(
    name: str, scopes: tuple[str, ...], stores: tuple[str, ...], source: str | None, path: Path, as_json: bool
) -> None:
    """Make a key for the program NAME. It is shown now and never again."""
    from sync.accounts import keys

    with _database(path) as (connection, now, config):
        text = keys.add(connection, name, scopes, _known(stores, config), source, now)
    click.echo(json.dumps({"key": text}) if as_json else f"{text}\nsend it as: Authorization: Bearer KEY")


@api_keys.command("disable")
@click.argument("key")
@_CONFIG
def disable_key(key: str, path: Path) -> None:
    """The key with the id KEY opens nothing any more."""
    from sync.accounts import keys

    with _database(path) as (connection, now, _):
        keys.disable(connection, key, now)
    click.echo(f"{key} opens nothing any more")


@api_keys.command("list")
@_CONFIG
@_JSON
def list_keys(path: Path, as_json: bool) -> None:
    """All keys, without what opens: their ids, scopes, stores."""
    from sync.accounts import keys

    with _database(path) as (connection, _, _):
        found = keys.all_keys(connection)
    if as_json:
        click.echo(json.dumps({"keys": [asdict(each) for each in found]}))
        return
    for each in found:
        state = "disabled" if each.disabled is not None else ", ".join(each.stores or ("every store",))
        click.echo(f"{each.id} {each.name:16} {' '.join(each.scopes)} · {state} · {each.source or 'any source'}")
