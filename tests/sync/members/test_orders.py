"""An erasure from the centre to the boxes and back: real database, real files, a broker that lies and dies."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from sync.broker import Broker
from sync.config import MqttConfig
from sync.events import topic, uuid7
from sync.members.errors import MemberError
from sync.members.register import Register
from sync.members.sealed import Parcel, SealKey, open_parcel, pack, unpack
from sync.order_sender import OrderSender
from sync.order_taker import OrderTaker, box_key
from sync.orders import Order, OrderRefused, open_order, open_receipt
from sync.signing import SigningKey
from sync.store.database import open_engine
from sync.store.orders import OrderBook
from tests.fakes import FakeBroker
from tests.sync.children import until
from tests.sync.members.test_register import MODEL, NOW, agreed, enrol, vectors

MQTT = MqttConfig(retry_min=0.01, retry_max=0.05)
LATER = NOW + 100


class Box:
    """One store's box, its register and its key."""

    def __init__(
        self, folder: Path, store: str, centre: str, broker: FakeBroker | None, mqtt: MqttConfig = MQTT
    ) -> None:
        self.store = store
        self.register = Register(folder, store)
        self.key = box_key(folder)
        self.seal = SealKey.open_or_make(folder / "box-seal.key")
        self.taker = OrderTaker(self.register, self.key, centre, mqtt, lambda: LATER, seal=self.seal, broker=broker)

    def take(self, order: Order, centre: SigningKey) -> bytes:
        return self.taker.carry_out(order.signed(centre))


@pytest.fixture
def centre(tmp_path: Path) -> SigningKey:
    return SigningKey.open_or_make(tmp_path / "centre.key")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[OrderBook]:
    engine = open_engine(f"sqlite:///{tmp_path}/central.db")
    yield OrderBook(engine)
    engine.dispose()


@pytest.fixture
def box(tmp_path: Path, centre: SigningKey) -> Iterator[Box]:
    made = Box(tmp_path / "box", "s1", centre.public, None)
    with made.register:
        yield made


def order(number: int = 1, kind: str = "erase", store: str = "s1", expires: float = LATER + 900) -> Order:
    about: dict[str, object] = {"member": "M-0417"} if kind == "erase" else {"until": LATER + 900}
    return Order.model_validate(
        {"id": uuid7(NOW), "store": store, "number": number, "kind": kind, "issued": NOW, "expires": expires, **about}
    )


@contextmanager
def running(*parts: OrderSender | OrderTaker) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(len(parts)) as pool:
        futures = [pool.submit(part.run, stop) for part in parts]
        try:
            yield
        finally:
            stop.set()
        for future in futures:
            future.result()


def test_rule_7_an_erasure_reaches_every_box_and_each_signs_a_receipt(
    tmp_path: Path, centre: SigningKey, book: OrderBook
) -> None:
    broker = FakeBroker()
    with ExitStack() as stack:
        boxes = [Box(tmp_path / name, name, centre.public, broker) for name in ("s1", "s2")]
        for box in boxes:
            stack.enter_context(box.register)
            enrol(box.register)
        sender = OrderSender(book, centre, ["s1", "s2"], MQTT, lambda: LATER, broker=broker)
        with running(sender, *(box.taker for box in boxes)):
            book.erase("M-0417", ["s1", "s2"], centre, LATER)
            until(lambda: all(row.receipt for row in book.of("M-0417")), 10)
        receipts = [row.receipt for row in book.of("M-0417")]
        assert [(r.store, r.outcome, r.templates, r.box) for r in receipts if r] == [
            (box.store, "done", 1, box.key.public) for box in boxes
        ]
        assert all(box.register.enrolled() == 0 and box.register.tombstone("M-0417") for box in boxes)
    assert book.erased("M-0417") == LATER


def test_rule_7_a_box_that_is_away_is_listed_and_erases_when_it_comes_back(
    tmp_path: Path, centre: SigningKey, book: OrderBook, box: Box
) -> None:
    broker = FakeBroker()
    enrol(box.register)
    taker = OrderTaker(box.register, box.key, centre.public, MQTT, lambda: LATER, broker=broker)
    with running(OrderSender(book, centre, ["s1"], MQTT, lambda: LATER, broker=broker)):
        (waiting,) = book.erase("M-0417", ["s1"], centre, LATER)
        assert waiting.receipt is None
        until(lambda: any(name == topic("s1", "commands") for name, _ in list(broker.sent)), 5)
        # Whatever the broker held for the box is gone as well: the centre sends it again.
        broker.kill()
        with running(taker):
            until(lambda: book.of("M-0417")[0].receipt is not None, 10)
    assert box.register.enrolled() == 0


