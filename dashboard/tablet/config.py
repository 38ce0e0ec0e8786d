"""What the tablet server reads of ``config.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sync.clock import SimulatedClock
from sync.config import SyncConfig
from sync.orders import Public
from sync.settings import StoreConfig

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class TabletConfig(BaseModel):
    """Section ``tablet``: where the tablets of the store find their page."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    certificate: Path | None = Field(default=None, description="PEM; needed beyond this machine")
    key: Path | None = Field(default=None, description="PEM, mode 0600")
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


class _Box(BaseModel):
    """Of section ``edge`` only the folder is read here; the rest is the box's."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    data: Path = Path(".yingke/edge")


class TabletFile(BaseModel):
    """``config.yaml`` as the tablet server reads it; what is not its own is accepted and left to the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    store: StoreConfig
    tablet: TabletConfig = TabletConfig()
    edge: _Box = _Box()
    sync: SyncConfig = SyncConfig()
    clock: SimulatedClock | None = None
    sensors: Any = None
    models: Any = None
    dashboard: Any = None
    stores: Any = None
