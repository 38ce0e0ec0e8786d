"""The calibration page: a picture of the camera, lines and zones drawn on it, checked at once, saved into the file."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.local.watching import CameraWatch, Looked
from models.config import ModelsConfig
from models.geometry_check import DrawnLine, DrawnZone, Finding, check, reason, suggested_anchor
from models.input_size import LEAST_PX, Proposal, propose
from models.lines import Anchor, Point
from sensors.config import NamedCamera, SensorsConfig
from sensors.still import jpeg
from sync.settings import ConfigError, load
from sync.settings_edit import SettingsFile, rewrite

_POINTS = 40
"""Of a walk on the page."""
_WALKS = 60
_DIGITS = 4
"""Of a share of the picture in the file: a fifth of a pixel at 1080p."""

Place = Annotated[float, Field(ge=-1, le=2, allow_inf_nan=False)]
"""Wider than the picture: what lies outside is told by the checks, in words."""


class CalibrationFile(BaseModel):
    """What calibration reads of ``config.yaml``: it may lack the very lines that are to be drawn."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    sensors: SensorsConfig = SensorsConfig()
    models: ModelsConfig = ModelsConfig()


class LineIn(BaseModel):
    """A line as it is drawn on the page; ``former`` is its name in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(max_length=80)]
    former: str | None = None
    start: tuple[Place, Place]
    end: tuple[Place, Place]
    entering: Literal["positive", "negative"]
    anchor: Anchor = "centre"


class ZoneIn(BaseModel):
    """A zone as it is drawn on the page."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(max_length=80)]
    former: str | None = None
    polygon: Annotated[tuple[tuple[Place, Place], ...], Field(max_length=64)]
    kind: Literal["dwell", "queue"] = "dwell"
    anchor: Anchor = "foot"


class Drawing(BaseModel):
    """Everything that is drawn for one camera."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    camera: str
    lines: Annotated[tuple[LineIn, ...], Field(max_length=32)] = ()
    zones: Annotated[tuple[ZoneIn, ...], Field(max_length=32)] = ()


class Saving(Drawing):
    """``revision`` is of the file that was drawn on; ``size`` is set when the operator accepted the proposal."""

    revision: str
    size: Annotated[int, Field(ge=128, le=1280)] | None = None


class Calibration:
    """One configuration file and the camera that is looked at now, of those that may be chosen."""

    def __init__(self, path: Path, camera: str | None, seconds: float, whole: Callable[[Path], object]) -> None:
        """``whole`` checks the whole file as the box would. Raises ``ConfigError``."""
        self.path = path
        self._whole = whole
        self._seconds = seconds
        file = load(path, CalibrationFile)
        known = {each.name: each for each in file.sensors.cameras}
        if not known:
            raise ConfigError(f"{path}: there is no camera", "add one under sensors.cameras, with a name and a url")
        if camera is not None and camera not in known:
            raise ConfigError(f"{path}: there is no camera {camera}", f"choose one of {', '.join(known)}")
        self.cameras: dict[str, NamedCamera] = known if camera is None else {camera: known[camera]}
        self._models = file.models
        self._lock = threading.Lock()
        self._watch: CameraWatch | None = None

    def watch(self, camera: str) -> CameraWatch:
        """The watch of this camera; that of another one ends, because one is looked at."""
        if camera not in self.cameras:
            raise HTTPException(404, "no such camera")
        with self._lock:
            if self._watch is None or self._watch.camera.name != camera:
                if self._watch is not None:
                    self._watch.stop()
                self._watch = CameraWatch(self.cameras[camera], self._models, self._seconds)
                self._watch.start()
            return self._watch

    def close(self) -> None:
        """Close the camera and forget the picture."""
        with self._lock:
            if self._watch is not None:
                self._watch.stop()
                self._watch = None

    def drawn(self, camera: str) -> dict[str, Any]:
        """What the file says of this camera now, with the revision to give back when saving."""
        self.watch(camera)
        file = SettingsFile(self.path)
        section = ("edge", "counting", camera)
        return {
            "camera": camera,
            "revision": file.revision,
            "file": self.path.name,
            "lines": self._shown(LineIn, file, *section, "lines"),
            "zones": self._shown(ZoneIn, file, *section, "zones"),
            "size": self._size(file, camera),
        }

    def _shown(self, kind: type[LineIn | ZoneIn], file: SettingsFile, *keys: str) -> list[dict[str, Any]]:
        items = file.value(*keys) or []
        try:
            known = [{key: item[key] for key in item if key in kind.model_fields} for item in items]
            return [kind.model_validate(item).model_dump() | {"former": item["name"]} for item in known]
        except (ValidationError, TypeError) as error:
            raise ConfigError(
                f"{self.path}: {'.'.join(keys)} cannot be read", "yingke config check names the line and the fix"
            ) from error

    def _size(self, file: SettingsFile, camera: str) -> int:
        """The camera's own, or the box's."""
        for keys in (("edge", "counting", camera, "detector"), ("models", "detector")):
            size = file.value(*keys, "size")
            if isinstance(size, int):
                return size
        return ModelsConfig().detector.size

    def judged(self, drawing: Drawing) -> dict[str, Any]:
        """What is wrong with the drawing, the better anchor of each line, and the detector's input."""
        seen = self.watch(drawing.camera).looked.seen
        lines, zones = _drawn(drawing)
        anchors = [suggested_anchor(line, seen) for line in lines]
        now = self._size(SettingsFile(self.path), drawing.camera)
        places: list[tuple[Sequence[Point], Anchor]] = [((line.start, line.end), line.anchor) for line in lines]
        places += [(zone.corners, zone.anchor) for zone in zones if zone.corners]
        return {
            "findings": [_finding(each) for each in check(lines, zones, seen)],
            "anchors": [None if each is None else {"anchor": each[0], "reason": reason(each[1])} for each in anchors],
            "size": _proposal(propose(seen, places, now), now),
        }

    def save(self, saving: Saving) -> dict[str, Any]:
        """Write the drawing into the file. Raises ``ConfigError``, also while the drawing has an error."""
        seen = self.watch(saving.camera).looked.seen
        found = [each for each in check(*_drawn(saving), seen) if each.severity == "error"]
        if found:
            raise ConfigError(found[0].text("en"), "correct what is marked on the picture, then save again")
        file = SettingsFile(self.path)
        section = ("edge", "counting", saving.camera)
        lines = _merged(file.value(*section, "lines") or [], [_line(each) for each in saving.lines], saving.lines)
        zones = _merged(file.value(*section, "zones") or [], [_zone(each) for each in saving.zones], saving.zones)
        changes: list[tuple[tuple[str, ...], Any]] = [((*section, "lines"), lines or None)]
        changes.append(((*section, "zones"), zones or None))
        if saving.size is not None:
            changes.append(((*section, "detector", "size"), saving.size))
        rewrite(self.path, saving.revision, changes, self._whole)
        return self.drawn(saving.camera)


