"""kill -9 at random moments of ``Outbox.put``: ``python -m tests.sync.sweep FOLDER POINTS [SEED]``.

Each point forks a process that puts as fast as it can beside a synced ledger, kills it after a random time, and
compares the file with the ledger. Forked from a process of its own, which has no threads, so that a point costs
milliseconds.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from sync.events import decode
from sync.outbox import Outbox
from tests.sync.ledger import Ledger
from tests.sync.putting import put_until

STORE = "s1"
POINTS_PER_FILE = 25
LONGEST_S = 0.03
CREATING_S = 0.012
"""Every second file is killed first while it is being created."""


def sweep(folder: Path, points: int, rng: random.Random) -> dict[str, int]:
    """Raises AssertionError at the first point at which the promise does not hold."""
    totals = {"points": 0, "accepted": 0, "in_doubt": 0, "files": 0}
    while totals["points"] < points:
        path, ledger = folder / f"{totals['files']}.db", folder / f"{totals['files']}.ledger"
        totals["files"] += 1
        for number in range(min(POINTS_PER_FILE, points - totals["points"])):
            creating = number < 5 and totals["files"] % 2
            kill_once(path, ledger, rng, rng.uniform(0, CREATING_S if creating else LONGEST_S))
            accepted, in_doubt = check(path, ledger)
            totals["points"] += 1
        totals["accepted"] += accepted
        totals["in_doubt"] += in_doubt
    return totals


def kill_once(path: Path, ledger: Path, rng: random.Random, wait: float) -> None:
    seed = rng.random()
    child = os.fork()
    if child == 0:
        try:
            with Outbox(path, STORE) as outbox:
                put_until(outbox, ledger, sys.maxsize, 1e9, threading.Event(), random.Random(seed))
        finally:
            os._exit(1)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, "it ended before it was killed"


def check(path: Path, ledger: Path) -> tuple[int, int]:
    """Accepted is contained in the file, the file in the intents; no gap, nothing altered. Returns the counts."""
    intents, accepted = Ledger.read(ledger)
    with Outbox(path, STORE) as outbox:
        rows = outbox.pending(0, 10**6)
        assert outbox.status().quarantined == 0
    events = [decode(row.payload) for row in rows]
    ids = {event.id for event in events}
    assert [event.seq for event in events] == list(range(1, len(rows) + 1))
    assert len(ids) == len(rows)
    assert accepted <= ids, f"{len(accepted - ids)} accepted events are not in the outbox"
    assert ids <= intents
    return len(accepted), len(ids - accepted)


if __name__ == "__main__":
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)
    print(json.dumps(sweep(Path(sys.argv[1]), int(sys.argv[2]), random.Random(seed))))
