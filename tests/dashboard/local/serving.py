"""A local page as its command serves it, on a free port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter

from dashboard.local.app import create_local_app, new_token
from dashboard.server import PageServer, listen


@contextmanager
def served_locally(index: str, routes: APIRouter) -> Iterator[str]:
    """The whole address of the page, token included, while it is served."""
    token = new_token()
    server = PageServer(create_local_app(index, routes, token))
    with listen("127.0.0.1", 0, "--port") as listener:
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/{token}/"
        finally:
            server.should_exit = True
            thread.join()