def test_the_same_order_again_gives_the_same_receipt_and_does_nothing(box: Box, centre: SigningKey) -> None:
    enrol(box.register)
    once = order()
    receipt = box.take(once, centre)
    box.register.record([agreed(time=LATER + 1)])
    box.register.enrol("M-0417", MODEL, vectors(), LATER + 2, "guide-7")
    assert box.take(once, centre) == receipt
    assert box.register.enrolled() == 1


def test_an_older_order_for_a_member_is_refused(box: Box, centre: SigningKey) -> None:
    box.take(order(number=5), centre)
    with pytest.raises(OrderRefused) as refused:
        box.take(order(number=5), centre)
    assert refused.value.code == "rollback"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"store": "s2"}, "store"),
        ({"expires": LATER - 1}, "expired"),
    ],
)
def test_an_order_for_another_store_or_past_its_time_is_refused(
    box: Box, centre: SigningKey, change: dict[str, object], code: str
) -> None:
    enrol(box.register)
    with pytest.raises(OrderRefused) as refused:
        box.take(order(**change), centre)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert box.register.enrolled() == 1


def test_an_order_that_the_centre_did_not_sign_is_refused(box: Box, tmp_path: Path) -> None:
    enrol(box.register)
    other = SigningKey.open_or_make(tmp_path / "other.key")
    with pytest.raises(OrderRefused) as refused:
        box.take(order(), other)
    assert refused.value.code == "signature"
    assert box.register.enrolled() == 1


def test_every_changed_byte_of_an_order_and_of_a_receipt_is_noticed(box: Box, centre: SigningKey) -> None:
    signed = order().signed(centre)
    for place in range(0, len(signed), 7):
        changed = bytes((*signed[:place], signed[place] ^ 1, *signed[place + 1 :]))
        with pytest.raises(OrderRefused):
            open_order(changed, "s1", centre.public, LATER)
    receipt = box.take(order(), centre)
    assert open_receipt(receipt, "s1").outcome == "done"
    for place in range(0, len(receipt), 7):
        changed = bytes((*receipt[:place], receipt[place] ^ 1, *receipt[place + 1 :]))
        with pytest.raises(OrderRefused):
            open_receipt(changed, "s1")


def test_a_receipt_signed_by_another_box_than_before_is_refused(
    tmp_path: Path, centre: SigningKey, book: OrderBook, box: Box
) -> None:
    (first,) = book.erase("M-0417", ["s1"], centre, LATER)
    text = box.taker.carry_out(first.payload).decode()
    book.received(open_receipt(text.encode(), "s1"), text)
    impostor = Box(tmp_path / "impostor", "s1", centre.public, None)
    with impostor.register:
        (_, second) = book.erase("M-0417", ["s1"], centre, LATER + 1)
        forged = impostor.taker.carry_out(second.payload).decode()
    with pytest.raises(OrderRefused) as refused:
        book.received(open_receipt(forged.encode(), "s1"), forged)
    assert refused.value.code == "key"


def test_a_box_without_the_centres_lease_recognises_nobody(tmp_path: Path, centre: SigningKey) -> None:
    key = box_key(tmp_path / "box")
    with Register(tmp_path / "box", "s1", leased=True) as register:
        enrol(register)
        with pytest.raises(MemberError) as refused:
            register.gallery(MODEL, LATER)
        assert refused.value.code == "lease"
        taker = OrderTaker(register, key, centre.public, MQTT, lambda: LATER, broker=FakeBroker())
        taker.carry_out(order(kind="lease").signed(centre))
        assert register.gallery(MODEL, LATER).templates
        with pytest.raises(MemberError):
            register.gallery(MODEL, LATER + 901)


