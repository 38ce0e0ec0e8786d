"""The centre's half of orders: sends what has no receipt yet, again and again, and keeps the receipts."""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence

from sync.config import MqttConfig
from sync.events import topic, uuid7
from sync.members.errors import MemberError
from sync.members.sealed import open_parcel
from sync.mqtt import Broker, Link, LinkLost, Message, MqttBroker, Retry, Session
from sync.orders import Order, OrderRefused, open_receipt
from sync.signing import SigningKey
from sync.store.database import StoreError
from sync.store.orders import OrderBook

log = logging.getLogger(__name__)

ANSWERS = ("yingke/v1/+/receipts", "yingke/v1/+/sealed")
AGAIN_S = 60.0
"""An order without a receipt is sent again after so long: a box that comes back has it within a minute."""
LEASE_S = 24 * 3600.0
RENEW_S = 3600.0
IDLE_S = 0.2
"""How soon an order that was given is sent: a guide who leaves is out within a second."""
_STORE = re.compile(r"^yingke/v1/([a-z0-9-]{1,32})/(receipts|sealed)$")


class OrderSender:
    """``run`` blocks. ``stores`` get a lease of their gallery every hour; ``now`` gives epoch seconds."""

    def __init__(
        self,
        book: OrderBook,
        key: SigningKey,
        stores: Sequence[str],
        config: MqttConfig,
        now: Callable[[], float] = time.time,
        *,
        client: str = "yingke-centre",
        broker: Broker | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._key = key
        self._stores = stores
        self._now = now
        self._monotonic = monotonic
        self._broker = broker or MqttBroker(config)
        self._links = Retry("orders", config.retry_min, config.retry_max)
        self._database = Retry("orders", config.retry_min, config.retry_max)
        self._session = Session(f"{client}-orders", tuple((name, 1) for name in ANSWERS), True)
        self._sent: dict[object, float] = {}
        """When each waiting order was sent last on this connection."""
        self._leased = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. A lost broker or database is waited for."""
        while not stop.is_set():
            try:
                with self._broker.connect(self._session) as link:
                    self._links.good(f"connected to {self._broker}")
                    self._sent.clear()
                    self._leased = float("-inf")
                    while not stop.is_set():
                        self._send(link)
                        self._receive(link)
            except LinkLost as error:
                self._links.wait(error, stop)
            except StoreError as error:
                self._database.wait(error, stop)

    def _send(self, link: Link) -> None:
        moment = self._monotonic()
        for order in self._book.waiting(self._now()):
            if moment - self._sent.get(order.id, float("-inf")) >= AGAIN_S:
                link.publish(topic(order.store, "commands"), order.payload)
                self._sent[order.id] = moment
        if moment - self._leased >= RENEW_S:
            self._leased = moment
            for store in self._stores:
                link.publish(topic(store, "commands"), self._lease(store))

    def _lease(self, store: str) -> bytes:
        now = self._now()
        order = Order(
            id=uuid7(now),
            store=store,
            number=max(1, round(now * 1000)),
            kind="lease",
            issued=now,
            expires=now + LEASE_S,
            until=now + LEASE_S,
        )
        return order.signed(self._key)

    def _receive(self, link: Link) -> None:
        message = link.receive(IDLE_S)
        while message is not None:
            match = _STORE.match(message.topic)
            try:
                if match is not None and match[2] == "receipts":
                    self._keep(link, message, match[1])
                elif match is not None:
                    self._pass_on(link, message, match[1])
            except (OrderRefused, MemberError) as error:
                log.error("orders: %s; %s", error, error.fix)
            link.acknowledge(message)
            message = link.receive(0)

    def _keep(self, link: Link, message: Message, store: str) -> None:
        receipt = open_receipt(message.payload, store)
        self._book.received(receipt, message.payload.decode())
        self._sent.pop(receipt.order, None)
        if receipt.kind == "hello":
            # A box that has come back waits for nothing: neither its lease nor what it was told meanwhile.
            link.publish(topic(store, "commands"), self._lease(store))
            for order in self._book.waiting(self._now()):
                if order.store == store:
                    link.publish(topic(store, "commands"), order.payload)

    def _pass_on(self, link: Link, message: Message, store: str) -> None:
        """A parcel of one box for another: only between boxes whose keys are known from their receipts."""
        box = self._book.box(store)
        if box is None:
            # It comes again within a minute, and the lease's receipt makes the key known.
            return
        parcel = open_parcel(message.payload, store, box)
        now = self._now()
        self._book.pass_on(parcel, self._key, now)
        taken = Order(
            id=parcel.id,
            store=store,
            number=1,
            kind="taken",
            issued=now,
            expires=now + LEASE_S,
        )
        link.publish(topic(store, "commands"), taken.signed(self._key))
