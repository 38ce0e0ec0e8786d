"""``yingke handover``: a guide leaves, and another one takes over, in one transaction."""

import json
from pathlib import Path

import click

from dashboard.config import CentreFile


@click.command()
@click.argument("leaver")
@click.argument("successor")
@click.option("--by", required=True, help="who decides it")
@click.option("--new", is_flag=True, help="SUCCESSOR is not known to the CRM yet")
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def handover(leaver: str, successor: str, by: str, new: bool, path: Path, as_json: bool) -> None:
    """LEAVER's customers and open work are SUCCESSOR's, and LEAVER logs in to no tablet any more.

    The boxes of all stores are told where the configuration has dashboard.orders; a box that is away is told when it
    is back. Whoever disagrees has two weeks to dispute a customer.
    """
    from sync.clock import clock
    from sync.crm import guides, handovers
    from sync.settings import load
    from sync.signing import SigningKey
    from sync.store.database import open_engine, translated, writing

    config = load(path, CentreFile)
    orders = config.dashboard.orders
    key = None if orders is None else SigningKey.open_or_make(orders.key)
    stores, now = [store.id for store in config.all_stores], clock(config.clock)()
    engine = open_engine(config.sync.database.resolved())
    try:
        with translated(), writing(engine) as connection:
            if new:
                guides.ensure(connection, [successor], now)
            done = handovers.hand_over(connection, leaver, successor, now, by, stores=stores, key=key)
    finally:
        engine.dispose()
    told = stores if key is not None else []
    if as_json:
        document = {"id": str(done.id), "customers": done.customers, "tasks": done.tasks, "stores": told}
        click.echo(json.dumps(document))
        return
    click.echo(f"{done.customers} customers and {done.tasks} open tasks of {leaver} are {successor}'s")
    if told:
        click.echo(f"the boxes of {', '.join(told)} are told to end {leaver}'s access")
    else:
        click.echo(f"no box is told (dashboard.orders): end the access there with yingke guides remove {leaver}")
