"""The edge's half of the way to the centre: sends what the outbox holds until the centre says that it holds it.

What the broker acknowledges means nothing here. Rows leave the backlog only through an ``Ack`` of the centre for this
outbox; after every connect, and when nothing moves, unconfirmed rows are sent again. The centre counts an event once.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.config import SyncConfig
from sync.delivery import Ack, Floor
from sync.events import topic
from sync.mqtt import Broker, Link, LinkLost, MqttBroker, Retry, Session
from sync.outbox import Outbox, OutboxDamaged, OutboxError

log = logging.getLogger(__name__)

PAGE = 200
"""Rows read at once; arrivals wait for one page at most."""
PRUNE_EVERY_S = 60.0
PATIENCE = 4.0
"""No progress for so many usual intervals between acks counts as a stall."""


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """For health: ``backlog`` events wait for the centre; ``last_ack_age`` in seconds, None before the first ack."""

    connected: bool
    backlog: int
    in_flight: int
    last_ack_age: float | None
    full: bool


class Relay:
    """Sends one outbox. ``run`` blocks; ``status`` may be called from other threads.

    ``now`` gives epoch seconds, for what people read; ``monotonic`` gives seconds for what is waited for.
    """

    def __init__(
        self,
        outbox: Outbox,
        config: SyncConfig,
        now: Callable[[], float] = time.time,
        *,
        broker: Broker | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._config = config.relay
        self._now = now
        self._monotonic = monotonic
        self._broker = broker or MqttBroker(config.mqtt)
        self._retry = Retry("relay", config.mqtt.retry_min, config.mqtt.retry_max)
        self._session = Session(
            f"yingke-edge-{outbox.store}",
            # QoS 0: an ack states how things stand, and the next one says it again.
            ((topic(outbox.store, "ack"), 0),),
            available=topic(outbox.store, "available"),
        )
        self._connected = False
        self._last_ack: float | None = None
        self._pruned = float("-inf")
        self._sent = 0
        """Everything up to here was sent by this process, on this or an earlier connection."""
        self._restart(0)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. Raises ``OutboxDamaged``; a disk that is full or fails for a while is waited for."""
        while not stop.is_set():
            try:
                with self._broker.connect(self._session) as link:
                    self._retry.good(f"connected to {self._broker}")
                    self._connected = True
                    self._serve(link, stop)
            except OutboxDamaged:
                raise
            except (LinkLost, OutboxError) as error:
                self._connected = False
                self._retry.wait(error, stop)
            finally:
                self._connected = False

    def status(self) -> RelayStatus:
        """How things stand."""
        outbox = self._outbox.status()
        age = None if self._last_ack is None else max(0.0, self._now() - self._last_ack)
        in_flight = max(0, self._cursor - outbox.confirmed) if self._connected else 0
        return RelayStatus(self._connected, outbox.backlog, in_flight, age, outbox.full)

    def _serve(self, link: Link, stop: threading.Event) -> None:
        self._restart(self._outbox.state.confirmed)
        while not stop.is_set():
            sent = self._send(link)
            message = link.receive(0 if sent else self._config.poll)
            while message is not None:
                ack = Ack.decode(message.payload)
                if ack is not None:
                    self._take(link, ack)
                message = link.receive(0)
            self._watch(link)
            if self._monotonic() - self._pruned >= PRUNE_EVERY_S and not self._outbox.prune():
                self._pruned = self._monotonic()

    def _restart(self, confirmed: int) -> None:
        """Everything after ``confirmed`` is to be sent (again)."""
        self._confirmed = confirmed
        self._cursor = confirmed
        self._sent = max(self._sent, confirmed)
        self._alert_cursor = confirmed
        self._alerts: set[int] = set()
        self._moved = self._monotonic()
        self._progressed: float | None = None
        self._pace = 0.0
        self._wait = self._config.probe_after
        self._wait_mark = confirmed
        self._heard = False
        self._behind: int | None = None
        self._floor_said = float("-inf")

    def _rewind(self) -> None:
        self._cursor = self._alert_cursor = self._confirmed
        self._alerts.clear()

    def _send(self, link: Link) -> bool:
        """Publish what the window allows, arrivals first; whether there was anything."""
        idle = self._cursor == self._confirmed and not self._alerts
        alerts = self._outbox.alerts(self._alert_cursor, PAGE) if len(self._alerts) < self._config.window else []
        for row in alerts:
            link.publish(row.topic, row.payload)
            self._alerts.add(row.seq)
            self._alert_cursor = row.seq
        room = self._config.window - (self._cursor - self._confirmed)
        rows = self._outbox.pending(self._cursor, min(room, PAGE)) if room > 0 and len(alerts) < PAGE else []
        for row in rows:
            if row.seq not in self._alerts:
                link.publish(row.topic, row.payload)
            self._alerts.discard(row.seq)
            self._cursor = row.seq
        self._sent = max(self._sent, self._cursor)
        self._alert_cursor = max(self._alert_cursor, self._cursor)
        if idle and (rows or alerts):
            self._moved, self._progressed = self._monotonic(), None
        return bool(rows or alerts)

    def _take(self, link: Link, ack: Ack) -> None:
        state = self._outbox.state
        if str(ack.outbox) != state.id:
            return
        self._heard = True
        self._last_ack = self._now()
        if ack.renew or ack.through > max(self._sent, self._outbox.inherited):
            # The centre holds numbers that this file never sent: what it has under them is something else.
            self._outbox.renew()
            self._sent = 0
            self._restart(self._outbox.state.confirmed)
            return
        if ack.through + 1 < state.floor and self._monotonic() - self._floor_said > 1.0:
            # The centre waits for events that this file no longer has: an emptied or restored central database.
            self._floor_said = self._monotonic()
            floor = Floor(outbox=ack.outbox, oldest=state.floor)
            link.publish(topic(self._outbox.store, "outbox"), floor.encode())
        # During a replay the centre may hold everything already: then only what was sent again is done.
        # And never more than was sent: until the first new event of a file that went back in time reaches the centre,
        # its acks speak of other events under the numbers that come next.
        through = min(ack.through, self._cursor if self._cursor < state.resend else self._sent)
        self._behind = ack.through if ack.through < state.confirmed else None
        if through > self._confirmed:
            self._advance(through)

    def _advance(self, through: int) -> None:
        self._outbox.confirm(through)
        now = self._monotonic()
        if self._progressed is not None:
            self._pace += 0.2 * (now - self._progressed - self._pace)
        self._moved = self._progressed = now
        self._confirmed = through
        if through > self._cursor:
            self._cursor = through
            self._alerts = {seq for seq in self._alerts if seq > through}
            self._alert_cursor = max(self._alert_cursor, through)
        if through >= self._wait_mark:
            self._wait = min(self._config.resend_after, max(self._config.probe_after, PATIENCE * self._pace))

    def _watch(self, link: Link) -> None:
        """Find stalls: nothing confirmed for a while although something is under way."""
        confirmed = self._outbox.state.confirmed
        if confirmed < self._confirmed:
            log.info("relay: sending again from %d on, as asked", confirmed + 1)
            self._restart(confirmed)
        if link.unacknowledged > 4 * self._config.window + PAGE:
            raise LinkLost(f"{self._broker} acknowledges nothing", "look at the broker's log")
        now = self._monotonic()
        under_way = self._cursor > self._confirmed or self._alerts
        if not under_way or now - self._moved < self._wait:
            return
        if self._behind is not None:
            # Confirmed once and not held any more: the centre was restored from a backup.
            count = self._outbox.replay(self._behind + 1)
            log.warning("relay: the centre is back at %d; sending %d kept events again", self._behind, count)
            self._restart(self._outbox.state.confirmed)
            return
        self._wait_mark = self._cursor
        if self._heard:
            # Somebody listens, and yet something is missing: the broker lost it.
            self._rewind()
        else:
            # Perhaps nobody listens: one event asks, instead of filling the broker again and again.
            for row in self._outbox.pending(self._confirmed, 1):
                link.publish(row.topic, row.payload)
        self._heard = False
        self._moved = now
        self._wait = min(2 * self._wait, self._config.resend_after)


def run_relay(outbox: Outbox, config: SyncConfig, stop: threading.Event, now: Callable[[], float] = time.time) -> None:
    """Relay ``outbox`` until ``stop`` is set; see ``Relay``."""
    Relay(outbox, config, now).run(stop)
