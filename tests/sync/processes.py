"""Processes that tests start and kill: ``python -m tests.sync.processes edge|centre …``.

The edge writes what it does into a ledger, so that a test knows after kill -9 what was promised.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sync.config import MqttConfig, SyncConfig
from sync.ingest import run_ingest
from sync.outbox import Outbox
from sync.parent import follow_parent
from sync.relay import run_relay
from sync.store.store import CentralStore
from tests.sync.putting import put_until

STORE = "s1"


def settings(port: int) -> SyncConfig:
    return SyncConfig(mqtt=MqttConfig(port=port, retry_min=0.1, retry_max=1.0))


def edge(stop: threading.Event, path: str, port: str, ledger: str, total: str, per_second: str) -> None:
    with Outbox(Path(path), STORE) as outbox:
        relay = threading.Thread(target=run_relay, args=(outbox, settings(int(port)), stop))
        relay.start()
        put_until(outbox, Path(ledger), int(total), float(per_second), stop, random.Random())
        stop.wait()
        relay.join()


def centre(stop: threading.Event, url: str, port: str) -> None:
    with CentralStore(url) as store:
        run_ingest(store, settings(int(port)), stop)


ROLES: dict[str, Callable[..., None]] = {"edge": edge, "centre": centre}


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    # Without the grace of an orderly end: whoever forgot us is gone.
    follow_parent(lambda: os._exit(3))
    started = time.monotonic()
    ROLES[sys.argv[1]](stop, *sys.argv[2:])
    print(f"{sys.argv[1]} ended in order after {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
