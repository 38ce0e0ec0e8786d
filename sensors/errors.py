"""What goes wrong with a source: a sentence for people, a type for programs, and the next step."""


class SensorError(Exception):
    """``str()`` is one line that says what is wrong; ``fix`` is one line that says what to do about it.

    ``reason`` is the code that ``health`` carries. ``patience`` is how many seconds should pass before the next
    attempt at least: a camera that refused a password locks its user out when it is asked again and again.
    """

    def __init__(self, message: str, fix: str, *, reason: str = "source_lost", patience: float = 0.0) -> None:
        super().__init__(message)
        self.fix = fix
        self.reason = reason
        self.patience = patience


class SourceError(SensorError):
    """The source cannot be opened or was lost."""


class FormatError(SensorError):
    """The recording is not what it claims to be: wrong kind, wrong link type, cut off in the middle."""
