"""Configuration of the models: where their files are, and how people are found and followed."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Point = tuple[Share, Share]


class TilesConfig(BaseModel):
    """The picture is looked at in so many tiles too, each with an input of its own: for people who are small in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    columns: Annotated[int, Field(ge=1, le=6)] = 2
    rows: Annotated[int, Field(ge=1, le=6)] = 1
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    """Of neighbours, as a share of a tile's side: more than the largest person who is found in tiles only."""

    @model_validator(mode="after")
    def _several(self) -> "TilesConfig":
        if self.columns * self.rows == 1:
            raise ValueError("one tile is the whole picture: give more columns or rows, or leave tiles out")
        return self


class DetectorConfig(BaseModel):
    """``size`` is the long side of the network's input in pixels; the cost grows with its square.

    ``tiles`` cost as many inputs of that size again; without them the whole picture is one input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: Annotated[int, Field(ge=128, le=1280)] = 416
    tiles: TilesConfig | None = None


class GateConfig(BaseModel):
    """When the detector looks. Differences are grey levels (0–255) of a block of 1/52 of the picture's long side."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    enabled: bool = True
    every: Annotated[float, Field(gt=0, le=60)] = 1.5
    """Longest time without a look: less than a track waits for its person (``TrackerConfig.lost_after``)."""
    again: Seconds = 0.2
    """The first look after something moved; the next ones wait twice as long each time, up to ``every``."""
    sigmas: Annotated[float, Field(ge=1, le=100)] = 6.0
    """A change above so many standard deviations of the noise is motion."""
    least: Annotated[float, Field(ge=0, le=255)] = 2.0
    """No smaller change is motion."""
    most: Annotated[float, Field(gt=0, le=255)] = 5.0
    """A larger one always is."""
    parts: Share = 0.0
    """Where less of the picture than this has to be looked at, only that is, not the whole; 0 is never.

    Not with tiles. 0.5 was tried (docs/figures.md): larger shares lose people who cover each other."""

    @model_validator(mode="after")
    def _ordered(self) -> "GateConfig":
        if self.least > self.most:
            raise ValueError("least must not be higher than most")
        if self.again > self.every:
            raise ValueError("again must not be longer than every")
        return self


class SuppliedEncoderConfig(BaseModel):
    """A face encoder of the operator: an ONNX file that takes NCHW float32 and gives one vector for each face."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: Path
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    licence: Annotated[str, Field(min_length=1, max_length=100)]
    """What the weights may be used for; shown beside the name."""
    side: Annotated[int, Field(ge=32, le=512)] = 112
    """Of the aligned face, pixels."""
    colour: Literal["bgr", "rgb"] = "rgb"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    """Taken from each channel (0–255), in the order of ``colour``."""
    scale: Annotated[float, Field(gt=0)] = 1 / 127.5
    """Multiplied after the mean was taken."""
    landmarks: tuple[Point, Point, Point, Point, Point]
    """Where eyes, nose and mouth corners lie, as shares of the side: left eye of the picture first."""
    calibration: Path
    """Made by ``yingke identify --calibrate`` with this encoder on people like those who visit the store."""

    def digest(self) -> str:
        """Of all that changes its vectors beside the file."""
        shape = self.model_dump_json(include={"side", "colour", "mean", "scale", "landmarks"})
        return hashlib.sha256(shape.encode()).hexdigest()[:8]


class ModelsConfig(BaseModel):
    """Section ``models``. ``directory`` holds model files of the user; ``YINGKE_MODELS_DIR`` goes before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    directory: Path | None = None
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    """``auto``: the faster one on this CPU, measured at start, where the extra ``openvino`` is installed."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16`` needs OpenVINO: a fifth faster on CPUs that have it; 1 box in 700 is another."""
    detector: DetectorConfig = DetectorConfig()
    gate: GateConfig = GateConfig()
    face_encoder: SuppliedEncoderConfig | None = None
    """An encoder in place of the recommended one and dlib's."""


class TrackerConfig(BaseModel):
    """How people are followed. Scores are the detector's, sizes are shares of the person's box, times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sure: Share = 0.25
    """Score from which a detection may begin a track."""
    apart: Share = 0.4
    """A box that overlaps a followed person's by more than this (IoU) begins no track."""
    within: Share = 0.7
    """Neither does a box of which more than this lies inside a followed person's: a part of that person."""
    part: Annotated[float, Field(ge=1, le=10)] = 2.0
    """Who lies so far inside a box of this many times the area, in most pictures, is a part of that person too."""
    unsure: Share = 0.1
    """Score from which a detection may continue one."""
    unsure_within: Seconds = 0.5
    """An unsure detection continues a track only this long after it was last seen."""
    grow: Annotated[float, Field(ge=0, le=2)] = 0.3
    """How much boxes are grown before their overlap is compared."""
    stride: Annotated[float, Field(ge=0, le=5)] = 0.15
    """Change of speed that is allowed for, in body heights per second."""
    stride_new: Annotated[float, Field(ge=0, le=5)] = 0.5
    """The same while the speed is not known yet."""
    run: Annotated[float, Field(ge=0, le=10)] = 2.5
    """Body heights per second at which a new track may move: a run of 4 m/s."""
    least_overlap: Share = 0.25
    sure_after: Annotated[int, Field(ge=1)] = 3
    """Detections from which a track counts as a person."""
    smooth: Seconds = 0.232
    """Time constant of the velocity: 0.35 per picture at 10 pictures per second."""
    coast: Seconds = 2.0
    """How long an unseen person is expected to walk on."""
    lost_after: Seconds = 2.0
    lost_new: Seconds = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> "TrackerConfig":
        if self.unsure > self.sure:
            raise ValueError("unsure must not be higher than sure")
        return self
