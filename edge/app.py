"""The composition root of the box: sources, processors, outbox and relay of one store, each in its thread."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from edge.audit.counting import digests
from edge.audit.ledger import Ledger
from edge.config import EdgeFile
from edge.feeds import feed_parts
from edge.hopping import Hopping, open_hoppers
from edge.members import Members, open_members
from edge.processing import Processor
from edge.processors.badges import BadgeBoard, BadgeProcessor
from edge.processors.devices import DevicesProcessor
from edge.processors.doors import DoorBoard, Noting, nights
from edge.processors.followed import FollowedProcessor
from edge.processors.footfall import FootfallProcessor
from edge.processors.items import ItemsProcessor
from edge.processors.tryon_calibration import calibrated
from edge.processors.tryons import TryOnProcessor
from edge.runtime import Heartbeat, SensorLoop
from edge.subscribing import subscriber
from models.gate import open_people
from sensors.camera import CameraSource
from sensors.frigate import FrigateSource
from sensors.readings import Attention, ProbeRequest, Source
from sensors.rfid.config import open_rfid
from sensors.wifi.hopping import Hopper
from sensors.wifi.source import AnyWifi, open_wifi
from sync.clock import Now, clock, sleeper
from sync.errors import SyncError
from sync.mqtt import MqttBroker
from sync.outbox import Outbox
from sync.relay import Relay

log = logging.getLogger("yingke.edge")

Part = tuple[str, Callable[[], Source[Any]], Processor[Any]]


def build_loops(
    config: EdgeFile,
    outbox: Outbox,
    now: Now,
    members: Members | None = None,
    hoppers: Mapping[str, Hopper] | None = None,
) -> list[SensorLoop]:
    """One loop for each sensor of the configuration. Raises a typed error when a model or a setting is missing."""
    loops, board, doors = [], BadgeBoard(), DoorBoard(nights(config.store))
    cameras = {camera.name for camera in config.sensors.cameras}
    for name, open_source, processor in [
        *_cameras(config, now, board, members),
        *_frigate(config, now, board),
        *_wifi(config, now, doors, hoppers or {}),
        *feed_parts(config, now),
        *_rfid(config, now, board, members),
    ]:
        stale = config.edge.stale_seconds if name in cameras else None
        loops.append(SensorLoop(name, open_source, processor, Noting(outbox, doors), now, stale_after=stale))
    for camera in config.sensors.cameras:
        status = next(loop.status for loop in loops if loop.status.sensor == camera.name)
        status.counting = digests(config.edge.counting[camera.name], config.models_of(camera.name), camera.max_fps)
        status.encoder = members.encoders.get(camera.name) if members else None
    return loops


def _cameras(config: EdgeFile, now: Now, board: BadgeBoard, members: Members | None) -> list[Part]:
    parts: list[Part] = []
    sleep = sleeper(config.clock)
    for camera in config.sensors.cameras:
        # A detector, and with it an inference thread, for each camera.
        detector = open_people(config.models_of(camera.name))
        finders = members.finders(camera.name) if members else ()
        processor = FootfallProcessor(camera.name, config.edge.counting[camera.name], detector, board, finders)
        parts.append((camera.name, partial(CameraSource, camera, clock=now, sleep=sleep), processor))
    return parts


def _frigate(config: EdgeFile, now: Now, board: BadgeBoard) -> list[Part]:
    parts: list[Part] = []
    broker = MqttBroker(config.edge.frigate_broker or config.sync.mqtt)
    for camera in config.sensors.frigate:
        connect = subscriber(broker, f"yingke-{config.store.id}-{camera.name}")
        processor = FollowedProcessor(camera.name, config.edge.counting[camera.name], "frigate", board)
        parts.append((camera.name, partial(FrigateSource, camera, connect, now), processor))
    return parts


def _wifi(config: EdgeFile, now: Now, doors: DoorBoard, hoppers: Mapping[str, Hopper]) -> list[Part]:
    parts: list[Part] = []
    for wifi in config.sensors.wifi:
        opened = Opened(partial(open_wifi, wifi, now))
        kept = config.edge.data / f"wifi-{wifi.name}.db"
        settings = config.edge.devices[wifi.name]
        processor: Processor[Any] = DevicesProcessor(wifi.name, settings, opened.malformed, doors, kept)
        if wifi.name in hoppers:
            processor = Hopping(processor, hoppers[wifi.name])
        parts.append((wifi.name, opened, processor))
    return parts


def _rfid(config: EdgeFile, now: Now, board: BadgeBoard, members: Members | None) -> list[Part]:
    parts: list[Part] = []
    broker = MqttBroker(config.edge.rfid_broker or config.sync.mqtt)
    for rfid in config.sensors.rfid:
        tryons, badges = config.edge.tryons.get(rfid.name), config.edge.badges.get(rfid.name)
        processor: Processor[Any] | None = TryOnProcessor(rfid.name, calibrated(tryons)) if tryons else None
        if rfid.name in config.edge.items:
            rooms = tryons.rooms if tryons else {}
            processor = ItemsProcessor(rfid.name, config.edge.items[rfid.name], rooms, processor)
        if badges is not None:
            processor = BadgeProcessor(rfid.name, badges, board, processor)
        if members is not None:
            processor = members.of_reader(rfid.name, processor)
        assert processor is not None, "the configuration has a use for every reader"
        connect = subscriber(broker, f"yingke-{config.store.id}-{rfid.name}", "RFID's", "edge.rfid_broker")
        parts.append((rfid.name, partial(open_rfid, rfid, now, connect), processor))
    return parts


class Opened:
    """Opens a Wi-Fi source, and tells how many damaged frames all that it opened have seen."""

    def __init__(self, open_source: Callable[[], AnyWifi]) -> None:
        self._open = open_source
        self._before = 0
        self._current: AnyWifi | None = None

    def __call__(self) -> Source[ProbeRequest | Attention]:
        self._before = self.malformed()
        self._current = self._open()
        return self._current

    def malformed(self) -> int:
        """Since the start of this process."""
        return self._before + (self._current.malformed if self._current else 0)


def send_audits(config: EdgeFile, outbox: Outbox) -> None:
    """What was audited while there was no outbox to take it. A ledger in disorder is no reason not to count."""
    try:
        Ledger(config.edge.data, config.store.id).hand_over(outbox)
    except SyncError as error:
        log.error("audits wait: %s; %s", error, error.fix)


def run(config: EdgeFile, stop: threading.Event) -> None:
    """Run the box until ``stop`` is set. What the loops still hold then is in the outbox when this returns.

    Raises ``OutboxError`` when the outbox cannot be used (any more).
    """
    now = clock(config.clock)
    with (
        Outbox(config.edge.data / "outbox.db", config.store.id, config.sync.outbox, now) as outbox,
        open_members(config, now) as members,
    ):
        hoppers = open_hoppers(config)
        loops = build_loops(config, outbox, now, members, hoppers)
        heartbeat = Heartbeat([loop.status for loop in loops], outbox, now, config.edge.heartbeat_seconds)
        relay = Relay(outbox, config.sync)
        send_audits(config, outbox)
        log.info("store %s: %d sensors, outbox %s", config.store.id, len(loops), outbox.path)
        ending = threading.Event()
        about_members = members.running() if members else []
        beside = [*about_members, *(hopper.run for hopper in hoppers.values())]
        with ThreadPoolExecutor(len(loops) + 2 + len(beside), "edge") as pool:
            others = [pool.submit(relay.run, ending), pool.submit(heartbeat.run, ending)]
            others += [pool.submit(part, ending) for part in beside]
            sensing = [pool.submit(loop.run, stop) for loop in loops]
            for future in (*others, *sensing):
                future.add_done_callback(lambda done: stop.set() if done.exception() else None)
            try:
                stop.wait()
                # The relay and the heartbeat end after the sensors: the last events still have a chance to go out now.
                wait(sensing)
            finally:
                # Also when a second Ctrl-C cuts this short: the pool waits for all of them.
                stop.set()
                ending.set()
        for future in (*others, *sensing):
            future.result()
