"""What a generator of events promised, on disk before and after each ``put``."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sync.events import Event


class Ledger:
    """Which events were about to be put (``i``, intents) and which were accepted (``a``); each line is synced."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, mark: str, events: Sequence[Event]) -> None:
        os.write(self._file, "".join(f"{mark} {event.id}\n" for event in events).encode())
        os.fsync(self._file)

    @staticmethod
    def read(path: Path) -> tuple[set[UUID], set[UUID]]:
        """(intents, accepted); a last line that was cut counts as not written."""
        intents: set[UUID] = set()
        accepted: set[UUID] = set()
        text = path.read_text() if path.exists() else ""
        for line in text.split("\n")[:-1]:
            # A kill in the middle of a write leaves a torn line, and the next run goes on in it.
            mark, _, name = line[-38:].partition(" ")
            {"i": intents, "a": accepted}[mark].add(UUID(name))
        return intents, accepted
