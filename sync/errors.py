"""What goes wrong in sync: a sentence for people, a type for programs, and the next step."""


class SyncError(Exception):
    """``str()`` is one line that says what is wrong; ``fix`` is one line that says what to do about it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix
