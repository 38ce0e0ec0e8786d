"""What the central process reads of ``config.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dashboard.epcis import EpcisConfig
from sync.clock import SimulatedClock
from sync.config import SyncConfig
from sync.orders import CentreOrdersConfig
from sync.settings import StoreConfig


class DashboardConfig(BaseModel):
    """The web server of the pages and the API."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    audit_max_age_days: Annotated[float, Field(gt=0, le=3650)] = 90.0
    """An audit of a line's counting that is older is marked on the pages."""
    orders: CentreOrdersConfig | None = None
    epcis: EpcisConfig = EpcisConfig()
    notes: dict[Literal["en", "zh"], str] = {}
    """What every page says on top, by language, e.g. which sensors are simulated."""

    certificate: Path | None = Field(default=None, description="of the pages and the API, PEM; with key: TLS only")
    key: Path | None = Field(default=None, description="the certificate's private key, PEM")
    webhooks: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")], Path] = Field(
        default={}, description="source: file (mode 0600) with the secret that its signed receipts are made with"
    )

    @model_validator(mode="after")
    def _loopback_only(self) -> Self:
        # Security floor: beyond loopback only with TLS and a login. TLS alone makes the login a must (see Gate).
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.host not in {"127.0.0.1", "::1", "localhost"} and self.certificate is None:
            raise ValueError("beyond this machine the pages need TLS: set certificate and key, or use an SSH tunnel")
        return self


class CentreFile(BaseModel):
    """``config.yaml`` as the centre reads it; the sections of the box are accepted and left to the edge."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    store: StoreConfig
    stores: tuple[StoreConfig, ...] = ()
    """Further stores of the chain, for their names, time zones and opening hours on the pages."""
    sync: SyncConfig = SyncConfig()
    dashboard: DashboardConfig = DashboardConfig()
    clock: SimulatedClock | None = None
    tablet: Any = None
    sensors: Any = None
    models: Any = None
    edge: Any = None

    @model_validator(mode="after")
    def _each_store_once(self) -> Self:
        names = [store.id for store in self.all_stores]
        if len(set(names)) != len(names):
            raise ValueError("a store id stands twice")
        return self

    @property
    def all_stores(self) -> tuple[StoreConfig, ...]:
        """This file's own store first."""
        return (self.store, *self.stores)
