"""Frigate's messages over our MQTT connection: joins ``sync.mqtt`` to ``sensors.frigate``, which may not import it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from sensors.errors import SourceError
from sensors.frigate import Subscription
from sync.mqtt import Broker, Link, LinkLost, Message, Session


class _Subscribed:
    def __init__(self, link: Link) -> None:
        self._link = link

    def receive(self, timeout: float, /) -> Message | None:
        try:
            return self._link.receive(timeout)
        except LinkLost as error:
            raise _lost(error) from error


def subscriber(broker: Broker, client_id: str) -> Callable[[Sequence[str]], AbstractContextManager[Subscription]]:
    """What ``FrigateSource`` connects with: QoS 0 as Frigate publishes, nothing kept while we are away."""

    @contextmanager
    def connect(topics: Sequence[str]) -> Iterator[Subscription]:
        session = Session(client_id, tuple((topic, 0) for topic in topics))
        try:
            with broker.connect(session) as link:
                yield _Subscribed(link)
        except LinkLost as error:
            raise _lost(error) from error

    return connect


def _lost(error: LinkLost) -> SourceError:
    return SourceError(f"Frigate's {error}", "start the broker, or correct edge.frigate_broker (or sync.mqtt)")
