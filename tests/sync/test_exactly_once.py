"""Whatever a broker does with messages and whenever the centre restarts: the totals are those of the events sent."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sync.delivery import Floor
from sync.store.incoming import Incoming
from sync.store.store import CentralStore
from tests.sync.making import T0, Box, arrival, health, minute, tryon, visit
from tests.sync.recompute import rollups_of, stored_rollups

MAKERS = (visit, arrival, minute, tryon, health)


class Delivery(RuleBasedStateMachine):
    """Two boxes of one store and one of another send; messages repeat, come late and in any order."""

    @initialize()
    def open(self) -> None:
        self.folder = TemporaryDirectory()
        self.url = f"sqlite:///{Path(self.folder.name)}/central.db"
        self.store = CentralStore(self.url).__enter__()
        self.boxes = [Box("s1"), Box("s1"), Box("s2")]
        self.sent: list[tuple[int, int, Incoming]] = []
        self.arrived: set[tuple[int, int]] = set()
        self.poison: set[tuple[int, int]] = set()
        self.entered: dict[tuple[int, int], int] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.__exit__(None, None, None)
            self.folder.cleanup()

    @rule(which=st.integers(0, 2), kind=st.sampled_from(MAKERS), spoil=st.integers(0, 9))
    def send(self, which: int, kind: object, spoil: int) -> None:
        box = self.boxes[which]
        message = box.send(kind())  # type: ignore[operator]
        if spoil == 0:
            message = Incoming(message.topic, message.payload.replace(b'"specversion":"1.0"', b'"specversion":"9"'))
            self.poison.add((which, box.seq))
        self.sent.append((which, box.seq, message))

    @rule(which=st.integers(0, 2), revision=st.integers(0, 3), entered=st.integers(0, 9))
    def restate_a_minute(self, which: int, revision: int, entered: int) -> None:
        box = self.boxes[which]
        self.sent.append((which, box.seq + 1, box.send(minute(0, entered, revision * 1000 + box.seq))))

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        if not self.sent:
            return
        batch = data.draw(st.lists(st.sampled_from(self.sent), min_size=1, max_size=30))
        result = self.store.ingest([message for _, _, message in batch])
        self.arrived |= {(which, seq) for which, seq, _ in batch}
        acks = {ack.outbox: ack for _, ack in result.acks}
        for which in {which for which, _, _ in batch}:
            held = {seq for box, seq in self.arrived if box == which}
            contiguous = next(seq for seq in range(1, len(held) + 2) if seq not in held) - 1
            ack = acks[self.boxes[which].id]
            assert ack.through == contiguous
            assert not ack.renew

    @rule()
    def restart(self) -> None:
        self.store.__exit__(None, None, None)
        self.store = CentralStore(self.url).__enter__()

    @rule(which=st.integers(0, 2))
    def say_a_floor_that_changes_nothing(self, which: int) -> None:
        floor = Floor(outbox=self.boxes[which].id, oldest=1)
        self.store.ingest([Incoming(f"yingke/v1/{self.boxes[which].store}/outbox", floor.encode())])

    @invariant()
    def everything_that_arrived_is_counted_once(self) -> None:
        if not hasattr(self, "store"):
            return
        truth = rollups_of(self.store._engine)
        good = self.arrived - self.poison
        ids = {(self.boxes[which].id, seq) for which, seq in good}
        assert {(event.outboxid, event.seq) for event in truth["events"]} == ids
        assert len(truth["events"]) == len(ids)
        assert len(self.store.dead_letters()) == len(self.arrived & self.poison)
        assert stored_rollups(self.store._engine) == truth["rollups"]
        assert self.store.footfall_minutes("nobody", T0, T0 + 60) == []


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_thousand_events_delivered_up_to_five_times_in_random_order_give_exact_totals(tmp_path: Path) -> None:
    import random

    from tests.sync.making import any_event

    rng = random.Random(23)
    box = Box()
    messages = [box.send(any_event(rng, number)) for number in range(1000)]
    deliveries = [message for message in messages for _ in range(rng.randrange(1, 6))]
    rng.shuffle(deliveries)
    with CentralStore(f"sqlite:///{tmp_path}/central.db") as store:
        for start in range(0, len(deliveries), 200):
            result = store.ingest(deliveries[start : start + 200])
        assert result.acks[0][1].through == 1000
        truth = rollups_of(store._engine)
        assert len(truth["events"]) == 1000
        assert stored_rollups(store._engine) == truth["rollups"]
