"""What other machines of the store tell the box: the Wi-Fi login, signed with a secret that both hold."""

import hashlib
import hmac
import threading
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request
from pydantic import BaseModel, ConfigDict, ValidationError

from dashboard.tablet.app import CARD_S, Shop
from dashboard.tablet.config import WifiLoginConfig
from sync.config import read_secret
from sync.events import Arrival, Event, Member, utc, uuid7
from sync.members.errors import MemberError

FRESH_S = 300.0
"""A message is taken within so long of its time, and once."""
SENSOR = "wifi-login"


class LoggedIn(BaseModel):
    """A member logged in to the store's Wi-Fi with their membership; no address of a phone has a place here."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    member: Member
    time: float
    """Epoch seconds."""


def signature(secret: str, body: bytes) -> str:
    """What the portal sends in ``X-Yingke-Signature``: HMAC-SHA256 of the body, in hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class _Once:
    """Which messages came within the last minutes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def first(self, mark: str, now: float) -> bool:
        with self._lock:
            self._seen = {old: time for old, time in self._seen.items() if now - time <= 2 * FRESH_S}
            if mark in self._seen:
                return False
            self._seen[mark] = now
            return True


def wifi_login_routes(shop: Shop, config: WifiLoginConfig) -> APIRouter:
    """The hook of the captive portal. Raises ``SecretError`` when the secret cannot be read."""
    secret, once = read_secret(config.secret_file), _Once()
    routes = APIRouter()

    @routes.post("/wifi-login")
    async def wifi_login(
        request: Request, x_yingke_signature: Annotated[str, Header(max_length=128)] = ""
    ) -> dict[str, bool]:
        """An arrival, where the member agreed to it (PRIVACY rule 10); refused otherwise."""
        body = await request.body()
        if not hmac.compare_digest(signature(secret, body).encode(), x_yingke_signature.encode()):
            raise HTTPException(401, "the signature does not fit")
        try:
            told = LoggedIn.model_validate_json(body)
        except ValidationError:
            raise HTTPException(422, "send member and time (epoch seconds)") from None
        now = shop.now()
        if abs(now - told.time) > FRESH_S:
            raise HTTPException(409, "too old, or from the future: set the clocks (NTP)")
        if not once.first(x_yingke_signature, now):
            raise HTTPException(409, "this was told before")
        if not shop.register.allows(told.member, "wifi_login", now):
            raise MemberError("no_consent", "this member has not agreed to it", "ask them, and record the answer")
        arrival = Arrival(
            candidates=(told.member,), method="wifi_login", confidence=1.0, expires=utc(told.time + CARD_S)
        )
        # The same message makes the same event, also after a restart: it counts once.
        digest = hashlib.blake2b(body, digest_size=10).digest()
        shop.register.look(told.member, "box", "matched", now)
        shop.events.put([Event(id=uuid7(told.time, digest), sensor=SENSOR, time=utc(told.time), data=arrival)])
        return {"taken": True}

    return routes
