"""kill -9 of edge, broker and centre while events flow: what was accepted is in the database, each once."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from sync.broker import Broker
from sync.events import decode
from sync.outbox import Outbox
from sync.store import tables
from sync.store.store import CentralStore
from tests.sync.children import child, until
from tests.sync.ledger import Ledger
from tests.sync.processes import STORE
from tests.sync.recompute import rollups_of, stored_rollups

EVENTS = 1200
PER_SECOND = 250.0


def stored(store: CentralStore) -> int:
    with store._engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(tables.event)) or 0


def stored_ids(store: CentralStore) -> Sequence[UUID]:
    with store._engine.connect() as connection:
        return connection.scalars(select(tables.event.c.id).where(tables.event.c.store == STORE)).all()


def delivered(store: CentralStore, outbox: Path, ledger: Path) -> bool:
    """Whether everything was put, and the centre said that it holds it, and the box heard it."""
    if len(Ledger.read(ledger)[1]) < EVENTS:
        return False
    with Outbox(outbox, STORE, create=False) as opened:
        return opened.status().backlog == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("broker_name", ["nats", "mosquitto"])
def test_nothing_accepted_is_lost_or_counted_twice_when_edge_broker_and_centre_are_killed(
    broker_name: str,
    kind: str,
    make_broker: Callable[[str], Broker],
    make_database: Callable[[str], str],
    tmp_path: Path,
) -> None:
    url = make_database(kind)
    broker = make_broker(broker_name)
    box, ledger = tmp_path / "box" / "outbox.db", tmp_path / "ledger"
    with (
        CentralStore(url) as store,
        child(tmp_path / "centre.log", "centre", url, broker.port) as centre,
        child(tmp_path / "edge.log", "edge", box, broker.port, ledger, EVENTS, PER_SECOND) as edge,
    ):

        def logs() -> str:
            return f"{stored(store)} stored\nedge: {edge.log()}\ncentre: {centre.log()}"

        def reached(count: int) -> bool:
            return stored(store) >= count

        def flowing_again() -> None:
            """The chain is up again once something new arrives; and there is still more to come."""
            seen = stored(store)
            until(lambda: stored(store) > seen, 30, logs)

        def accepted_count() -> int:
            return len(Ledger.read(ledger)[1])

        for victim, start, from_count in ((edge, edge.start, 100), (broker, broker.restart, 350)):
            until(partial(reached, from_count), 30, logs)
            victim.kill()
            start()
            flowing_again()
        # Now the centre, and the broker a second time while it alone holds what the centre has not seen.
        until(partial(reached, 600), 30, logs)
        centre.kill()
        before = accepted_count()
        until(lambda: accepted_count() >= before + 100, 30, logs)
        broker.kill()
        broker.restart()
        centre.start()
        flowing_again()
        assert accepted_count() < EVENTS, "everything was put before the last kill: nothing is shown"
        until(lambda: delivered(store, box, ledger), 60, logs)
        edge.end()
        centre.end()

        intents, accepted = Ledger.read(ledger)
        ids = stored_ids(store)
        assert len(ids) == len(set(ids))
        assert accepted <= set(ids) <= intents
        with Outbox(box, STORE, create=False) as outbox:
            kept = [decode(row.payload).id for row in outbox.pending(0, 10 * EVENTS)]
        assert sorted(kept) == sorted(ids)
        assert stored_rollups(store._engine) == rollups_of(store._engine)["rollups"]
        assert store.dead_letters() == []
        (mark,) = store.outboxes(STORE)
        assert (mark.through, mark.ahead, mark.gone) == (len(ids), 0, 0)
