"""kill -9 in the middle of ``put``, the short form; the long one is ``python -m bench.sync --sweep 1000``."""

import json
import subprocess
import sys
from pathlib import Path

from tests.sync.children import ROOT


def test_what_put_accepted_survives_kill_9_at_25_random_moments(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.sync.sweep", str(tmp_path), "25"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["points"] == 25
    assert result["accepted"] > 0
