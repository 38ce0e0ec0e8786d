"""Configuration of one camera, and the address of a camera without its secrets."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensors.errors import SourceError

_STREAM = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DEVICE = re.compile(r"^(usb:)?(\d{1,2})$|^/dev/video(\d{1,2})$")
_SECRET = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s?#]*@", re.IGNORECASE)


class CameraConfig(BaseModel):
    """Where the pictures come from.

    ``url``: a video file, ``rtsp://user@host/path`` (or another stream that FFmpeg reads), or ``usb:0``.
    The password is in a file or an environment variable, never in the configuration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["camera"] = "camera"
    url: Annotated[str, Field(min_length=1)]
    password_file: Path | None = None
    password_env: str | None = None
    max_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Pictures per second that are looked at; the others are skipped, which is not a loss."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise by which the pictures are turned before anything else: for a camera that hangs upside down.

    A picture alone does not tell for certain which way is up, so nothing is turned by itself. Lines and zones are drawn
    on the turned picture."""
    every: Annotated[int, Field(ge=1)] = 1
    """Files only: look at every n-th picture."""
    start: float | None = None
    """Files only: the time (epoch seconds) of media time 0; the moment of opening when absent."""
    speed: Annotated[float, Field(gt=0)] | None = None
    """Files only: media seconds per second of real time; as fast as possible when absent."""
    time_scale: Annotated[float, Field(gt=0)] = 1.0
    """Files only: seconds of the store's clock per media second, for a labelled time lapse."""
    loop: bool = False
    """Files only: begin again at the end."""

    @property
    def device(self) -> int | None:
        """The number of a USB camera, None for anything else."""
        match = _DEVICE.match(self.url)
        return int(match[2] or match[3]) if match else None

    @property
    def stream(self) -> bool:
        """Whether the pictures come over the network."""
        return bool(_STREAM.match(self.url)) and not self.url.startswith("file:")

    @property
    def path(self) -> Path:
        """The file of a recording; ``file:`` before it keeps a name such as ``0`` from being read as a camera."""
        return Path(self.url.removeprefix("file:").removeprefix("//") if self.url.startswith("file:") else self.url)

    @property
    def live(self) -> bool:
        """Whether pictures that are not taken in time are gone."""
        return self.stream or self.device is not None

    @property
    def address(self) -> str:
        """The URL for people and logs: without user, password and query, which often holds a password too."""
        text = _SECRET.sub(lambda match: f"{match['scheme']}***@", self.url)
        return text.partition("?")[0] if self.stream else text.removeprefix("file:")

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.password_file and self.password_env:
            raise ValueError("give password_file or password_env, not both")
        if (self.password_file or self.password_env) and not (self.stream and urlsplit(self.url).username):
            raise ValueError("a password needs a url with a user, like rtsp://viewer@192.0.2.7/stream")
        return self

    def secret_url(self) -> str:
        """The URL with its password. Raises ``SourceError`` when the secret cannot be read. Never print the result."""
        if self.password_file is not None:
            try:
                password = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not text"
                raise SourceError(
                    f"camera {self.address}: password file {self.password_file} cannot be read: {reason}",
                    "create the file with one line, readable by this user only (chmod 600)",
                ) from None
        elif self.password_env is not None:
            password = os.environ.get(self.password_env, "")
            if not password:
                raise SourceError(
                    f"camera {self.address}: the environment variable {self.password_env} is not set",
                    "set it, or use password_file",
                )
        else:
            return self.url
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        user = quote(parts.username or "", safe="%")
        return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))
