"""What the box does about members, composed: recognition, codes, cards, orders, expiry. Nothing of it when unused."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from edge.config import EdgeFile
from edge.processing import Processor
from edge.processors.footfall import ArrivalFinder
from sync.clock import Now
from sync.errors import SyncError

if TYPE_CHECKING:
    from models.encoders import FaceEncoder
    from sync.members.desk import Desk
    from sync.members.guides import Guides
    from sync.members.register import Register
    from sync.order_taker import OrderTaker

log = logging.getLogger("yingke.edge")

TIDY_EVERY_S = 3600.0


class Members:
    """The members' half of a running box. Made by ``open_members``."""

    def __init__(
        self, config: EdgeFile, register: "Register", desk: "Desk | None", now: Now, guides: "Guides | None" = None
    ) -> None:
        from edge.processors.arrivals import Greeter
        from sync.order_taker import box_key

        self._config = config
        self._register = register
        self._desk = desk
        self._guides = guides
        self._now = now
        self._key = box_key(config.edge.data)
        self.greeter: Greeter = Greeter(register, config.edge.recognition.card_seconds)
        self.encoders: dict[str, str] = {}
        """Of each camera that recognises members: name and version of its encoder, for the heartbeat."""

    def finders(self, camera: str) -> Sequence[ArrivalFinder]:
        """What looks for members in the pictures of a camera; raises a typed error where that may not start."""
        from edge.processors.arrivals import CodeReader

        found: list[ArrivalFinder] = []
        edge = self._config.edge
        if camera in edge.recognition.watched:
            found.append(self._recogniser(camera))
        if (section := edge.codes.get(camera)) is not None:
            centre = edge.orders.centre
            keys = (self._key.public, *((centre,) if centre else ()), *edge.code_keys)
            found.append(CodeReader(camera, section, keys, self.greeter, self._today))
        return found

    def _recogniser(self, camera: str) -> ArrivalFinder:
        # Here and not above: a box that recognises nobody loads nothing that could.
        from edge.processors.gallery import OpenGallery
        from edge.processors.recognition import Recogniser
        from edge.processors.site_check import must_hold
        from models.encoders import model_of, open_encoder
        from models.faces import FaceDetector

        config = self._config.edge.recognition
        encoder = open_encoder(self._config.models)
        _say(config, camera, encoder)
        self.encoders[camera] = f"{encoder.name} {encoder.version}"
        if config.mode == "entrance":
            check = must_hold(config, self._config.store.id, model_of(encoder), self._now())
            log.info("recognition: site check of %s: at most %.2f %% false alerts", check.day, 100 * check.upper_95)
        gallery = OpenGallery(self._register, encoder, time.monotonic, self._desk)
        finder = FaceDetector(directory=self._config.models.directory)
        return Recogniser(camera, config, finder, encoder, gallery, self._register)

    def of_reader(self, reader: str, others: Processor[Any] | None) -> Processor[Any] | None:
        """Members' cards taken out of what a reader reads, at every reader once cards are in use."""
        from edge.processors.arrivals import MemberCardProcessor

        cards = self._config.edge.member_cards
        if not cards:
            return others
        return MemberCardProcessor(reader, cards.get(reader), self._register, self.greeter, others)

    def running(self) -> list[Callable[[threading.Event], None]]:
        """What runs in threads of its own until it is told to stop."""
        parts: list[Callable[[threading.Event], None]] = [self._tidy]
        if (centre := self._config.edge.orders.centre) is not None:
            parts.append(self._taker(centre).run)
        return parts

    def _taker(self, centre: str) -> "OrderTaker":
        from sync.members.sealed import SealKey
        from sync.order_taker import SEAL_FILE, OrderTaker

        seal = SealKey.open_or_make(self._config.edge.data / SEAL_FILE)
        mqtt = self._config.sync.mqtt
        return OrderTaker(self._register, self._key, centre, mqtt, self._now, seal=seal, guides=self._guides)

    def _tidy(self, stop: threading.Event) -> None:
        """Delete what is past its day (PRIVACY rule 6), now and every hour."""
        while True:
            try:
                gone = self._register.expire(self._now())
                if gone:
                    log.info("members: %d templates were past their day and are deleted", len(gone))
            except SyncError as error:
                log.error("members: %s; %s", error, error.fix)
            if stop.wait(TIDY_EVERY_S):
                return

    def _today(self, moment: float) -> date:
        return datetime.fromtimestamp(moment, self._config.store.zone).date()


def _say(config: Any, camera: str, encoder: "FaceEncoder") -> None:
    log.info(
        "recognition: camera %s, mode %s, profile %s, encoder %s %s (%s)",
        camera,
        config.mode,
        config.profile,
        encoder.name,
        encoder.version,
        encoder.licence,
    )
    if config.mode == "entrance" and config.override is not None:
        log.warning(
            "recognition: mode entrance under profile %s by override of %s, %s: %s",
            config.profile,
            config.override.signed_by,
            config.override.date,
            config.override.reason,
        )


def needed(config: EdgeFile) -> bool:
    """Whether this box has to do with members at all."""
    edge = config.edge
    return bool(edge.recognition.mode != "off" or edge.codes or edge.member_cards or edge.orders.centre)


@contextmanager
def open_members(config: EdgeFile, now: Now) -> Iterator[Members | None]:
    """The members of this box while it runs; None where nothing of the configuration is about members."""
    if not needed(config):
        yield None
        return
    from sync.members.desk import Desk
    from sync.members.guides import Guides
    from sync.members.register import Register

    data, leased = config.edge.data, config.edge.orders.lease
    with ExitStack() as opened:
        register = opened.enter_context(Register(data, config.store.id, leased=leased))
        desk = opened.enter_context(Desk(data / "desk.db"))
        # Only an order of the centre concerns them here: the tablet's own process lets guides in.
        guides = opened.enter_context(Guides(data / "guides.db")) if config.edge.orders.centre else None
        yield Members(config, register, desk, now, guides)
