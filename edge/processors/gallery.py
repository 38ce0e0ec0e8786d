"""The gallery as it may be used now: read from the register when it changes, dropped when it may not be read."""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from models.encoders import FaceEncoder, decoys_for, model_of
from models.gallery import Gallery
from sync.errors import SyncError
from sync.members.register import Register

__all__ = ["OpenGallery", "model_of"]

log = logging.getLogger("yingke.edge")

LOOK_EVERY_S = 1.0
"""So soon an erasure or a new member is in effect."""
TAPS_EVERY_S = 60.0


class WrongTaps(Protocol):
    """How often clerks said "wrong person" of each member since the last confirmation (``sync.members.desk``)."""

    def wrong_taps(self) -> Mapping[str, int]: ...


class OpenGallery:
    """The gallery of one camera. ``monotonic`` gives seconds; it is asked often and looks seldom."""

    def __init__(
        self, register: Register, encoder: FaceEncoder, monotonic: Callable[[], float], taps: WrongTaps | None = None
    ) -> None:
        self._register = register
        self._encoder = encoder
        self._monotonic = monotonic
        self._taps = taps
        self._decoys = decoys_for(encoder)
        self._looked = self._tapped = float("-inf")
        self._revision: int | None = None
        self._wrong: Mapping[str, int] = {}
        self._gallery: Gallery | None = None
        self.problem: str | None = None
        """Why nobody is recognised, as a reason code of ``health``; None when all is well."""

    def now(self, time: float) -> Gallery | None:
        """What may be compared at ``time`` (epoch seconds); None when nobody is enrolled, or nobody may be compared."""
        moment = self._monotonic()
        if moment - self._looked < LOOK_EVERY_S:
            return self._gallery
        self._looked = moment
        try:
            revision = self._register.revision
            # Anew once a minute even so: templates run out, and a lease does.
            if revision != self._revision or moment - self._tapped >= TAPS_EVERY_S:
                self._tapped = moment
                self._read(time)
                self._revision = revision
            self.problem = None
        except SyncError as error:
            reason = f"gallery_{getattr(error, 'code', 'failed')}"
            if reason != self.problem:
                log.error("recognition: %s; %s", error, error.fix)
            self._gallery, self._revision, self.problem = None, None, reason
        return self._gallery

    def _read(self, time: float) -> None:
        found = self._register.gallery(model_of(self._encoder), time)
        if self._revision is None or found.left_out:
            for code in sorted(set(found.left_out.values())):
                count = list(found.left_out.values()).count(code)
                log.info("recognition: %d templates are left out: %s", count, code)
        self._wrong = self._taps.wrong_taps() if self._taps is not None else {}
        members = {each.member: each.vectors for each in found.templates}
        self._gallery = Gallery(members, self._encoder.rule, self._decoys, self._wrong) if members else None
