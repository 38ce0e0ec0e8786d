"""``yingke calibrate`` as a person starts it."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.dashboard.local.test_calibration import config as config


def test_the_command_prints_an_address_that_only_its_holder_can_open_and_ends_with_ctrl_c(config: Path) -> None:
    command = [sys.executable, "-m", "yingke", "calibrate", "--config", str(config), "--camera", "door", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            address = started.stdout.readline().split()[-1]
            assert address.startswith("http://127.0.0.1:")
            page = httpx.get(address)
            assert (page.status_code, "calibration.js" in page.text) == (200, True)
            assert httpx.get(f"{address}api/state?camera=door").json()["phase"] in ("opening", "watching")
            assert httpx.get(f"{address}api/state?camera=back").status_code == 404
            assert httpx.get(f"{address[:-2]}{'x' if address[-2] != 'x' else 'y'}/").status_code == 403
            started.send_signal(signal.SIGINT)
            assert started.wait(30) == 0
        finally:
            started.kill()
        assert started.stderr is not None
        assert started.stderr.read() == ""
