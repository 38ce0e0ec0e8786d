"""The box's own signing key (Ed25519, RFC 8032). The only module that imports ``cryptography``."""

import base64
import binascii
import os
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.errors import SyncError


class KeyFileError(SyncError):
    """The signing key cannot be read, made, or trusted."""


class SigningKey:
    """A private key that stays on this box; ``public`` is its public half, base64url without padding."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = _text(private.public_key().public_bytes_raw())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the key at ``path``. Raises ``KeyFileError`` when it is missing, damaged or open to other users."""
        try:
            mode, pem = path.stat().st_mode, path.read_bytes()
        except OSError as error:
            message = f"the signing key {path} cannot be read: {error.strerror}"
            raise KeyFileError(message, "run as the user of the box, or restore the file from its backup") from error
        if mode & 0o077:
            raise KeyFileError(f"the signing key {path} is open to other users", f"chmod 600 {path}")
        try:
            private = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(f"{path} holds no signing key", "restore the file from its backup") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{path} holds a key of another kind", "restore the file from its backup")
        return cls(private)

    @classmethod
    def open_or_make(cls, path: Path) -> Self:
        """As ``open``; makes the key at first use, with mode 0600. Two processes at once get the same one."""
        if not path.exists():
            _make(path)
        return cls.open(path)

    def sign(self, message: bytes) -> str:
        """The signature, base64url without padding (86 characters)."""
        return _text(self._private.sign(message))


def verify(public: str, signature: str, message: bytes) -> bool:
    """Whether ``message`` was signed with the private half of ``public``."""
    try:
        Ed25519PublicKey.from_public_bytes(_bytes(public)).verify(_bytes(signature), message)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def fingerprint(public: str) -> str:
    """What people compare of a public key: 16 hex digits."""
    return sha256(_bytes(public)).hexdigest()[:16]


def _make(path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made beside, whole and synced, then linked: whoever comes second finds the first one's key in place.
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, pem)
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        message = f"no signing key can be made at {path}: {error.strerror}"
        raise KeyFileError(message, "check edge.data and its permissions") from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
