"""What a source that reads MQTT is given: whoever may use MQTT connects, the source only receives."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class Message(Protocol):
    """One MQTT message."""

    @property
    def topic(self) -> str: ...

    @property
    def payload(self) -> bytes: ...


class Subscription(Protocol):
    """A connection that receives what was subscribed to. Raises ``SourceError`` once it is lost."""

    def receive(self, timeout: float, /) -> Message | None: ...


Connect = Callable[[Sequence[str]], AbstractContextManager[Subscription]]
"""Connects and subscribes to the given topics. Raises ``SourceError``."""
