"""Checks of everything but the radio: configuration, disk, clock, brokers, cameras, readers, models, recognition."""

import time
from collections.abc import Iterator
from pathlib import Path

from edge.config import EdgeFile
from edge.doctor.findings import Finding, Machine, fail, ok, warn
from models.errors import ModelError
from models.registry import MODELS, available, find
from sensors.camera_config import CameraConfig
from sensors.errors import SensorError
from sensors.rfid.config import LlrpConfig
from sync.config import MqttConfig
from sync.errors import SyncError

LEAST_FREE = 500_000_000
"""Bytes under which the box soon stops taking events (fail); four times of it is a warning."""
FLAGGED_S, WRONG_S = 1.0, 5.0
"""Clock errors, seconds: from the first arrivals and windows blur, from the second on skew is flagged at the centre."""


def check_disk(machine: Machine, folder: Path) -> list[Finding]:
    """The folder of the outbox can be written, and has room."""
    try:
        machine.write(folder)
        disk = machine.disk(folder)
    except OSError as error:
        fix = f"create it for the service's user: install -d -m 700 -o yingke {folder}"
        return [fail("disk", f"{folder} cannot be written: {error.strerror}", fix)]
    said = f"{folder}: {disk.free / 1e9:.1f} GB free of {disk.total / 1e9:.1f}"
    if disk.free < LEAST_FREE:
        return [fail("disk", said, "make room: the box stops taking events when the disk is full")]
    if disk.free < 4 * LEAST_FREE:
        return [warn("disk", said, "make room, or lower sync.outbox.max_megabytes")]
    return [ok("disk", said)]


def check_clock(machine: Machine) -> list[Finding]:
    """Something keeps the clock, and it is right."""
    state = machine.clock()
    if state is None:
        return [
            warn("clock", "this system does not tell whether its clock is kept", "compare it with another: date -u")
        ]
    error = f"at most {state.error_s:.3g} s off"
    if not state.synchronised:
        return [fail("clock", "nothing keeps the clock", "switch NTP on: timedatectl set-ntp true; or install chrony")]
    if state.error_s > FLAGGED_S:
        fix = "look at its servers: timedatectl timesync-status, or chronyc tracking"
        return [(fail if state.error_s > WRONG_S else warn)("clock", error, fix)]
    return [ok("clock", error)]


def check_brokers(machine: Machine, config: EdgeFile) -> list[Finding]:
    """Each broker that the configuration uses answers, and takes the login."""
    brokers = {"broker": config.sync.mqtt}
    if config.sensors.frigate and config.edge.frigate_broker:
        brokers["frigate broker"] = config.edge.frigate_broker
    if config.edge.sniffer_broker and any(feed.type == "sniffer" for feed in config.sensors.access_points):
        brokers["sniffer broker"] = config.edge.sniffer_broker
    return [_broker(machine, name, broker) for name, broker in brokers.items()]


def _broker(machine: Machine, name: str, config: MqttConfig) -> Finding:
    where = f"{config.host}:{config.port}"
    try:
        machine.broker(config)
    except SyncError as error:
        return fail(name, f"{where}: {error}", error.fix)
    return ok(name, f"{where} answers")


def check_cameras(machine: Machine, config: EdgeFile) -> Iterator[Finding]:
    """Each camera gives a picture."""
    for camera in config.sensors.cameras:
        yield _camera(machine, camera.name, camera)


def _camera(machine: Machine, name: str, config: CameraConfig) -> Finding:
    try:
        width, height = machine.picture(config)
    except SensorError as error:
        return fail(f"camera {name}", str(error), error.fix)
    return ok(f"camera {name}", f"{config.address}: {width}x{height}")


def check_readers(machine: Machine, config: EdgeFile) -> Iterator[Finding]:
    """Each LLRP reader's port takes a connection."""
    for reader in config.sensors.rfid:
        if not isinstance(reader, LlrpConfig):
            continue
        where = f"{reader.host}:{reader.port}"
        try:
            machine.reach(reader.host, reader.port, reader.answer_seconds)
        except OSError as error:
            fix = f"check power and network of the reader: ping {reader.host}; and that LLRP is switched on"
            yield fail(f"reader {reader.name}", f"{where}: {error.strerror or error}", fix)
        else:
            yield ok(f"reader {reader.name}", f"{where} takes connections")


def check_models(config: EdgeFile) -> Iterator[Finding]:
    """The models that this configuration needs are there, with the right content; others that are there, too."""
    needed = set()
    if config.sensors.cameras:
        needed.add("yolox_nano")
    directory = config.models.directory
    for name in sorted(MODELS):
        if name not in needed and not available(name, directory):
            continue
        try:
            paths = find(name, directory)
        except ModelError as error:
            yield (fail if name in needed else warn)(f"model {name}", str(error), error.fix)
        else:
            yield ok(f"model {name}", f"{paths[0].parent}, as published")


def check_recognition(config: EdgeFile) -> list[Finding]:
    """Mode entrance has a site check that holds, of the encoder that would run."""
    recognition = config.edge.recognition
    if recognition.mode != "entrance":
        return [ok("recognition", f"mode {recognition.mode}")]
    from edge.processors.site_check import must_hold
    from models.encoders import model_of, open_encoder

    try:
        encoder = open_encoder(config.models)
        check = must_hold(recognition, config.store.id, model_of(encoder), time.time())
    except ModelError as error:
        return [fail("recognition", str(error), error.fix)]
    return [ok("recognition", f"site check of {check.day}: at most {check.upper_95:.1%} false alerts")]
