"""The box's half of orders: checks what the centre tells it to do, does it once, and says so with a signed receipt."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sync.config import MqttConfig
from sync.events import topic, uuid7
from sync.members.errors import MemberError
from sync.members.guides import Guides
from sync.members.register import Register
from sync.members.sealed import Parcel, SealKey, unpack
from sync.mqtt import Broker, Link, LinkLost, MqttBroker, Retry, Session
from sync.orders import Order, OrderRefused, Outcome, Public, Receipt, open_order
from sync.signing import SigningKey

log = logging.getLogger(__name__)

IDLE_S = 0.5
"""How soon a stop is seen."""
KEY_FILE = "box.key"
SEAL_FILE = "box-seal.key"
AGAIN_S = 60.0
"""A parcel that the centre has not taken is sent again after so long."""


class OrdersConfig(BaseModel):
    """Whose orders the box takes. Without it the box takes none: erase on the box itself, with ``yingke erase``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    centre: Annotated[Public | None, Field(description="the centre's public key, as yingke keys prints it")] = None
    lease: bool = Field(default=False, description="recognise only while the centre's lease of 24 hours lasts")

    @model_validator(mode="after")
    def _from_somebody(self) -> Self:
        if self.lease and self.centre is None:
            raise ValueError("a lease needs centre: whose lease it is")
        return self


class OrderTaker:
    """``run`` blocks; the register decides what is done, once, and remembers the receipt.

    ``now`` gives epoch seconds.
    """

    def __init__(
        self,
        register: Register,
        key: SigningKey,
        centre: str,
        config: MqttConfig,
        now: Callable[[], float],
        *,
        seal: SealKey | None = None,
        guides: Guides | None = None,
        broker: Broker | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seal = seal
        self._guides = guides
        self._monotonic = monotonic
        self._register = register
        self._key = key
        self._centre = centre
        self._now = now
        self._store = register.store
        self._broker = broker or MqttBroker(config)
        self._retry = Retry("orders", config.retry_min, config.retry_max)
        # Persistent: what was ordered while the box was away waits at the broker, if it keeps it; the centre sends
        # again what has no receipt either way.
        self._session = Session(f"yingke-orders-{self._store}", ((topic(self._store, "commands"), 1),), True)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. A lost broker is waited for."""
        while not stop.is_set():
            try:
                with self._broker.connect(self._session) as link:
                    self._retry.good(f"connected to {self._broker}")
                    link.publish(topic(self._store, "receipts"), self._hello())
                    sent = float("-inf")
                    while not stop.is_set():
                        if self._monotonic() - sent >= AGAIN_S:
                            sent = self._monotonic()
                            self._post(link)
                        self._one(link)
            except LinkLost as error:
                self._retry.wait(error, stop)

    def _hello(self) -> bytes:
        now = self._now()
        hello = Receipt(
            order=uuid7(now), store=self._store, kind="hello", outcome="done", time=now, box=self._key.public
        )
        return hello.signed(self._key)

    def _post(self, link: Link) -> None:
        for parcel in self._register.outgoing():
            link.publish(topic(self._store, "sealed"), parcel.encode())

    def _one(self, link: Link) -> None:
        message = link.receive(IDLE_S)
        if message is None:
            return
        try:
            receipt = self.carry_out(message.payload)
        except OrderRefused as error:
            log.warning("orders: %s; %s", error, error.fix)
        except MemberError as error:
            # Not acknowledged: it comes again at the next connect, and the centre sends it again.
            log.error("orders: %s; %s", error, error.fix)
            return
        else:
            link.publish(topic(self._store, "receipts"), receipt)
        link.acknowledge(message)

    def carry_out(self, payload: bytes) -> bytes:
        """Do what a message says, and return the signed receipt. Raises ``OrderRefused``, ``MemberError``."""
        order = open_order(payload, self._store, self._centre, self._now())
        known = self._register.receipt(str(order.id))
        if known is not None:
            return known.encode()
        if order.about is not None and order.number <= self._register.number(order.about):
            raise OrderRefused("rollback", f"order {order.id} is older than what was done for {order.about}")
        if order.kind == "taken":
            self._register.taken(str(order.id))
        outcome, templates = self._do(order)
        receipt = Receipt(
            order=order.id,
            store=self._store,
            kind=order.kind,
            member=order.member,
            outcome=outcome,
            templates=templates,
            time=self._now(),
            box=self._key.public,
        ).signed(self._key)
        if order.about is not None:
            self._register.carried(str(order.id), order.about, order.number, receipt.decode(), self._now())
        return receipt

    def _do(self, order: Order) -> tuple[Outcome, int]:
        if order.kind == "lease" and order.until is not None:
            self._register.lease(order.until)
            return "done", 0
        if order.kind == "erase" and order.member is not None:
            erased = self._register.erase(order.member, self._now(), "centre", str(order.id))
            log.info("orders: %s erased, %d templates", order.member, erased.templates)
            return "done", erased.templates
        if order.kind == "guide_out" and order.guide is not None:
            return self._let_go(order.guide), 0
        if order.kind == "template" and order.parcel is not None:
            return self._admit(order), 0
        return "done", 0

    def _let_go(self, guide: str) -> Outcome:
        """No PIN and no session of the guide's works from now on. One who is not known here cannot log in either."""
        if self._guides is None:
            return "failed"
        if self._guides.remove(guide):
            log.info("orders: guide %s is out", guide)
        return "done"

    def _admit(self, order: Order) -> Outcome:
        try:
            parcel = Parcel.model_validate_json(order.parcel or "")
            if self._seal is None or parcel.to != self._store or parcel.member != order.member:
                return "unreadable"
            vectors, consents = unpack(parcel, self._seal)
            self._register.admit(parcel.member, parcel.model, vectors, consents, self._now())
        except (ValueError, KeyError):
            return "unreadable"
        except MemberError as error:
            answers: dict[str, Outcome] = {"erased": "erased", "no_consent": "no_consent", "altered": "unreadable"}
            if error.code not in answers:
                raise
            return answers[error.code]
        return "done"


def box_key(data: Path) -> SigningKey:
    """The signing key of the box whose folder this is; made at first use. Raises ``KeyFileError``."""
    return SigningKey.open_or_make(data / KEY_FILE)
