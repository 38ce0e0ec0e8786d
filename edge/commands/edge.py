"""``yingke edge``: run the box of one store."""

import logging
import threading
from pathlib import Path

import click


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
def edge(path: Path) -> None:
    """Run the box of one store: sensors to events, events to the centre. SIGTERM or Ctrl-C stops it cleanly."""
    from edge.app import run
    from edge.config import EdgeFile
    from sync.parent import follow_parent
    from sync.settings import load
    from sync.stopping import stop_on_signals

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = load(path, EdgeFile)
    stop = threading.Event()
    follow_parent(stop.set)
    with stop_on_signals(stop):
        run(config, stop)
