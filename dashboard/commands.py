"""``yingke centre``: the composition root of the central process."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from dashboard.config import CentreFile

log = logging.getLogger("yingke.centre")


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
def centre(path: Path) -> None:
    """Run the central half: ingest from MQTT, the database, and the pages."""
    from sync.settings import load

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    run(load(path, CentreFile))


def run(config: CentreFile) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises ``SyncError`` when the port or the database cannot be had."""
    from dashboard.app import create_app
    from dashboard.server import PageServer, bind
    from sync.clock import clock
    from sync.ingest import Ingest
    from sync.parent import follow_parent
    from sync.store.store import CentralStore

    follow_parent()
    stop = threading.Event()
    listener = bind(config.dashboard)
    with listener, CentralStore(config.sync.database.resolved(), config.sync.ingest) as store:
        notes, simulated = config.dashboard.notes, config.clock is not None
        app = create_app(store, config.all_stores, clock(config.clock), notes, simulated)
        server = PageServer(app)
        with ThreadPoolExecutor(1, "ingest") as pool:
            ingest = pool.submit(Ingest(store, config.sync).run, stop)
            ingest.add_done_callback(lambda _: setattr(server, "should_exit", True))
            try:
                log.info("pages on http://%s:%d/", config.dashboard.host, listener.getsockname()[1])
                server.run(sockets=[listener])
            finally:
                stop.set()
        ingest.result()
