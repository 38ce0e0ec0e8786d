"""Tells open pages that something changed: one look at the database for all of them, coalesced for slow ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from sync.errors import SyncError

LOOK_EVERY_S = 0.5
KEEP_ALIVE_S = 15.0


class Changes:
    """``watch()`` yields the newest cursor at once and after every change, and ``None`` as a sign of life.

    All watchers share one look per interval. A watcher that is slow skips cursors: its memory is one number.
    """

    def __init__(self, last_cursor: Callable[[], int], every: float = LOOK_EVERY_S) -> None:
        self._last_cursor = last_cursor
        self._every = every
        self._looked = float("-inf")
        self._cursor = -1
        self._lock = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """Lets every watcher end within one interval."""
        self._closed = True

    async def _look(self) -> int:
        loop = asyncio.get_running_loop()
        async with self._lock:
            if loop.time() - self._looked >= self._every:
                # While the database does not answer nothing changes that a page could read.
                with suppress(SyncError):
                    self._cursor = await loop.run_in_executor(None, self._last_cursor)
                self._looked = loop.time()
            return self._cursor

    async def watch(self) -> AsyncIterator[int | None]:
        """Runs until the watcher goes away, or ``close``."""
        seen, quiet_since = -1, asyncio.get_running_loop().time()
        while not self._closed:
            cursor = await self._look()
            now = asyncio.get_running_loop().time()
            if cursor != seen:
                seen, quiet_since = cursor, now
                yield cursor
            elif now - quiet_since >= KEEP_ALIVE_S:
                quiet_since = now
                yield None
            await asyncio.sleep(self._every)
