"""What is refused about accounts, sessions and keys."""

from sync.errors import SyncError


class AccountError(SyncError):
    """It cannot be done; nothing was changed."""


class LoginError(AccountError):
    """Account and password do not fit, or there were too many tries. ``wait`` is in seconds, 0 for none."""

    def __init__(self, message: str, fix: str, wait: float = 0.0) -> None:
        super().__init__(message, fix)
        self.wait = wait
