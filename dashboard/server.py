"""The web server of the pages: one socket, and a shutdown that ends the open streams instead of cutting them off."""

import errno
import socket
from pathlib import Path
from typing import Protocol

import uvicorn
from fastapi import FastAPI

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
    """Serves an application of ``dashboard.app.create_app``."""

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
        self._changes = app.state.changes

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._changes.close()
        await super().shutdown(sockets)


def bind(config: Address) -> socket.socket:
    """The listening socket, or one clear line when the port is taken."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        fix = (
            "another program has this port: set dashboard.port to a free one"
            if taken
            else "set dashboard.port to another"
        )
        raise SyncError(f"cannot serve on {config.host}:{config.port}: {error.strerror}", fix) from error
    return listener
