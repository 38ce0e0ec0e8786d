"""What a member agrees to: one purpose at a time, with the very words that were shown."""

import json
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from sync.events import Member, Name

Purpose = Literal["recognition", "profile", "wifi_login", "messages"]
Language = Literal["en", "zh"]
How = Literal["tablet_signature", "tablet_code", "command", "customer_phone", "paper"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Text(BaseModel):
    """The words of one purpose in one language; ``digest`` is the SHA-256 of exactly these words."""

    model_config = ConfigDict(frozen=True)
    purpose: Purpose
    language: Language
    version: str
    words: str

    @property
    def digest(self) -> str:
        """Of the words as UTF-8."""
        return sha256(self.words.encode()).hexdigest()


class Consent(BaseModel):
    """One entry of the ledger: somebody agreed to one purpose, or took it back. Entries are never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    member: Member
    purpose: Purpose
    act: Literal["given", "withdrawn"]
    time: float
    """Epoch seconds."""
    version: Annotated[str, Field(pattern=r"^[0-9a-z.-]{1,32}$")]
    digest: Digest
    language: Language
    taken_by: Name
    how: How
    stores: tuple[Name, ...] = ()
    """The stores that the member named; none means the one where it was given."""
    adult: bool = False
    """The member said that they are of age."""

    @property
    def moment(self) -> str:
        """The time for people, UTC."""
        return datetime.fromtimestamp(self.time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@cache
def _texts() -> dict[str, Text]:
    document = json.loads(resources.files("sync.members").joinpath("consent_texts.json").read_text(encoding="utf-8"))
    return {
        f"{purpose}/{language}": Text(purpose=purpose, language=language, version=document["version"], words=words)
        for purpose, both in document["texts"].items()
        for language, words in both.items()
    }


def text(purpose: Purpose, language: Language) -> Text:
    """The words in force."""
    return _texts()[f"{purpose}/{language}"]
