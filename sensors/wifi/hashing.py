"""Keyed pseudonyms for what must not be kept (PRIVACY rule 10).

The salt is random, lives in RAM and is replaced by a new one every ten minutes of capture time, so that nothing can be
recognised later than that, by anybody, with any computer: there is no longer a key to try addresses with.
"""

import secrets
from collections.abc import Callable
from hashlib import blake2s

ROTATION_SECONDS = 600
"""Seconds of capture time that one salt lives, at multiples of it since the epoch. PRIVACY rule 10 allows 900; with
600 the usual ten-minute window sees one salt only. ``edge.processors.devices`` cuts longer windows at these times."""

_DIGEST = 8
"""Bytes of a pseudonym: among a million in ten minutes, two are equal with probability 3e-8."""
_MAX_CACHE = 20_000


def _random_salt() -> bytes:
    return secrets.token_bytes(32)


class Pseudonyms:
    """Gives addresses and masked fingerprints their names for at most ten minutes.

    What was hashed under the present salt is remembered, by Python's own keyed 64-bit hash and never as bytes, since a
    phone repeats itself within a burst; a new salt forgets it all.
    ``salt`` is called for each new salt (tests give a known one). Not thread-safe: one per source.
    """

    def __init__(self, salt: Callable[[], bytes] = _random_salt) -> None:
        self._new_salt = salt
        self._epoch = -1
        self.devices: dict[int, bytes] = {}
        self.fingerprints: dict[int, bytes] = {}
        self.rotate_at(0.0)

    def rotate_at(self, time: float) -> None:
        """Take a new salt when ``time`` lies in a later period than the present one (or far before it).

        Frames of several channels come a little out of order; one that is late by less than a period keeps the present
        salt, which has not been out for longer than it may.
        """
        epoch = int(time // ROTATION_SECONDS)
        if self._epoch - 1 <= epoch <= self._epoch:
            return
        self._epoch = epoch
        self.valid_until = (epoch + 1) * float(ROTATION_SECONDS)
        self.valid_from = (epoch - 1) * float(ROTATION_SECONDS)
        salt = self._new_salt()
        self._device = blake2s(key=salt, digest_size=_DIGEST, person=b"device")
        self._elements = blake2s(key=salt, digest_size=_DIGEST, person=b"elements")
        self.devices.clear()
        self.fingerprints.clear()

    def device(self, address: bytes) -> bytes:
        """The pseudonym of a 6-byte address under the present salt."""
        key = hash(address)
        known = self.devices.get(key)
        if known is not None:
            return known
        state = self._device.copy()
        state.update(address)
        digest = state.digest()
        if len(self.devices) < _MAX_CACHE:
            self.devices[key] = digest
        return digest

    def fingerprint(self, elements: bytes, mask: Callable[[bytes], tuple[bytes, bool]]) -> bytes:
        """The keyed hash of ``mask(elements)[0]``; not remembered when ``mask(elements)[1]`` is false."""
        key = hash(elements)
        known = self.fingerprints.get(key)
        if known is not None:
            return known
        masked, anonymous = mask(elements)
        state = self._elements.copy()
        state.update(masked)
        digest = state.digest()
        if anonymous and len(self.fingerprints) < _MAX_CACHE:
            self.fingerprints[key] = digest
        return digest
