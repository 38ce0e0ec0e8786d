"""What goes wrong with a source: a sentence for people, a type for programs, and the next step."""


class SensorError(Exception):
    """``str()`` is one line that says what is wrong; ``fix`` is one line that says what to do about it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


class SourceError(SensorError):
    """The source cannot be opened or was lost."""


class FormatError(SensorError):
    """The recording is not what it claims to be: wrong kind, wrong link type, cut off in the middle."""
