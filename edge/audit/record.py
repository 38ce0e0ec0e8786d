"""From a score to a signed entry of the ledger, and on to the outbox."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edge.audit.counting import Setup, digests
from edge.audit.intervals import Estimate
from edge.audit.ledger import Ledger
from edge.audit.score import Figures, Score
from sync.audits import Entry, unsealed
from sync.config import OutboxConfig
from sync.errors import SyncError
from sync.events import AuditFigures, Event, Proportion
from sync.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Heard:
    """What was audited, and how: ``how`` is ``taps`` or ``file``, ``by`` who counted (a role or a short name)."""

    by: str
    how: str
    video: str
    video_seconds: float
    watched_seconds: float
    tolerance: float


class Keeper:
    """Keeps the audits of one box: ``data`` is its folder, ``now`` gives epoch seconds."""

    def __init__(self, data: Path, store: str, config: OutboxConfig, now: Callable[[], float]) -> None:
        self.ledger = Ledger(data, store)
        self._outbox = data / "outbox.db"
        self._store = store
        self._config = config
        self._now = now

    def keep(
        self, setup: Setup, line: str, result: Score, heard: Heard, *, blind: tuple[Entry, Score, int] | None = None
    ) -> Entry:
        """Append the result. ``blind``: of a review, the entry and score before it and how many taps it changed.

        Raises ``SyncError``; the entry is then not in the ledger.
        """
        # Loads the runtime of the models, which looking at the ledger does not need.
        from models.detector import MODEL

        first, before, revised = blind or (None, None, 0)
        data = unsealed(
            line=line,
            stage="reviewed" if first else "blind",
            of=first.id if first else None,
            by=heard.by,
            how=heard.how,
            video=heard.video,
            video_seconds=round(heard.video_seconds, 3),
            watched_seconds=round(heard.watched_seconds, 3),
            counting=digests(setup.counting, setup.models, setup.max_fps)[line],
            software=version("yingke"),
            detector=MODEL,
            tolerance=heard.tolerance,
            delay=round(result.delay, 3),
            target=result.target,
            verdict=result.verdict,
            more=result.more,
            figures=_figures(result.all),
            entering=_figures(result.directions["in"]),
            leaving=_figures(result.directions["out"]),
            blind=_figures(before.all) if before else None,
            revised=revised,
        )
        return self.ledger.append(Event.new(setup.sensor, self._now(), data))

    def send(self, *, everything: bool = False) -> int:
        """Hand what waits to the box's outbox; returns how many. Raises ``SyncError``; nothing is lost then.

        Where the box never ran there is no outbox yet: the box takes the entries when it starts.
        """
        if not self._outbox.exists():
            return 0
        with Outbox(self._outbox, self._store, self._config, self._now, create=False) as outbox:
            return self.ledger.hand_over(outbox, everything=everything)

    def try_to_send(self) -> str | None:
        """As ``send``; returns why the entries wait in the ledger, or None when they are on their way."""
        try:
            self.send()
        except SyncError as error:
            return f"{error}; {error.fix}"
        return None if not self.ledger.unsent() else "the box has not run yet: it sends them when it starts"


def _figures(figures: Figures) -> AuditFigures:
    return AuditFigures(
        people=figures.people,
        counted=figures.counted,
        right=figures.right,
        accuracy=_proportion(figures.accuracy),
        precision=_proportion(figures.precision),
        recall=_proportion(figures.recall),
    )


def _proportion(estimate: Estimate | None) -> Proportion | None:
    if estimate is None:
        return None
    return Proportion(value=round(estimate.value, 4), low=round(estimate.low, 4), high=round(estimate.high, 4))
