"""A child of a demonstration or a test ends when its parent is gone, on any system."""

import os
import signal
import threading
import time
from collections.abc import Callable

LOOK_EVERY_S = 0.5
GRACE_S = 15.0
"""For an orderly end once the parent is gone: longer than the longest wait of a camera (10 s to open)."""


def follow_parent(end: Callable[[], None] | None = None, grace: float = GRACE_S) -> None:
    """When ``YINGKE_PARENT`` names our parent, watch it from a daemon thread and ``end`` once it is gone.

    ``end`` is SIGTERM to ourselves when none is given. What has not ended ``grace`` seconds later is ended
    at once: nobody is left who would do it.
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
        time.sleep(grace)
        os._exit(3)

    threading.Thread(target=watch, name="parent", daemon=True).start()
