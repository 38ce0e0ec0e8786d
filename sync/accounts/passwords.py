"""Passwords as Argon2id: RFC 9106's second recommendation (64 MiB, three passes), the library's default."""

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sync.accounts.errors import AccountError

SHORTEST, LONGEST = 12, 128
_AT_ONCE = threading.BoundedSemaphore(2)
"""64 MiB each: a flood of logins waits instead of filling the memory."""


class Passwords:
    """Makes and compares hashes; ``hasher`` is another one in tests only."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(8))

    def hashed(self, password: str) -> str:
        """Raises ``AccountError`` for one that is too short or too plain."""
        if not SHORTEST <= len(password) <= LONGEST or len(set(password)) < 5:
            raise AccountError(
                f"a password has {SHORTEST} to {LONGEST} characters, not all alike", "four words make a good one"
            )
        with _AT_ONCE:
            return self._hasher.hash(password)

    def fits(self, known: str | None, password: str) -> bool:
        """Takes as long for somebody who is not known (None) as for who is."""
        try:
            with _AT_ONCE:
                good = self._hasher.verify(known or self._nobody, password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
        return good and known is not None
