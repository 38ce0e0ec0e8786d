"""Messages of Frigate, sniffers and RFID readers over our MQTT connection: joins ``sync.mqtt`` to ``sensors``.

Sources may not import it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from sensors.errors import SourceError
from sensors.subscription import Subscription
from sync.mqtt import Broker, Link, LinkLost, Message, Session


class _Subscribed:
    def __init__(self, link: Link, lost: Callable[[LinkLost], SourceError]) -> None:
        self._link = link
        self._lost = lost

    def receive(self, timeout: float, /) -> Message | None:
        try:
            return self._link.receive(timeout)
        except LinkLost as error:
            raise self._lost(error) from error


def subscriber(
    broker: Broker, client_id: str, whose: str = "Frigate's", section: str = "edge.frigate_broker"
) -> Callable[[Sequence[str]], AbstractContextManager[Subscription]]:
    """What a source connects with: QoS 0, and nothing kept while we are away.

    ``whose`` and ``section`` are for the sentence that says what is lost.
    """

    def lost(error: LinkLost) -> SourceError:
        return SourceError(f"{whose} {error}", f"start the broker, or correct {section} (or sync.mqtt)")

    @contextmanager
    def connect(topics: Sequence[str]) -> Iterator[Subscription]:
        session = Session(client_id, tuple((topic, 0) for topic in topics))
        try:
            with broker.connect(session) as link:
                yield _Subscribed(link, lost)
        except LinkLost as error:
            raise lost(error) from error

    return connect
