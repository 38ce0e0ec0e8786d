"""What the API works on: the central database, the chain's stores, the clock and the keys."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sync.accounts.passwords import Passwords
from sync.accounts.roles import Caller
from sync.clock import Now
from sync.crm.importing.parsing import Settings
from sync.settings import StoreConfig
from sync.signing import SigningKey
from sync.store.database import Connection, Engine, reading, translated, writing


@dataclass(frozen=True)
class Office:
    """``secrets`` are those of signed webhooks, by source; ``key`` signs orders to the boxes, where there are such."""

    engine: Engine
    stores: Sequence[StoreConfig]
    now: Now
    passwords: Passwords = field(default_factory=Passwords)
    secrets: Mapping[str, str] = field(default_factory=dict)
    key: SigningKey | None = None
    secure: bool = False
    """Served over TLS: the cookie is for that only."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One read transaction."""
        with reading(self.engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction; what looks at a person is one, since the look is noted in it."""
        with translated(), writing(self.engine) as connection:
            yield connection

    def settings(self, source: str, store: str | None) -> Settings:
        """How to read what a source tells of a store: days are the store's."""
        place = next((each for each in self.stores if each.id == store), self.stores[0])
        return Settings(source=source, zone=place.zone)


def source_of(caller: Caller, told: str | None) -> str | None:
    """The source that the caller writes as; None when that is not theirs, or nobody named one."""
    if caller.source is None:
        return told
    return caller.source if told in (None, caller.source) else None
