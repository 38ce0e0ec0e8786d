"""The web server of the pages: one socket, and a shutdown that ends the open streams instead of cutting them off."""

import errno
import socket
from pathlib import Path
from typing import Protocol

import uvicorn
from fastapi import FastAPI

from dashboard.changes import Changes
from sync.errors import SyncError

PATIENCE_S = 2
"""For open streams at shutdown; they look every half second."""


class Address(Protocol):
    """Where to serve: of the section of the configuration that the page has."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class PageServer(uvicorn.Server):
    """Serves an application; ``state.changes``, where it has them, are the open streams that end at shutdown."""

    def __init__(self, app: FastAPI, certificate: Path | None = None, key: Path | None = None) -> None:
        """With ``certificate`` and ``key`` (PEM) it speaks TLS only."""
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=PATIENCE_S,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            server_header=False,
        )
        super().__init__(config)
        self._changes: Changes | None = getattr(app.state, "changes", None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._changes is not None:
            self._changes.close()
        await super().shutdown(sockets)


def bind(config: Address, section: str = "dashboard") -> socket.socket:
    """The listening socket of the pages; see ``listen``. ``section`` of the configuration names the port."""
    return listen(config.host, config.port, f"{section}.port")


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; ``setting`` is where its port is set. Raises ``SyncError``, one clear line with the fix."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        fix = f"another program has this port: set {setting} to a free one" if taken else f"set {setting} to another"
        raise SyncError(f"cannot serve on {host}:{port}: {error.strerror}", fix) from error
    return listener
