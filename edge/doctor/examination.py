"""All checks of one box, in the order of the report."""

from collections.abc import Iterator
from pathlib import Path

from edge.config import EdgeFile
from edge.doctor.box import (
    check_brokers,
    check_cameras,
    check_clock,
    check_disk,
    check_models,
    check_readers,
    check_recognition,
)
from edge.doctor.findings import Finding, Machine, fail, ok
from edge.doctor.wifi import check_radio
from sensors.wifi.hopping import HoppingConfig
from sync.errors import SyncError
from sync.settings import load


def examine(path: Path, machine: Machine, seconds: float) -> Iterator[Finding]:
    """Each finding as soon as it is known. ``seconds`` of listening for each radio."""
    try:
        config = load(path, EdgeFile)
    except SyncError as error:
        yield fail("config", str(error), error.fix)
        return
    yield ok("config", f"{path}: store {config.store.id}, {len(config.sensors.names())} sensors")
    yield from check_disk(machine, config.edge.data)
    yield from check_clock(machine)
    yield from check_brokers(machine, config)
    yield from check_cameras(machine, config)
    yield from check_readers(machine, config)
    for interface, hopping in radios(config):
        yield from check_radio(machine, interface, hopping, seconds)
    yield from check_models(config)
    yield from check_recognition(config)


def radios(config: EdgeFile) -> list[tuple[str, HoppingConfig | None]]:
    """The interfaces that the configuration listens on or hops, with how."""
    found = []
    for wifi in config.sensors.wifi:
        hopping: HoppingConfig | None = getattr(wifi, "hopping", None)
        interface = getattr(wifi, "interface", None) or (hopping.interface if hopping else None)
        if interface:
            found.append((str(interface), hopping))
    return found
