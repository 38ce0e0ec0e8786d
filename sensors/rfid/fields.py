"""Any other system that sends tags as JSON: the configuration says where in the message each value stands."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sensors.rfid import heard
from sensors.rfid.heard import Heard, Parsed

Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9_@$-]{1,64}(\.[A-Za-z0-9_@$-]{1,64}){0,7}$")]
"""Names with dots between them; a number counts into an array, from 0: ``data.tags.0.epc``."""


class FieldPaths(BaseModel):
    """Where the values stand, such as ``epc: data.idHex``; below ``reads``, where one message holds several."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    epc: Path
    base64: bool = Field(default=False, description="the EPC is base64, not hex")
    antenna: Path | None = None
    rssi: Path | None = None
    rssi_scale: Annotated[float, Field(gt=0, le=100, description="to dBm: 0.01 for hundredths")] = 1.0
    time: Annotated[
        Path | None, Field(description="ISO 8601 with its zone, or epoch seconds, milli-, micro- or nanoseconds")
    ] = None
    reads: Annotated[Path | None, Field(description="the array of reads; none given: the message, or an array")] = None


def parse_fields(payload: bytes, paths: FieldPaths, antenna: int = 0) -> Parsed:
    """The reads in one message; a path that leads nowhere is an absent value, except for ``epc`` and ``reads``."""
    root = heard.document(payload)
    if paths.reads is not None:
        root = follow(root, paths.reads)
        if not isinstance(root, list):
            raise heard.refused(f"no array at {paths.reads}")
    return heard.each(root if isinstance(root, list) else [root], lambda item: _read(item, paths, antenna))


def _read(item: Any, paths: FieldPaths, antenna: int) -> Heard:
    epc = follow(item, paths.epc)
    when, port, level = (
        None if path is None else follow(item, path) for path in (paths.time, paths.antenna, paths.rssi)
    )
    return Heard(
        heard.moment_of(when),
        heard.epc_of_base64(epc) if paths.base64 else heard.epc_of(epc),
        heard.antenna_of(port, antenna),
        heard.rssi_of(level, paths.rssi_scale),
    )


def follow(value: Any, path: str) -> Any:
    """What stands at ``path`` below ``value``, or None."""
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
