"""How often strangers are taken for members at one site: measured there before mode entrance may start."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.stats import beta

from edge.processors.recognition_config import RecognitionConfig
from models.errors import ModelError
from sync.events import Name

LONGEST_DAYS = 90
_AGAIN = (
    "measure it here: yingke recognition check --strangers DIR --out FILE, and name it in edge.recognition.site_check"
)


class SiteCheck(BaseModel):
    """One measurement; the JSON that ``RecognitionConfig.site_check`` names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    store: Name
    encoder: str
    """As templates are bound to it: name and version."""
    members: Annotated[int, Field(ge=1)]
    """In the gallery that was compared with."""
    faces: Annotated[int, Field(ge=0)]
    """Visits of people who are no members."""
    false_alerts: Annotated[int, Field(ge=0)]
    """Of them, how many the rule would have told of: a match, or two candidates."""
    upper_95: Annotated[float, Field(ge=0, le=1)]
    """One-sided upper 95 % bound of the share (Clopper and Pearson)."""
    source: str
    """``pictures``, or the name of a camera."""
    day: date

    @classmethod
    def of(cls, store: str, encoder: str, members: int, faces: int, false_alerts: int, source: str, now: float) -> Self:
        """With its bound."""
        return cls(
            store=store,
            encoder=encoder,
            members=members,
            faces=faces,
            false_alerts=false_alerts,
            upper_95=upper_bound(false_alerts, faces),
            source=source,
            day=datetime.fromtimestamp(now, UTC).date(),
        )

    def save(self, path: Path) -> None:
        """Raises ``ModelError``."""
        try:
            path.write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ModelError(f"{path} cannot be written: {error.strerror}", "choose another --out") from error


def upper_bound(false_alerts: int, faces: int) -> float:
    """One-sided 95 % bound; with none among 299 it is 1 %."""
    if false_alerts >= faces:
        return 1.0
    return float(beta.ppf(0.95, false_alerts + 1, faces - false_alerts))


def must_hold(config: RecognitionConfig, store: str, encoder: str, now: float) -> SiteCheck:
    """The site check of mode entrance. Raises ``ModelError``: missing, old, of another encoder or store, too high."""
    path = config.site_check
    try:
        if path is None:
            raise ModelError("mode entrance needs a site check, and there is none", _AGAIN)
        found = SiteCheck.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"the site check {path} cannot be read: {error.strerror}", _AGAIN) from error
    except ValidationError as error:
        raise ModelError(f"{path} is no site check: {error.errors(include_url=False)[0]['msg']}", _AGAIN) from error
    today = datetime.fromtimestamp(now, UTC).date()
    bound = upper_bound(found.false_alerts, found.faces)
    if found.store != store:
        raise ModelError(f"the site check {path} was made in store {found.store}", _AGAIN)
    if found.encoder != encoder:
        raise ModelError(f"the site check {path} is of {found.encoder}, and {encoder} is in use", _AGAIN)
    if not 0 <= (today - found.day).days <= LONGEST_DAYS:
        raise ModelError(f"the site check {path} is of {found.day}: it holds for {LONGEST_DAYS} days", _AGAIN)
    if max(bound, found.upper_95) > config.most_false_alerts:
        raise ModelError(
            f"the site check {path} found {found.false_alerts} false alerts among {found.faces} faces: up to "
            f"{bound:.1%} of strangers, and {config.most_false_alerts:.1%} is allowed",
            "stay with mode check_in; or measure with more faces (299 without a false alert prove 1 %)",
        )
    return found