def calibration_routes(calibration: Calibration) -> APIRouter:
    """The API of the page."""
    routes = APIRouter()

    @routes.get("/cameras")
    def cameras() -> dict[str, Any]:
        return {"cameras": list(calibration.cameras)}

    @routes.get("/state")
    def state(camera: str) -> dict[str, Any]:
        """How far the watching is, and where people walked."""
        return _state(calibration.watch(camera).looked)

    @routes.get("/picture")
    def picture(camera: str) -> Response:
        """The newest picture, JPEG; 404 before the first."""
        image = calibration.watch(camera).image
        if image is None:
            raise HTTPException(404, "no picture yet")
        return Response(jpeg(image), media_type="image/jpeg")

    @routes.post("/picture")
    def renew(camera: str) -> dict[str, Any]:
        """Take a new picture."""
        watch = calibration.watch(camera)
        watch.renew()
        return _state(watch.looked)

    @routes.post("/watch")
    def again(camera: str) -> dict[str, Any]:
        """Watch anew."""
        watch = calibration.watch(camera)
        watch.start()
        return _state(watch.looked)

    @routes.get("/drawing")
    def drawing(camera: str) -> dict[str, Any]:
        return calibration.drawn(camera)

    @routes.post("/check")
    def judge(drawing: Drawing) -> dict[str, Any]:
        return calibration.judged(drawing)

    @routes.put("/drawing")
    def save(saving: Saving) -> dict[str, Any]:
        return calibration.save(saving)

    return routes


def _drawn(drawing: Drawing) -> tuple[list[DrawnLine], list[DrawnZone]]:
    lines = [DrawnLine(each.name, each.start, each.end, each.anchor) for each in drawing.lines]
    return lines, [DrawnZone(each.name, each.polygon, each.anchor) for each in drawing.zones]


def _line(line: LineIn) -> dict[str, Any]:
    fields = {"start": _rounded(line.start), "end": _rounded(line.end), "entering": line.entering}
    return {"name": line.name, **fields, "anchor": line.anchor}


def _zone(zone: ZoneIn) -> dict[str, Any]:
    polygon = [_rounded(corner) for corner in zone.polygon]
    return {"name": zone.name, "kind": zone.kind, "polygon": polygon, "anchor": zone.anchor}


def _rounded(point: Point) -> list[float]:
    return [round(value, _DIGITS) for value in point]


def _merged(
    old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]], drawn: Sequence[LineIn | ZoneIn]
) -> list[dict[str, Any]]:
    """The new items with what the page does not show of the old ones (``minimum_seconds``, and what comes later)."""
    by_name = {item.get("name"): item for item in old}
    merged = []
    for each, item in zip(drawn, new, strict=True):
        before = by_name.get(each.former)
        if before is not None:
            # What the file leaves to its default stays left to it.
            usual = {key: field.default for key, field in type(each).model_fields.items()}
            item = {key: value for key, value in item.items() if key in before or value != usual[key]}
        merged.append((before or {}) | item)
    return merged


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "kind": finding.kind,
        "index": finding.index,
        "text": {"en": finding.text("en"), "zh": finding.text("zh")},
    }


def _proposal(proposal: Proposal | None, now: int) -> dict[str, Any] | None:
    if proposal is None:
        return None
    return {
        "size": proposal.size,
        "now": now,
        "pixels": round(proposal.pixels),
        "pixels_now": round(proposal.pixels_now),
        "least": LEAST_PX,
        "cost": round(proposal.cost, 2),
        "enough": proposal.enough,
    }


def _state(looked: Looked) -> dict[str, Any]:
    walks = []
    for walk in looked.seen.walks[-_WALKS:]:
        points = walk.anchors("centre")
        chosen = points[np.linspace(0, len(points) - 1, min(_POINTS, len(points))).astype(int)]
        walks.append([[round(float(x), 3), round(float(y), 3)] for x, y in chosen])
    return {
        "phase": looked.phase,
        "progress": round(looked.progress, 3),
        "picture": None if looked.shape is None else {"number": looked.number, "size": list(looked.shape)},
        "people": len(looked.seen.walks),
        "walks": walks,
        "error": looked.error,
        "fix": looked.fix,
    }
