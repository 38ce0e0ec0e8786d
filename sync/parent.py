"""A child of a demonstration or a test ends when its parent is gone, on any system."""

import os
import signal
import threading
import time
from collections.abc import Callable

LOOK_EVERY_S = 0.5


def follow_parent(end: Callable[[], None] | None = None) -> None:
    """When ``YINGKE_PARENT`` names our parent, watch it from a daemon thread and ``end`` (SIGTERM to us) once it is gone.

    Without the variable this does nothing: a service is not tied to the shell that started it.
    """
    parent = os.environ.get("YINGKE_PARENT")
    if parent is None:
        return
    stop = end or (lambda: os.kill(os.getpid(), signal.SIGTERM))

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(LOOK_EVERY_S)
        stop()

    threading.Thread(target=watch, name="parent", daemon=True).start()
