"""A template on its way to another store: sealed to that box's key, so that the centre carries what it cannot read.

X25519 with a key of its own for each message, HKDF-SHA256 and AES-256-GCM, as in RFC 9180's base mode in spirit; bound
to sender, receiver, member and model.
"""

import base64
import json
import os
from pathlib import Path
from typing import Annotated, Self
from uuid import UUID, uuid4

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync.events import Member, Name
from sync.members.consent import Consent
from sync.members.errors import MemberError
from sync.members.register import Vectors
from sync.orders import Signature, Text
from sync.signing import SigningKey, verify

_NO_NONCE = bytes(12)
"""Every message has a key of its own, so that one nonce is used once."""


class SealKey:
    """The key that templates are sealed to. ``public``: base64url without padding."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self.public = _text(private.public_key().public_bytes_raw())

    @classmethod
    def open_or_make(cls, path: Path) -> Self:
        """Read the key, or make it with mode 0600. Raises ``MemberError`` when others may read it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                new = path.with_name(f"{path.name}.{uuid4().hex}.new")
                handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(X25519PrivateKey.generate().private_bytes_raw())
                    os.fsync(file.fileno())
                try:
                    os.link(new, path)
                except FileExistsError:
                    pass
                finally:
                    new.unlink()
            if path.stat().st_mode & 0o077:
                raise MemberError("file", f"the key {path} is open to other users", f"chmod 600 {path}")
            return cls(X25519PrivateKey.from_private_bytes(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise MemberError("file", f"the key {path} cannot be used", "restore it from its backup") from error

    def open(self, sealed: str, bound: bytes) -> bytes:
        """What ``seal`` closed. Raises ``MemberError`` (``altered``)."""
        try:
            raw = _bytes(sealed)
            theirs, ours = raw[:32], _bytes(self.public)
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
            return AESGCM(_key(shared, theirs, ours)).decrypt(_NO_NONCE, raw[32:], bound)
        except (InvalidTag, ValueError) as error:
            raise MemberError(
                "altered",
                "a sealed template does not open: altered, or for another box",
                "send it again from the other store",
            ) from error


def seal(public: str, plain: bytes, bound: bytes) -> str:
    """Close ``plain`` so that only the box with the private half of ``public`` opens it."""
    mine = X25519PrivateKey.generate()
    theirs = _bytes(public)
    shared = mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    head = mine.public_key().public_bytes_raw()
    return _text(head + AESGCM(_key(shared, head, theirs)).encrypt(_NO_NONCE, plain, bound))


class Parcel(BaseModel):
    """A sealed template as the centre sees it. ``sealed`` is for the box of store ``to`` only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    id: UUID
    sender: Name
    to: Name
    member: Member
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    sent: float
    sealed: Text

    def bound(self) -> bytes:
        """What the seal is bound to."""
        return "\0".join(("yingke parcel 1", self.sender, self.to, self.member, self.model)).encode()

    def signed(self, key: SigningKey) -> bytes:
        """As it travels from the box to the centre."""
        body = self.model_dump_json()
        return json.dumps({"parcel": body, "signature": key.sign(_said(body))}).encode()


class _Parcel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    parcel: str
    signature: Signature


def open_parcel(payload: bytes, store: str, box: str) -> Parcel:
    """Check a parcel of the topic of ``store``, signed by its box's key. Raises ``MemberError``."""
    try:
        message = _Parcel.model_validate_json(payload)
        parcel = Parcel.model_validate_json(message.parcel)
    except ValidationError as error:
        raise MemberError(
            "altered", "a message on sealed that is no parcel is refused", "look at who publishes"
        ) from error
    if parcel.sender != store or not verify(box, message.signature, _said(message.parcel)):
        raise MemberError(
            "altered", f"a parcel that the box of {store} did not sign is refused", "look at who publishes"
        )
    return parcel


def pack(
    sender: str, to: str, public: str, member: str, model: str, vectors: Vectors, consents: list[Consent], now: float
) -> Parcel:
    """A template for another store, with the consents that name it."""
    plain = json.dumps(
        {
            "vectors": base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode(),
            "count": len(vectors),
            "consents": [consent.model_dump(mode="json") for consent in consents],
        }
    ).encode()
    empty = Parcel(id=uuid4(), sender=sender, to=to, member=member, model=model, sent=now, sealed="A" * 43)
    return empty.model_copy(update={"sealed": seal(public, plain, empty.bound())})


def unpack(parcel: Parcel, key: SealKey) -> tuple[Vectors, list[Consent]]:
    """What was packed. Raises ``MemberError`` (``altered``)."""
    document = json.loads(key.open(parcel.sealed, parcel.bound()))
    raw = np.frombuffer(base64.b64decode(document["vectors"]), "<f4").astype(np.float32)
    return raw.reshape(document["count"], -1), [Consent.model_validate(each) for each in document["consents"]]


def _key(shared: bytes, head: bytes, receiver: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, b"yingke sealed template 1" + head + receiver).derive(shared)


def _said(body: str) -> bytes:
    return b"yingke parcel 1\0" + body.encode()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
