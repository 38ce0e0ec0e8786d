"""Joins the access points of the configuration to their sources and processors."""

from collections.abc import Callable
from functools import partial
from typing import Any

from edge.config import EdgeFile
from edge.processing import Processor
from edge.processors.clients import ClientsProcessor
from edge.subscribing import subscriber
from sensors.readings import Source
from sensors.wifi.feeds.config import MerakiConfig, OpenWrtConfig, SnifferConfig
from sensors.wifi.feeds.lines import OpenWrtSource
from sensors.wifi.feeds.receiver import MerakiSource
from sensors.wifi.feeds.sniffers import SnifferSource
from sync.clock import Now
from sync.mqtt import MqttBroker

Feed = MerakiSource | OpenWrtSource | SnifferSource
Part = tuple[str, Callable[[], Source[Any]], Processor[Any]]


class OpenedFeed:
    """Opens a feed, and tells how much of all that it opened could not be read."""

    def __init__(self, open_feed: Callable[[], Feed]) -> None:
        self._open = open_feed
        self._before = 0
        self._current: Feed | None = None

    def __call__(self) -> Source[Any]:
        self._before = self.malformed()
        self._current = self._open()
        return self._current

    def malformed(self) -> int:
        """Since the start of this process."""
        return self._before + (self._current.malformed if self._current else 0)


def feed_parts(config: EdgeFile, now: Now) -> list[Part]:
    """Name, opener and processor of each access point."""
    parts: list[Part] = []
    for feed in config.sensors.access_points:
        opened = OpenedFeed(partial(_open, feed, config, now))
        parts.append(
            (feed.name, opened, ClientsProcessor(feed.name, config.edge.access_points[feed.name], opened.malformed))
        )
    return parts


def _open(feed: MerakiConfig | OpenWrtConfig | SnifferConfig, config: EdgeFile, now: Now) -> Feed:
    if isinstance(feed, MerakiConfig):
        return MerakiSource(feed, now)
    if isinstance(feed, OpenWrtConfig):
        return OpenWrtSource(feed, now)
    broker = MqttBroker(config.edge.sniffer_broker or config.sync.mqtt)
    connect = subscriber(broker, f"yingke-{config.store.id}-{feed.name}", "the sniffers'", "edge.sniffer_broker")
    return SnifferSource(feed, connect, now)
