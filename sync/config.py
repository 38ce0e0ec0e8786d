"""Configuration of sync: the broker, the outbox, the ingest and the central database.

Secrets never stand in the configuration: ``password_file`` names a file that holds one, or the environment does.
"""

import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sync.errors import SyncError

MAX_EVENT_BYTES = 64 * 1024
"""The largest event, encoded: the outbox refuses a larger one, so the centre may treat it as malformed."""

Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]


class SecretError(SyncError):
    """A secret that the configuration points to cannot be read."""


def read_secret(path: Path) -> str:
    """The first line of a secret file. Raises ``SecretError`` when it is missing, empty or readable by everybody."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"the password file {path} cannot be read", "create it with mode 0600") from error
    if mode & 0o007:
        raise SecretError(f"the password file {path} is open to every user", f"chmod o-rwx {path}")
    if not text:
        raise SecretError(f"the password file {path} is empty", "put the password on its first line")
    return text


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsConfig(_Section):
    """TLS to the broker; with ``certificate`` and ``key`` the client proves who it is (mutual TLS)."""

    ca: Path | None = Field(default=None, description="CA certificates, PEM; the system's when absent")
    certificate: Path | None = Field(default=None, description="this client's certificate, PEM")
    key: Path | None = Field(default=None, description="this client's private key, PEM")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class MqttConfig(_Section):
    """Where the broker is, and how to reach it."""

    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None
    tls: TlsConfig | None = None
    keepalive: Annotated[int, Field(ge=5, le=600, description="seconds; a cut is noticed after 1.5 of them")] = 20
    connect_timeout: Positive = 5.0
    retry_min: Positive = Field(default=0.5, description="seconds; reconnects wait a random time, at least this")
    retry_max: Positive = Field(default=30.0, description="seconds; and at most this")

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        if self.retry_max < self.retry_min:
            raise ValueError("retry_max is below retry_min")
        return self

    def password(self) -> str | None:
        """The password of ``password_file``, or None. Raises ``SecretError``."""
        return None if self.password_file is None else read_secret(self.password_file)


class OutboxConfig(_Section):
    """The events on the box. At a bound, confirmed rows go first; then ``put`` refuses, loudly."""

    max_rows: Annotated[int, Field(ge=1)] = Field(
        default=2_000_000, description="events kept; seven days at 3 a second"
    )
    max_megabytes: Annotated[int, Field(ge=1)] = Field(default=2048, description="size of the file")
    keep_confirmed_days: Annotated[float, Field(ge=0)] = Field(
        default=7.0, description="so that a centre restored from a backup can be filled again"
    )


class RelayConfig(_Section):
    """The edge's half of the way to the centre."""

    window: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1000, description="events sent ahead of the centre's ack"
    )
    resend_after: Positive = Field(default=30.0, description="seconds; the longest wait between such attempts")
    probe_after: Positive = Field(
        default=1.0, description="seconds without progress until one event goes again, to see whether anybody listens"
    )
    poll: Positive = Field(default=0.05, description="seconds between looks at the outbox while nothing happens")


class IngestConfig(_Section):
    """The centre's half."""

    client_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]{1,32}$")] = "yingke-centre"
    batch_rows: Annotated[int, Field(ge=1, le=5000)] = 500
    batch_seconds: Positive = 0.05
    max_dead_letters: Annotated[int, Field(ge=0)] = Field(
        default=100_000, description="kept per store; beyond, refused"
    )


class DatabaseConfig(_Section):
    """The central database: SQLite by default, or PostgreSQL."""

    url: str = Field(
        default="sqlite:///yingke.db", description="or postgresql+psycopg://user@host/name; never with a password"
    )
    password_file: Path | None = Field(
        default=None, description="else the environment's YINGKE_DATABASE_PASSWORD, if set"
    )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if not self.url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("the database is sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME")
        try:
            password = urlsplit(self.url).password
        except ValueError as error:
            raise ValueError("not a database URL, such as postgresql+psycopg://yingke@127.0.0.1/yingke") from error
        if password is not None:
            raise ValueError("the password does not belong here: use password_file or YINGKE_DATABASE_PASSWORD")
        return self

    def resolved(self) -> str:
        """The URL with its password. Raises ``SecretError``."""
        if self.password_file is not None:
            password: str | None = read_secret(self.password_file)
        else:
            password = os.environ.get("YINGKE_DATABASE_PASSWORD")
        scheme, _, rest = self.url.partition("://")
        user, at, place = rest.partition("@")
        return f"{scheme}://{user}:{quote(password, safe='')}@{place}" if password and at else self.url


Days = Annotated[int, Field(ge=14, le=3650)]
"""At least two weeks: what was deleted must not come again from a box, which keeps confirmed events for seven days."""


class RetentionConfig(_Section):
    """How long the centre keeps what tells of a person; totals stay (PRIVACY rule 13)."""

    arrival_days: Days = Field(default=90, description="arrivals of members, and what clerks said to their cards")
    tryon_days: Days = Field(default=30, description="single try-ons; their totals by product and hour stay")
    dead_letter_days: Days = Field(default=90, description="messages that were no events: whatever they hold")


class SyncConfig(_Section):
    """Everything of ``sync`` in one section of ``config.yaml``."""

    mqtt: MqttConfig = MqttConfig()
    outbox: OutboxConfig = OutboxConfig()
    relay: RelayConfig = RelayConfig()
    ingest: IngestConfig = IngestConfig()
    database: DatabaseConfig = DatabaseConfig()
    retention: RetentionConfig = RetentionConfig()
