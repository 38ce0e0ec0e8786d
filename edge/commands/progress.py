"""How far a recording has been read, for people who wait."""

import sys
import time

import click


class Progress:
    """One line on stderr that is rewritten, on a terminal only."""

    def __init__(self, duration: float | None) -> None:
        self._duration = duration
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def show(self, media: float, found: str) -> None:
        """``media`` seconds are done; ``found`` is what there is by now, such as ``3 crossings``."""
        now = time.monotonic()
        if not self._terminal or now - self._shown < 0.2:
            return
        self._shown = now
        share = f"{min(1.0, media / self._duration):4.0%}" if self._duration else f"{media:.0f} s"
        click.echo(f"\r\033[K{share}  {found}", nl=False, err=True)

    def done(self) -> None:
        """Take the line away."""
        if self._terminal:
            click.echo("\r\033[K", nl=False, err=True)
