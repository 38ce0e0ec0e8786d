"""What the tablet server reads of ``config.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.config import ModelsConfig
from sensors.config import NamedCamera, SensorsConfig
from sync.clock import SimulatedClock
from sync.config import SyncConfig
from sync.events import Name
from sync.orders import Public
from sync.settings import StoreConfig

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class EnrolmentConfig(BaseModel):
    """Pictures for enrolment, taken at the tablet's request from one of the box's cameras."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    camera: Name = Field(description="a network camera of sensors.cameras; a USB camera serves one process only")
    seconds: Annotated[float, Field(ge=3, le=60)] = 15.0


class WifiLoginConfig(BaseModel):
    """The store's Wi-Fi login (captive portal) tells of members who log in there, at /hooks/wifi-login."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    secret_file: Path = Field(description="shared with the portal: signs what it sends (HMAC-SHA256)")


class TabletConfig(BaseModel):
    """Section ``tablet``: where the tablets of the store find their page."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    certificate: Path | None = Field(default=None, description="PEM; needed beyond this machine")
    key: Path | None = Field(default=None, description="PEM, mode 0600")
    enrolment: EnrolmentConfig | None = None
    wifi_login: WifiLoginConfig | None = None
    code_keys: tuple[Public, ...] = Field(default=(), description="public keys that members' codes are signed with")

    @model_validator(mode="after")
    def _encrypted_beyond_loopback(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.host not in LOOPBACK and self.certificate is None:
            raise ValueError(
                f"{self.host} is not this machine alone: give certificate and key, so that nobody else reads along"
            )
        return self


class _Some(BaseModel):
    """Of section ``edge`` only what concerns members is read here; the rest is the box's."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Recognition(_Some):
    mode: str = "off"
    stores: dict[Name, Public] = {}


class _Orders(_Some):
    centre: Public | None = None


class _Box(_Some):
    data: Path = Path(".yingke/edge")
    recognition: _Recognition = _Recognition()
    orders: _Orders = _Orders()
    code_keys: tuple[Public, ...] = ()


class TabletFile(BaseModel):
    """``config.yaml`` as the tablet server reads it; what is not its own is accepted and left to the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    store: StoreConfig
    tablet: TabletConfig = TabletConfig()
    edge: _Box = _Box()
    sync: SyncConfig = SyncConfig()
    clock: SimulatedClock | None = None
    sensors: SensorsConfig = SensorsConfig()
    models: ModelsConfig = ModelsConfig()
    dashboard: Any = None
    stores: Any = None

    @model_validator(mode="after")
    def _enrolment_has_its_camera(self) -> Self:
        if self.tablet.enrolment is not None and self.enrolment_camera is None:
            known = ", ".join(camera.name for camera in self.sensors.cameras) or "none"
            wanted = self.tablet.enrolment.camera
            raise ValueError(f"tablet.enrolment.camera: there is no camera {wanted}; sensors.cameras has {known}")
        return self

    @property
    def enrolment_camera(self) -> NamedCamera | None:
        """The camera that takes the pictures; None where enrolment at the tablet is not set up."""
        wanted = self.tablet.enrolment
        return next((each for each in self.sensors.cameras if wanted and each.name == wanted.camera), None)

    @property
    def signers(self) -> tuple[str, ...]:
        """Public keys that members' codes may be signed with, beside the box's own."""
        centre = self.edge.orders.centre
        return tuple(dict.fromkeys((*self.tablet.code_keys, *self.edge.code_keys, *((centre,) if centre else ()))))
