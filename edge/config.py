"""What the box reads of ``config.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.devices import DevicesConfig
from edge.processors.footfall import FootfallConfig
from edge.processors.tryon_config import TryOnConfig
from models.config import ModelsConfig
from sensors.config import SensorsConfig
from sync.clock import SimulatedClock
from sync.config import SyncConfig
from sync.events import Name
from sync.settings import StoreConfig


class EdgeConfig(BaseModel):
    """What becomes of the readings: the lines of each camera, the rooms of each reader, the windows of each radio."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    data: Path = Field(default=Path(".yingke/edge"), description="folder of the outbox")
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 30.0
    stale_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="a camera without a picture for so long is degraded"
    )
    counting: dict[Name, FootfallConfig] = {}
    devices: dict[Name, DevicesConfig] = {}
    tryons: dict[Name, TryOnConfig] = {}


class EdgeFile(BaseModel):
    """``config.yaml`` as the box reads it; the sections of the centre are accepted and left to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    store: StoreConfig
    sensors: SensorsConfig = SensorsConfig()
    models: ModelsConfig = ModelsConfig()
    edge: EdgeConfig = EdgeConfig()
    sync: SyncConfig = SyncConfig()
    clock: SimulatedClock | None = None
    dashboard: Any = None
    tablet: Any = None
    stores: Any = None

    @model_validator(mode="after")
    def _every_sensor_is_used(self) -> Self:
        pairs = (
            ("counting", self.edge.counting, self.sensors.cameras),
            ("devices", self.edge.devices, self.sensors.wifi),
            ("tryons", self.edge.tryons, self.sensors.rfid),
        )
        for section, uses, sensors in pairs:
            names = {sensor.name for sensor in sensors}
            for name in uses.keys() - names:
                raise ValueError(f"edge.{section}.{name}: there is no such sensor; sensors has {_listed(names)}")
            for name in names - uses.keys():
                raise ValueError(f"sensor {name} is read for nothing: add edge.{section}.{name}, or remove the sensor")
        return self


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none of that kind"