def parcel_for(box: Box, other: Box, seed: int = 1, *, stores: tuple[str, ...] = ("s1", "s2")) -> Parcel:
    consent = agreed(stores=stores)
    box.register.record([consent])
    face = vectors(seed)
    box.register.enrol("M-0417", MODEL, face, NOW + 1, "guide-7")
    return pack(box.store, other.store, other.seal.public, "M-0417", MODEL, face, [consent], NOW + 2)


def test_rule_5_a_template_reaches_the_other_stores_that_the_member_named_and_the_centre_cannot_read_it(
    tmp_path: Path, centre: SigningKey, book: OrderBook
) -> None:
    broker = FakeBroker()
    here, there = (Box(tmp_path / name, name, centre.public, broker) for name in ("s1", "s2"))
    with here.register, there.register:
        parcel = parcel_for(here, there)
        here.register.send(str(parcel.id), "M-0417", parcel.signed(here.key).decode(), NOW + 2)
        sender = OrderSender(book, centre, ["s1", "s2"], MQTT, lambda: LATER, broker=broker)
        with running(sender):
            until(lambda: bool(broker._kept), 5)
            with running(here.taker, there.taker):
                until(lambda: there.register.enrolled() == 1 and not here.register.outgoing(), 10)
        (template,) = there.register.gallery(MODEL, LATER).templates
        np.testing.assert_array_equal(template.vectors, vectors(1))
    for row in vectors(1):
        assert not any(row.tobytes()[:8] in payload for _, payload in broker.sent)
        assert row.tobytes()[:8] not in (tmp_path / "central.db").read_bytes()


def test_rule_5_a_store_that_the_member_did_not_name_refuses_the_template(tmp_path: Path, centre: SigningKey) -> None:
    here, there = (Box(tmp_path / name, name, centre.public, None) for name in ("s1", "s2"))
    with here.register, there.register:
        parcel = parcel_for(here, there, stores=("s1",))
        with pytest.raises(MemberError, match="has not agreed"):
            there.register.admit("M-0417", MODEL, *unpack(parcel, there.seal), LATER)
        assert there.register.enrolled() == 0


def test_rule_7_a_tombstone_keeps_an_erased_member_from_coming_back(tmp_path: Path, centre: SigningKey) -> None:
    here, there = (Box(tmp_path / name, name, centre.public, None) for name in ("s1", "s2"))
    with here.register, there.register:
        parcel = parcel_for(here, there)
        there.register.erase("M-0417", NOW + 50, "centre", "c-1")
        late = Order(
            id=parcel.id,
            store="s2",
            number=9,
            kind="template",
            issued=LATER,
            expires=LATER + 900,
            member="M-0417",
            parcel=parcel.model_dump_json(),
        )
        assert open_receipt(there.take(late, centre), "s2").outcome == "erased"
        assert there.register.enrolled() == 0


def test_a_parcel_opens_for_its_receiver_only_and_not_once_it_was_changed(tmp_path: Path, centre: SigningKey) -> None:
    here, there = (Box(tmp_path / name, name, centre.public, None) for name in ("s1", "s2"))
    with here.register, there.register:
        parcel = parcel_for(here, there)
        for wrong in (
            parcel.model_copy(update={"member": "M-0418"}),
            parcel.model_copy(update={"sealed": "B" + parcel.sealed[1:]}),
        ):
            with pytest.raises(MemberError, match="does not open"):
                unpack(wrong, there.seal)
        with pytest.raises(MemberError, match="does not open"):
            unpack(parcel, here.seal)
        with pytest.raises(MemberError, match="did not sign"):
            open_parcel(parcel.signed(there.key), "s1", here.key.public)


def test_an_erasure_over_real_brokers(
    tmp_path: Path, centre: SigningKey, book: OrderBook, make_broker: Callable[[str], Broker]
) -> None:
    for number, name in enumerate(("nats", "mosquitto")):
        running_broker = make_broker(name)
        mqtt = MqttConfig(port=running_broker.port, retry_min=0.01, retry_max=0.05)
        box = Box(tmp_path / name, name, centre.public, None, mqtt)
        member = f"M-000{number}"
        with box.register:
            enrol(box.register, member)
            with running(OrderSender(book, centre, [name], mqtt, lambda: LATER, client=name), box.taker):
                book.erase(member, [name], centre, LATER)
                until(lambda member=member: book.of(member)[0].receipt is not None, 20)  # type: ignore[misc]
            assert box.register.enrolled() == 0
