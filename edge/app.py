"""The composition root of the box: sources, processors, outbox and relay of one store, each in its thread."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from edge.config import EdgeFile
from edge.processing import Processor
from edge.runtime import Heartbeat, SensorLoop
from sensors.readings import Source
from sync.clock import Now, clock
from sync.outbox import Outbox
from sync.relay import Relay

log = logging.getLogger("yingke.edge")


def build_loops(config: EdgeFile, outbox: Outbox, now: Now) -> list[SensorLoop]:
    """One loop for each sensor of the configuration. Raises a typed error when a model or a setting is missing."""
    loops = []
    for name, open_source, processor in [*_cameras(config), *_wifi(config, now), *_rfid(config, now)]:
        stale = config.edge.stale_seconds if name in config.edge.counting else None
        loops.append(SensorLoop(name, open_source, processor, outbox, now, stale_after=stale))
    return loops


Part = tuple[str, Callable[[], Source[Any]], Processor[Any]]


def _cameras(config: EdgeFile) -> Sequence[Part]:
    from edge.processors.footfall import FootfallProcessor
    from models.detector import open_detector
    from sensors.camera import open_camera

    return [
        (
            camera.name,
            lambda camera=camera: open_camera(camera),
            FootfallProcessor(camera.name, config.edge.counting[camera.name], open_detector(config.models)),
        )
        for camera in config.sensors.cameras
        if camera.name in config.edge.counting
    ]


def _wifi(config: EdgeFile, now: Now) -> Sequence[Part]:
    from edge.processors.devices import DevicesProcessor
    from sensors.wifi.source import open_wifi

    return [
        (
            wifi.name,
            lambda wifi=wifi: open_wifi(wifi),
            DevicesProcessor(wifi.name, config.edge.devices[wifi.name]),
        )
        for wifi in config.sensors.wifi
        if wifi.name in config.edge.devices
    ]


def _rfid(config: EdgeFile, now: Now) -> Sequence[Part]:
    from edge.processors.tryons import TryOnProcessor
    from sensors.rfid.config import open_rfid

    return [
        (
            rfid.name,
            lambda rfid=rfid: open_rfid(rfid, now),
            TryOnProcessor(rfid.name, config.edge.tryons[rfid.name]),
        )
        for rfid in config.sensors.rfid
        if rfid.name in config.edge.tryons
    ]


def run(config: EdgeFile, stop: threading.Event) -> None:
    """Run the box until ``stop`` is set. What the loops still hold then is in the outbox when this returns."""
    now = clock(config.clock)
    with ExitStack() as stack:
        outbox = stack.enter_context(
            Outbox(config.edge.data / "outbox.db", config.store.id, config.sync.outbox, now=now)
        )
        loops = build_loops(config, outbox, now)
        heartbeat = Heartbeat([loop.status for loop in loops], outbox, now, config.edge.heartbeat_seconds)
        relay = Relay(outbox, config.store.id, config.sync)
        ending = threading.Event()
        sensing = [threading.Thread(target=loop.run, args=(stop,), name=loop.status.sensor) for loop in loops]
        # The relay and the heartbeat end after the sensors, so that the last events still have a chance to go out now.
        others = [
            threading.Thread(target=relay.run, args=(ending,), name="relay"),
            threading.Thread(target=heartbeat.run, args=(ending,), name="heartbeat"),
        ]
        for thread in (*others, *sensing):
            thread.start()
        log.info("store %s: %d sensors, outbox %s", config.store.id, len(loops), config.edge.data / "outbox.db")
        stop.wait()
        for thread in sensing:
            thread.join()
        ending.set()
        for thread in others:
            thread.join()
