"""Other systems' MQTT messages over our connection: joins ``sync.mqtt`` to ``sensors``, which may not import it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from sensors.errors import SourceError
from sensors.subscription import Subscription
from sync.mqtt import Broker, Link, LinkLost, Message, Session


class _Subscribed:
    def __init__(self, link: Link, whose: str, setting: str) -> None:
        self._link = link
        self._whose = whose
        self._setting = setting

    def receive(self, timeout: float, /) -> Message | None:
        try:
            return self._link.receive(timeout)
        except LinkLost as error:
            raise _lost(error, self._whose, self._setting) from error


def subscriber(
    broker: Broker, client_id: str, whose: str = "Frigate", setting: str = "edge.frigate_broker"
) -> Callable[[Sequence[str]], AbstractContextManager[Subscription]]:
    """What a source connects with: QoS 0, nothing kept while we are away. ``whose`` messages and ``setting`` are told.

    What waited at the broker would come late and all at once; a read or a sighting counts at its moment or not at all.
    """

    @contextmanager
    def connect(topics: Sequence[str]) -> Iterator[Subscription]:
        session = Session(client_id, tuple((topic, 0) for topic in topics))
        try:
            with broker.connect(session) as link:
                yield _Subscribed(link, whose, setting)
        except LinkLost as error:
            raise _lost(error, whose, setting) from error

    return connect


def _lost(error: LinkLost, whose: str, setting: str) -> SourceError:
    return SourceError(f"{whose}'s {error}", f"start the broker, or correct {setting} (or sync.mqtt)")
