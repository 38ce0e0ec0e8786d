"""What the box reads of ``config.yaml``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.arrivals import CodesConfig, MemberCardsConfig
from edge.processors.badges import BadgesConfig
from edge.processors.clients import ClientsConfig
from edge.processors.devices import DevicesConfig
from edge.processors.footfall import FootfallConfig
from edge.processors.items_config import ItemsConfig
from edge.processors.recognition_config import RecognitionConfig
from edge.processors.tryon_config import TryOnConfig
from models.config import ModelsConfig
from sensors.config import SensorsConfig
from sync.clock import SimulatedClock
from sync.config import MqttConfig, SyncConfig
from sync.events import Name
from sync.order_taker import OrdersConfig
from sync.orders import Public
from sync.settings import StoreConfig


class EdgeConfig(BaseModel):
    """What becomes of the readings: each camera's lines, each reader's rooms and staff badges, each radio's windows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    data: Path = Field(default=Path(".yingke/edge"), description="folder of the outbox")
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 30.0
    stale_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="a camera without a picture for so long is degraded"
    )
    frigate_broker: MqttConfig | None = Field(
        default=None, description="the broker that Frigate publishes to; that of sync.mqtt when absent"
    )
    rfid_broker: MqttConfig | None = Field(
        default=None, description="the broker that RFID readers publish to; that of sync.mqtt when absent"
    )
    sniffer_broker: MqttConfig | None = Field(
        default=None, description="the broker that sniffers publish to; that of sync.mqtt when absent"
    )
    counting: dict[Name, FootfallConfig] = {}
    devices: dict[Name, DevicesConfig] = {}
    access_points: dict[Name, ClientsConfig] = {}
    tryons: dict[Name, TryOnConfig] = {}
    items: dict[Name, ItemsConfig] = Field(default={}, description="readers with antennas at a till, exit or rack")
    badges: dict[Name, BadgesConfig] = {}
    recognition: RecognitionConfig = RecognitionConfig()
    codes: dict[Name, CodesConfig] = Field(default={}, description="cameras that members hold their code before")
    member_cards: dict[Name, MemberCardsConfig] = Field(
        default={}, description="readers at which a member's RFID card is an arrival"
    )
    code_keys: tuple[Public, ...] = Field(
        default=(), description="further public keys that members' codes may be signed with (yingke keys)"
    )
    orders: OrdersConfig = OrdersConfig()


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

    def models_of(self, camera: str) -> ModelsConfig:
        """The section ``models`` as it is for one camera."""
        detector = self.edge.counting[camera].detector
        return self.models if detector is None else self.models.model_copy(update={"detector": detector})

    @model_validator(mode="after")
    def _every_sensor_is_used(self) -> Self:
        pairs: tuple[tuple[dict[str, Mapping[str, object]], Sequence[Any]], ...] = (
            ({"counting": self.edge.counting}, (*self.sensors.cameras, *self.sensors.frigate)),
            ({"devices": self.edge.devices}, self.sensors.wifi),
            ({"access_points": self.edge.access_points}, self.sensors.access_points),
            (
                {
                    "tryons": self.edge.tryons,
                    "items": self.edge.items,
                    "badges": self.edge.badges,
                    "member_cards": self.edge.member_cards,
                },
                self.sensors.rfid,
            ),
        )
        for sections, sensors in pairs:
            names = {sensor.name for sensor in sensors}
            used: set[str] = set()
            for section, uses in sections.items():
                used |= uses.keys()
                for name in uses.keys() - names:
                    raise ValueError(f"edge.{section}.{name}: there is no such sensor; sensors has {_listed(names)}")
            for name in names - used:
                wanted = " or ".join(f"edge.{section}.{name}" for section in sections)
                raise ValueError(f"sensor {name} is read for nothing: add {wanted}, or remove the sensor")
        return self

    @model_validator(mode="after")
    def _frigate_gives_no_pictures(self) -> Self:
        for name in {camera.name for camera in self.sensors.frigate} & self.edge.counting.keys():
            counting = self.edge.counting[name]
            if counting.looks_at_clothes or (counting.staff and counting.staff.zones):
                raise ValueError(
                    f"edge.counting.{name}: Frigate sends no pictures: remove minimum_stay_seconds, re_entry_seconds, "
                    "staff.uniforms and staff.zones there, or read this camera under sensors.cameras"
                )
        return self

    @model_validator(mode="after")
    def _doors_are_counted(self) -> Self:
        lines = [line.name for counting in self.edge.counting.values() for line in counting.lines]
        zones = [zone.name for counting in self.edge.counting.values() for zone in counting.zones]
        for name, devices in self.edge.devices.items():
            where = f"edge.devices.{name}.doors"
            for door in devices.doors:
                if door not in (*lines, *zones):
                    raise ValueError(
                        f"{where}: there is no line or zone {door}; edge.counting has {_listed({*lines, *zones})}"
                    )
                if (lines + zones).count(door) > 1:
                    raise ValueError(f"{where}: two cameras have a line or zone {door}: give each its own name")
            if set(devices.doors) & set(lines) and set(devices.doors) & set(zones):
                raise ValueError(f"{where}: lines and zones would count people twice: name only lines, or only zones")
            if len(set(devices.doors)) < len(devices.doors):
                raise ValueError(f"{where}: a door is named twice: leave one out")
        return self

    @model_validator(mode="after")
    def _members_are_looked_for_in_pictures(self) -> Self:
        names = {camera.name for camera in self.sensors.cameras}
        for section, wanted in (("recognition", self.edge.recognition.watched), ("codes", self.edge.codes.keys())):
            for name in sorted(wanted - names):
                raise ValueError(
                    f"edge.{section}: there is no camera {name} that gives pictures; there is {_listed(names)}"
                )
        return self

    @model_validator(mode="after")
    def _an_antenna_is_in_one_place(self) -> Self:
        for name in sorted(self.edge.items.keys() & self.edge.tryons.keys()):
            for antenna in sorted(self.edge.items[name].antennas.keys() & self.edge.tryons[name].rooms.keys()):
                raise ValueError(
                    f"edge.items.{name}.antennas: {antenna} is a fitting room in edge.tryons.{name}.rooms: "
                    "remove it from one of them"
                )
        return self

    @model_validator(mode="after")
    def _badges_are_read(self) -> Self:
        for camera, counting in self.edge.counting.items():
            badges = counting.staff.badges if counting.staff else None
            for reader in badges.readers if badges else ():
                if reader not in self.edge.badges:
                    raise ValueError(
                        f"edge.counting.{camera}.staff.badges: no badges are looked for at {reader}: "
                        f"add edge.badges.{reader}"
                    )
        return self


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none of that kind"
