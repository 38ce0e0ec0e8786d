"""What is refused about customers, purchases and guides, each with a code for programs and the next step for people."""

from typing import Literal

from sync.errors import SyncError

CrmCode = Literal["unknown", "known", "invalid", "conflict", "erased", "left", "window", "decided", "same", "file"]


class CrmError(SyncError):
    """Refused; ``code`` says why. Nothing was changed."""

    def __init__(self, code: CrmCode, message: str, fix: str) -> None:
        super().__init__(message, fix)
        self.code: CrmCode = code
