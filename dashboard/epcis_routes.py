"""``GET /api/v1/stores/{store}/epcis``: what happened to items, as EPCIS 2.0 documents, page by page."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol
from uuid import uuid4

from fastapi import Query
from fastapi.responses import StreamingResponse

from dashboard.api.gate import Gate, Who
from dashboard.epcis import TYPES, EpcisConfig, Writer, head, written
from sync.accounts.roles import Caller
from sync.clock import Now
from sync.settings import StoreConfig

PAGE = 500


class ItemReader(Protocol):
    """What this reads of the central store."""

    def events_after(
        self, store: str, cursor: int, limit: int, types: Sequence[str] = ()
    ) -> Sequence[dict[str, Any]]: ...

    def last_cursor(self, store: str | None = None) -> int: ...


def epcis_routes(
    gate: Gate, reader: ItemReader, chosen: Callable[[Caller, str], StoreConfig], now: Now, config: EpcisConfig
) -> None:
    """``chosen`` gives the store of a name to who may see it, or raises 404."""

    @gate.get("/api/v1/stores/{store}/epcis", "figures:read", response_class=StreamingResponse)
    def epcis(
        who: Who,
        store: str,
        cursor: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = PAGE,
    ) -> StreamingResponse:
        """The next events after ``cursor``, in the order in which they came in.

        The header ``Yingke-Cursor`` is where to go on, now or tomorrow; ``Link`` leads there while there is more.
        """
        place = chosen(who, store)
        # Before the page: what comes in meanwhile is on the next one.
        newest = reader.last_cursor(place.id)
        rows = reader.events_after(place.id, cursor, limit, TYPES)
        full = len(rows) == limit
        after = rows[-1]["cursor"] if full else max([cursor, newest, *(row["cursor"] for row in rows)])
        headers = {"GS1-EPCIS-Version": "2.0.0", "GS1-EPCIS-Min": "2.0.0", "Yingke-Cursor": str(after)}
        if full:
            headers["Link"] = f'</api/v1/stores/{place.id}/epcis?cursor={after}&limit={limit}>; rel="next"'
        parts = written(Writer(place, config), rows, head(config.base, now(), uuid4()))
        return StreamingResponse(parts, media_type="application/ld+json", headers=headers)
