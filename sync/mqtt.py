"""MQTT behind one small seam: the only module that imports paho.

A ``Link`` is one connection. It has no thread: it works while its owner calls ``receive``, and only its owner's thread
may touch it. Nothing of one connection outlives it: whoever publishes keeps what must be sent again (the outbox), and
what was not acknowledged to the broker comes again from the broker.
"""

import logging
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sync.config import MqttConfig
from sync.errors import SyncError

log = logging.getLogger(__name__)

ONLINE, OFFLINE = b"online", b"offline"
FAREWELL_S = 1.0
"""How long a clean end waits until the broker has taken the last words."""
READ_AHEAD = 2000
"""Messages read per ``receive`` at most, so that a fast broker does not keep the owner from working."""
NO_LIMIT = 65535
"""As many publications may be under way as MQTT has packet identifiers; the owner limits itself."""


class LinkLost(SyncError):
    """The connection cannot be made or was lost. Connect again."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message received. ``token`` is the broker's packet identifier, for ``Link.acknowledge``."""

    topic: str
    payload: bytes
    qos: int
    token: int


@dataclass(frozen=True, slots=True)
class Session:
    """Who connects, and what for.

    ``subscriptions`` are (filter, QoS). A ``persistent`` session is kept by the broker while we are away: one fixed
    ``client_id``. On the topic ``available`` a retained ``online`` is published at every connect, and ``offline``
    at the end: by us, or by the broker as our last will.
    """

    client_id: str
    subscriptions: tuple[tuple[str, int], ...] = ()
    persistent: bool = False
    available: str | None = None


class Link(Protocol):
    """One connection, used by one thread. Every method raises ``LinkLost`` once the connection is gone."""

    @property
    def unacknowledged(self) -> int:
        """QoS 1 publications that the broker has not acknowledged. (That it did says nothing about durability.)"""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send; does not wait."""

    def receive(self, timeout: float) -> Message | None:
        """The next message, or None when none came within ``timeout`` seconds (0 looks without waiting)."""

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that ``message`` is safe with us. Until then it comes again at the next connect."""


class Broker(Protocol):
    """Where links come from."""

    def connect(self, session: Session) -> AbstractContextManager[Link]:
        """Connect and subscribe. Raises ``LinkLost``. Leaving says goodbye, unless the link is lost or on an error."""

    def __str__(self) -> str:
        """For people: where it is."""


class MqttBroker:
    """A broker that speaks MQTT 3.1.1, over TCP or TLS."""

    def __init__(self, config: MqttConfig) -> None:
        self._config = config

    def __str__(self) -> str:
        return f"MQTT broker {self._config.host}:{self._config.port}"

    @contextmanager
    def connect(self, session: Session) -> Iterator[Link]:
        """See ``Broker.connect``."""
        link = _PahoLink(self._config, session)
        try:
            link.open()
            yield link
            with suppress(LinkLost):
                link.farewell()
        finally:
            link.close()


