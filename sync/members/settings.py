"""What the commands about members read of ``config.yaml``: the files of a box, and whether this is the centre."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from sync.clock import SimulatedClock
from sync.config import SyncConfig
from sync.orders import CentreOrdersConfig, Public
from sync.settings import StoreConfig


class _Some(BaseModel):
    """A section of which some is read here; ``yingke config check`` checks all of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Orders(_Some):
    centre: Public | None = None


class _Box(_Some):
    data: Path = Path(".yingke/edge")
    orders: _Orders = _Orders()


class _Centre(_Some):
    orders: CentreOrdersConfig | None = None


class MembersFile(_Some):
    """``config.yaml`` of a box or of the centre, as the commands about members read it."""

    store: StoreConfig
    stores: tuple[StoreConfig, ...] = ()
    edge: _Box = _Box()
    dashboard: _Centre = _Centre()
    sync: SyncConfig = SyncConfig()
    clock: SimulatedClock | None = None

    @property
    def centre(self) -> CentreOrdersConfig | None:
        """Set where the centre runs, which gives orders to the boxes."""
        return self.dashboard.orders

    @property
    def all_stores(self) -> list[str]:
        """The ids of the stores that the file names, its own first."""
        return [store.id for store in (self.store, *self.stores)]

    def of_box(self) -> Self:
        """The same without the centre."""
        return self.model_copy(update={"dashboard": _Centre()})
