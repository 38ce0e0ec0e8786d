"""A guide leaves: from the centre's transaction to the tablet that refuses, over a real broker, in a second."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from sync.broker import Broker
from sync.config import MqttConfig
from sync.crm import bindings, customers, guides, handovers
from sync.crm.customers import CustomerIn
from sync.order_sender import OrderSender
from sync.order_taker import OrderTaker, box_key
from sync.orders import Order, OrderRefused
from sync.signing import SigningKey
from sync.store.database import open_engine, writing
from sync.store.orders import OrderBook
from tests.dashboard.tablet_serving import LI, PIN, SHOP, WANG, a_box, served
from tests.sync.children import until

RETRY = {"retry_min": 0.01, "retry_max": 0.05}


@pytest.fixture
def centre(tmp_path: Path) -> SigningKey:
    return SigningKey.open_or_make(tmp_path / "centre.key")


def staffed(engine: Engine, customers_of_li: int) -> None:
    with writing(engine) as connection:
        for guide in (LI, WANG):
            guides.put(connection, guide.id, guide.name, SHOP.id, time.time())
        given = [CustomerIn("till", f"C{n}", guide=LI.id) for n in range(customers_of_li)]
        customers.put(connection, given, time.time(), "import")


@pytest.mark.slow
def test_the_leaving_guides_access_to_the_tablet_is_gone_within_a_second_of_the_handover(
    database: str, tmp_path: Path, centre: SigningKey, make_broker: Callable[[str], Broker]
) -> None:
    broker = make_broker("nats")
    mqtt = MqttConfig(port=broker.port, **RETRY)  # type: ignore[arg-type]
    engine, stop = open_engine(database), threading.Event()
    staffed(engine, 1000)
    with a_box(tmp_path / "box") as box, served(box) as address, ThreadPoolExecutor(2) as pool:
        key = box_key(tmp_path / "box")
        taker = OrderTaker(box.register, key, centre.public, mqtt, time.time, guides=box.guides)
        book = OrderBook(engine)
        parts = [taker.run, OrderSender(book, centre, [SHOP.id], mqtt).run]
        running = [pool.submit(part, stop) for part in parts]
        try:
            # The box has said hello: both sides are connected.
            until(lambda: book.box(SHOP.id) is not None, 10)
            headers = {"origin": address}
            with (
                httpx.Client(base_url=address, headers=headers) as li,
                httpx.Client(base_url=address, headers=headers) as wang,
            ):
                for client, guide in ((li, LI), (wang, WANG)):
                    assert client.post("/api/login", json={"guide": guide.id, "pin": PIN}).status_code == 200
                    assert client.get("/api/cards").status_code == 200
                with writing(engine) as connection:
                    handed = handovers.hand_over(
                        connection, LI.id, WANG.id, time.time(), "manager", stores=[SHOP.id], key=centre
                    )
                committed = time.monotonic()
                until(lambda: li.get("/api/cards").status_code == 401, 5)
                took = time.monotonic() - committed
                assert li.post("/api/login", json={"guide": LI.id, "pin": PIN}).status_code != 200
                assert wang.get("/api/cards").status_code == 200
                until(lambda: book.waiting(time.time()) == [], 5)
        finally:
            stop.set()
        for part in running:
            part.result()
    assert handed.customers == 1000
    with writing(engine) as connection:
        assert len(bindings.customers_of(connection, WANG.id)) == 1000
    engine.dispose()
    print(f"access gone after {took:.3f} s")
    assert took < 1.0


def test_an_order_about_a_guide_is_carried_out_once_and_an_older_one_never_after_it(
    tmp_path: Path, centre: SigningKey
) -> None:
    now = time.time()

    def order(number: int) -> Order:
        return Order.model_validate(
            {
                "id": f"00000000-0000-7000-8000-{number:012}",
                "store": SHOP.id,
                "number": number,
                "kind": "guide_out",
                "issued": now,
                "expires": now + 900,
                "guide": LI.id,
            }
        )

    with a_box(tmp_path / "box") as box:
        key = box_key(tmp_path / "box")
        taker = OrderTaker(box.register, key, centre.public, MqttConfig(), lambda: now, guides=box.guides)
        token = box.guides.login(LI.id, PIN, now)
        first = taker.carry_out(order(5).signed(centre))
        assert box.guides.who(token, now) is None
        # Back again, let in by hand: what was ordered before does not take that away.
        box.guides.add(LI, PIN)
        assert taker.carry_out(order(5).signed(centre)) == first
        with pytest.raises(OrderRefused, match="older"):
            taker.carry_out(order(4).signed(centre))
        assert LI in box.guides.all()


def test_a_handover_whose_transaction_fails_orders_nothing(database: str, centre: SigningKey) -> None:
    engine = open_engine(database)
    staffed(engine, 2)

    def broken() -> None:
        with writing(engine) as connection:
            handovers.hand_over(connection, LI.id, WANG.id, time.time(), "manager", stores=[SHOP.id], key=centre)
            raise RuntimeError("something after it")

    with pytest.raises(RuntimeError, match="something after"):
        broken()
    assert OrderBook(engine).waiting(time.time()) == []
    engine.dispose()
