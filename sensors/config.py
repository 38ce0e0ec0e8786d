"""Section ``sensors`` of ``config.yaml``: every source of one store's box."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensors.camera_config import CameraConfig
from sensors.frigate_config import FrigateConfig
from sensors.rfid.config import RfidConfig
from sensors.wifi.config import WifiConfig
from sensors.wifi.feeds.config import FeedConfig

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]


class NamedCamera(CameraConfig):
    """A camera with the name that its events carry."""

    name: Name


class SensorsConfig(BaseModel):
    """The sources, each with a name of its own within the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cameras: tuple[NamedCamera, ...] = ()
    frigate: tuple[FrigateConfig, ...] = ()
    wifi: tuple[WifiConfig, ...] = ()
    access_points: tuple[FeedConfig, ...] = ()
    rfid: tuple[RfidConfig, ...] = ()

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = self.names()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sensors are called {', '.join(twice)}")
        return self

    def names(self) -> list[str]:
        """Of all sensors: cameras first, then Frigate's, then Wi-Fi, then access points, then RFID."""
        groups = self.cameras, self.frigate, self.wifi, self.access_points, self.rfid
        return [sensor.name for group in groups for sensor in group]
