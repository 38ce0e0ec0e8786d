"""A real tablet server over real files of a box, on a free port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from argon2 import PasswordHasher
from fastapi import FastAPI

from dashboard.server import PageServer
from dashboard.tablet.app import Shop, create_tablet_app
from dashboard.tablet.pump import Pump
from sync.events import Arrival, Event, utc
from sync.members.cards import CustomerCard
from sync.members.consent import Consent, Purpose, text
from sync.members.desk import Desk
from sync.members.guides import Guide, Guides
from sync.members.register import Register
from sync.order_taker import box_key
from sync.outbox import Outbox
from sync.settings import StoreConfig

SHOP = StoreConfig(id="nanjing-road", name="南京路店", timezone="Asia/Shanghai")
PIN = "602214"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
LI, WANG = Guide("guide-7", "李娜", "clerk"), Guide("guide-8", "王芳", "clerk")


def agreed(member: str, purpose: Purpose, when: float) -> Consent:
    shown = text(purpose, "zh")
    return Consent(
        member=member,
        purpose=purpose,
        act="given",
        time=when,
        version=shown.version,
        digest=shown.digest,
        language="zh",
        taken_by="guide-7",
        how="tablet_code",
        adult=True,
    )


def sample_card(member: str, today: date, **change: object) -> CustomerCard:
    """A member as the sketch of the tablet has her."""
    near = today + timedelta(days=6)
    fields: dict[str, object] = {
        "member": member,
        "salutation": "王女士",
        "level": "金卡",
        "guide": "guide-7",
        "bought": [{"what": "18K 戒指", "day": today - timedelta(days=21)}],
        "tried": [
            {"what": "玫瑰金手链", "day": today - timedelta(days=3), "here": 2},
            {"what": "珍珠耳钉", "day": today - timedelta(days=3), "bought": True, "here": 0, "elsewhere": 4},
        ],
        "likes": ["玫瑰金", "简约"],
        "sizes": {"戒指": "12"},
        "occasions": [{"kind": "anniversary", "month": near.month, "day": near.day}],
        "due": [{"what": "三周养护提醒", "day": today}],
        "coupons": [{"what": "200 元", "until": today + timedelta(days=5)}],
    }
    return CustomerCard.model_validate(fields | change)


@dataclass
class Box:
    """The box of a store while it is tested. ``now`` is the real clock unless a test sets ``ahead``."""

    folder: Path
    outbox: Outbox
    register: Register
    guides: Guides
    desk: Desk
    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    @property
    def today(self) -> date:
        return datetime.now(UTC).astimezone(SHOP.zone).date()

    def shop(self) -> Shop:
        keys = (box_key(self.folder).public,)
        return Shop(SHOP, self.desk, self.register, self.guides, self.outbox, self.now, keys)

    def know(self, card: CustomerCard) -> None:
        self.register.record([agreed(card.member, "profile", self.now() - 60)])
        self.register.keep_card(card, self.now())

    def arrive(self, *members: str, method: str = "face", seconds: float = 900) -> UUID:
        """As the box's own processors would tell it: an event in the outbox."""
        arrival = Arrival.model_validate(
            {"candidates": members, "method": method, "confidence": 0.93, "expires": utc(self.now() + seconds)}
        )
        event = Event.new("door", self.now(), arrival)
        self.outbox.put([event])
        return event.id

    def pump(self) -> Pump:
        return Pump(self.outbox, self.desk, self.register, self.now)


@contextmanager
def a_box(folder: Path) -> Iterator[Box]:
    with ExitStack() as stack:
        register = stack.enter_context(Register(folder, SHOP.id))

        def guide_of(member: str) -> str | None:
            card = register.card(member, time.time())
            return None if card is None else card.guide

        box = Box(
            folder,
            stack.enter_context(Outbox(folder / "outbox.db", SHOP.id)),
            register,
            stack.enter_context(Guides(folder / "guides.db", QUICK)),
            stack.enter_context(Desk(folder / "desk.db", guide_of)),
        )
        for guide in (LI, WANG):
            box.guides.add(guide, PIN)
        yield box


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """The address of an application while it is served."""
    server = PageServer(app)
    with socket.create_server(("127.0.0.1", port), reuse_port=False) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def served(box: Box, port: int = 0, *, pumping: bool = True, encoder: str | None = None) -> Iterator[str]:
    """The address of the tablet's page while it is served, with the pump running unless a test pumps itself."""
    server = PageServer(create_tablet_app(replace(box.shop(), encoder=encoder)))
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", port), reuse_port=False) as listener:
        threads = [
            threading.Thread(target=server.run, kwargs={"sockets": [listener]}),
            *([threading.Thread(target=box.pump().run, args=(stop,))] if pumping else []),
        ]
        for thread in threads:
            thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            server.should_exit = True
            for thread in threads:
                thread.join()
