"""What is refused about members, each with a code for programs and the next step for people."""

from typing import Literal

from sync.errors import SyncError

Refusal = Literal[
    "no_consent",
    "expired",
    "minor",
    "other_model",
    "altered",
    "erased",
    "clock",
    "unknown",
    "file",
    "lease",
    "known",
    "pictures",
    "busy",
    "pin",
    "pin_wait",
    "no_code",
    "new_text",
]


class MemberError(SyncError):
    """Refused; ``code`` says why. Nothing was changed."""

    def __init__(self, code: Refusal, message: str, fix: str) -> None:
        super().__init__(message, fix)
        self.code: Refusal = code