class _PahoLink:
    def __init__(self, config: MqttConfig, session: Session) -> None:
        self._config = config
        self._session = session
        self._where = f"{config.host}:{config.port}"
        self._inbox: deque[Message] = deque()
        self._connack: ReasonCode | None = None
        self._granted: dict[int, bool] = {}
        self._under_way: set[int] = set()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            session.client_id,
            clean_session=not session.persistent,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages = NO_LIMIT
        client.connect_timeout = config.connect_timeout
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client

    @property
    def unacknowledged(self) -> int:
        return len(self._under_way)

    def open(self) -> None:
        config = self._config
        if config.username is not None:
            self._client.username_pw_set(config.username, config.password())
        if config.tls is not None:
            self._tls()
        if self._session.available is not None:
            self._client.will_set(self._session.available, OFFLINE, qos=1, retain=True)
        try:
            self._check(self._client.connect(config.host, config.port, config.keepalive))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise self._lost(f"cannot connect: {reason}") from error
        self._until(lambda: self._connack is not None, "no answer to CONNECT")
        if self._connack is None or self._connack.is_failure:
            raise self._lost(f"refused: {self._connack}")
        for topic, qos in self._session.subscriptions:
            rc, mid = self._client.subscribe(topic, qos)
            self._check(rc)
            assert mid is not None
            self._until(lambda mid=mid: mid in self._granted, "no answer to SUBSCRIBE")
            if not self._granted[mid]:
                raise self._lost(f"not allowed to subscribe to {topic}")
        if self._session.available is not None:
            self.publish(self._session.available, ONLINE, retain=True)

    def farewell(self) -> None:
        if self._session.available is not None:
            self.publish(self._session.available, OFFLINE, retain=True)
        deadline = time.monotonic() + FAREWELL_S
        while self.unacknowledged and time.monotonic() < deadline:
            self._pump(0.05)
        self._client.disconnect()

    def close(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            # Without a DISCONNECT: the broker publishes the last will.
            sock.close()
        self._client.on_connect = self._client.on_subscribe = self._client.on_publish = self._client.on_message = None

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        sent = self._client.publish(topic, payload, qos, retain)
        self._check(sent.rc)
        if qos > 0:
            self._under_way.add(sent.mid)

    def receive(self, timeout: float) -> Message | None:
        if not self._inbox:
            self._pump(timeout)
        return self._inbox.popleft() if self._inbox else None

    def acknowledge(self, message: Message) -> None:
        self._check(self._client.ack(message.token, message.qos))

    def _pump(self, timeout: float) -> None:
        """Wait for the socket once, then read whatever is there."""
        self._check(self._client.loop(timeout))
        before = 0
        while before < len(self._inbox) < READ_AHEAD:
            before = len(self._inbox)
            self._check(self._client.loop_read())

    def _until(self, done: "_Condition", failure: str) -> None:
        deadline = time.monotonic() + self._config.connect_timeout
        while not done():
            if time.monotonic() > deadline:
                raise self._lost(failure)
            self._pump(0.05)

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            refused = self._connack is not None and self._connack.is_failure
            raise self._lost(f"refused: {self._connack}" if refused else paho.error_string(code).rstrip("."))

    def _lost(self, reason: str) -> LinkLost:
        return LinkLost(f"MQTT broker {self._where}: {reason}", "start the broker, or correct sync.mqtt")

    def _tls(self) -> None:
        tls = self._config.tls
        assert tls is not None
        ca, certificate, key = (None if path is None else str(path) for path in (tls.ca, tls.certificate, tls.key))
        try:
            self._client.tls_set(ca, certificate, key, cert_reqs=ssl.CERT_REQUIRED)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise LinkLost(f"the TLS files cannot be used: {reason}", "correct sync.mqtt.tls") from error

    def _on_connect(
        self, client: paho.Client, data: object, flags: object, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._connack = code

    def _on_subscribe(
        self, client: paho.Client, data: object, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._granted[mid] = not any(code.is_failure for code in codes)

    def _on_publish(
        self, client: paho.Client, data: object, mid: int, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._under_way.discard(mid)

    def _on_message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        self._inbox.append(Message(topic, bytes(message.payload), message.qos, message.mid))


class _Condition(Protocol):
    def __call__(self) -> bool: ...


class Retry:
    """Waits between attempts: full jitter, growing; and one log line per change of state, not per attempt."""

    def __init__(self, name: str, low: float, high: float, rng: random.Random | None = None) -> None:
        self._name = name
        self._low = low
        self._high = high
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not secrets
        self._attempt = 0
        self._up = False
        self._said: str | None = None

    def good(self, what: str) -> None:
        """It works (again)."""
        if not self._up:
            log.info("%s: %s", self._name, what)
        self._up, self._said, self._attempt = True, None, 0

    def wait(self, error: SyncError, stop: threading.Event) -> None:
        """After ``error``, until it is time to try again or ``stop`` is set."""
        self._up = False
        if self._said != str(error):
            self._said = str(error)
            log.warning("%s: %s; trying again until it works (%s)", self._name, error, error.fix)
        most = min(self._high, 2 * self._low * 2.0 ** min(self._attempt, 16))
        stop.wait(self._rng.uniform(self._low, max(self._low, most)))
        self._attempt += 1
