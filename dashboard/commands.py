"""``yingke centre``: the composition root of the central process."""

import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dashboard.config import CentreFile
from sync.orders import CentreOrdersConfig

if TYPE_CHECKING:
    from dashboard.api.office import Office
    from sync.order_sender import OrderSender
    from sync.store.store import CentralStore

log = logging.getLogger("yingke.centre")


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
def centre(path: Path) -> None:
    """Run the central half: ingest from MQTT, the database, and the pages."""
    from sync.settings import load
    from sync.stopping import stop_on_signals

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = load(path, CentreFile)
    stop = threading.Event()
    # The web server has handlers of its own, and passes what it got on to these when it is done: without them SIGTERM
    # would then end the process before the ingest and the database were left in order.
    with stop_on_signals(stop):
        run(config, stop)


def run(config: CentreFile, stop: threading.Event) -> None:
    """Serve until SIGTERM, Ctrl-C or ``stop``. Raises ``SyncError`` when the port or the database cannot be had."""
    from dashboard.app import create_app
    from dashboard.server import PageServer, bind
    from sync.clock import clock
    from sync.crm.following import Follower
    from sync.ingest import Ingest
    from sync.parent import follow_parent
    from sync.store.retention import Retention
    from sync.store.store import CentralStore

    follow_parent()
    listener = bind(config.dashboard)
    with listener, CentralStore(config.sync.database.resolved(), config.sync.ingest) as store:
        notes, simulated = config.dashboard.notes, config.clock is not None
        age = config.dashboard.audit_max_age_days
        epcis, office = config.dashboard.epcis, _office(config, store)
        app = create_app(store, config.all_stores, clock(config.clock), notes, simulated, age, epcis, office)
        server = PageServer(app, config.dashboard.certificate, config.dashboard.key)
        # What is loaded by now lives as long as the process: the collector need not walk through it for every batch
        # (a sixth of the CPU time of ingest).
        gc.freeze()
        with ThreadPoolExecutor(4, "centre") as pool:
            parts = [pool.submit(Ingest(store, config.sync).run, stop)]
            parts.append(pool.submit(Retention(store.engine, config.sync.retention, clock(config.clock)).run, stop))
            parts.append(pool.submit(Follower(store.engine, clock(config.clock)).run, stop))
            if config.dashboard.orders is not None:
                parts.append(pool.submit(_orders(config, config.dashboard.orders, store).run, stop))
            for part in parts:
                part.add_done_callback(lambda _: setattr(server, "should_exit", True))
            try:
                scheme = "http" if config.dashboard.certificate is None else "https"
                log.info("pages on %s://%s:%d/", scheme, config.dashboard.host, listener.getsockname()[1])
                server.run(sockets=[listener])
            finally:
                stop.set()
        for part in parts:
            part.result()


def _office(config: CentreFile, store: "CentralStore") -> "Office":
    from dashboard.api.office import Office
    from sync.clock import clock
    from sync.config import read_secret
    from sync.signing import SigningKey

    section = config.dashboard
    return Office(
        store.engine,
        config.all_stores,
        clock(config.clock),
        secrets={source: read_secret(path) for source, path in section.webhooks.items()},
        key=None if section.orders is None else SigningKey.open_or_make(section.orders.key),
        secure=section.certificate is not None,
    )


def _orders(config: CentreFile, section: CentreOrdersConfig, store: "CentralStore") -> "OrderSender":
    from sync.clock import clock
    from sync.order_sender import OrderSender
    from sync.signing import SigningKey
    from sync.store.orders import OrderBook

    key = SigningKey.open_or_make(section.key)
    log.info("orders to the boxes are signed with key %s", key.public)
    stores = [each.id for each in config.all_stores]
    client = config.sync.ingest.client_id
    return OrderSender(OrderBook(store.engine), key, stores, config.sync.mqtt, clock(config.clock), client=client)
