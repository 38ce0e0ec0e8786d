"""The demonstration's tablet: made-up members whose cards appear when they show their code. Nobody's face is used.

It runs on this machine's own clock, in a folder of its own: the store day is in fast motion, in which a card of ten
minutes would be gone before anybody had read it.
"""

import http.cookiejar
import json
import secrets
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge.demo.plan import STORE, ZONE
from sync.errors import SyncError
from sync.members import codes
from sync.members.cards import CustomerCard
from sync.members.consent import Consent, text
from sync.members.guides import Guide, Guides
from sync.members.register import Register
from sync.order_taker import box_key

GUIDE = Guide("guide-1", "李娜 Li Na", "manager")
EVERY_S = 45.0
"""Between two arrivals: time to read a card and claim it."""


def _members(today: date) -> Sequence[dict[str, Any]]:
    near = today + timedelta(days=6)
    return (
        {
            "member": "M-0417", "salutation": "王女士", "level": "金卡", "guide": GUIDE.id,
            "bought": [{"what": "18K 戒指", "day": today - timedelta(days=21)}],
            "tried": [
                {"what": "玫瑰金手链", "day": today - timedelta(days=3), "here": 2},
                {"what": "珍珠耳钉", "day": today - timedelta(days=3), "bought": True, "here": 0, "elsewhere": 4},
            ],
            "likes": ["玫瑰金", "简约"], "sizes": {"戒指": "12"},
            "occasions": [{"kind": "anniversary", "month": near.month, "day": near.day}],
            "due": [{"what": "三周养护提醒", "day": today}],
            "coupons": [{"what": "200 元", "until": today + timedelta(days=5)}],
        },
        {"member": "M-0500", "salutation": "陈先生", "level": "银卡", "likes": ["机械表"]},
        {
            "member": "M-0612", "salutation": "Ms Morgan",
            "bought": [{"what": "silk scarf", "day": today - timedelta(days=80)}],
            "tried": [{"what": "wool coat", "day": today - timedelta(days=9), "here": 1}],
        },
    )  # fmt: skip


class DemoTablet:
    """Prepares the files of ``yingke tablet`` and then shows it one code after another, as a scanner would."""

    def __init__(self, folder: Path, port: int) -> None:
        """Writes below ``folder``; the server is to listen on ``port`` of this machine."""
        self.address = f"http://127.0.0.1:{port}/"
        self.pin = f"{secrets.randbelow(900_000) + 100_000}"
        while len(set(self.pin)) < 3:
            self.pin = f"{secrets.randbelow(900_000) + 100_000}"
        self.config = folder / "tablet.yaml"
        data = folder / "tablet"
        data.mkdir()
        name = "迎客演示店 Yingke demo store"
        config = {"store": {"id": STORE, "name": name, "timezone": ZONE}, "edge": {"data": str(data)}}
        self.config.write_text(json.dumps({**config, "tablet": {"port": port}}, ensure_ascii=False), encoding="utf-8")
        self._codes = _fill(data)
        self._shown = 0
        self._next = 0.0
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        with Guides(data / "guides.db") as guides:
            guides.add(GUIDE, self.pin)

    def tick(self) -> None:
        """Show the next code when it is time. Raises ``SyncError`` when the tablet server refuses."""
        if time.monotonic() < self._next:
            return
        if not self._shown:
            self._post("api/login", {"guide": GUIDE.id, "pin": self.pin})
        self._post("api/codes", {"text": self._codes[self._shown % len(self._codes)]})
        self._shown += 1
        self._next = time.monotonic() + EVERY_S

    def _post(self, path: str, document: dict[str, str]) -> None:
        headers = {"Content-Type": "application/json", "Origin": self.address.rstrip("/")}
        request = urllib.request.Request(self.address + path, json.dumps(document).encode(), headers)  # noqa: S310
        try:
            with self._browser.open(request, timeout=5):
                pass
        except OSError as error:
            raise SyncError(f"the demonstration's tablet does not answer: {error}", "read logs/tablet.log") from error


def _fill(data: Path) -> list[str]:
    """Members who agreed to a profile, and to nothing else; their codes."""
    now = time.time()
    today = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(ZONE)).date()
    key, shown = box_key(data), text("profile", "zh")
    made = []
    with Register(data, STORE) as register:
        for each in _members(today):
            card = CustomerCard.model_validate(each)
            agreed = Consent(
                member=card.member,
                purpose="profile",
                act="given",
                time=now,
                version=shown.version,
                digest=shown.digest,
                language="zh",
                taken_by=GUIDE.id,
                how="command",
            )
            register.record([agreed])
            register.keep_card(card, now)
            made.append(codes.make(card.member, today + timedelta(days=30), key))
    return made
