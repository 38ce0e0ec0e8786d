"""``yingke erase`` at head office: a real broker, a real centre and the boxes of two stores, each a process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sync.broker import NatsServer
from sync.members.register import Register
from sync.orders import open_receipt
from tests.sync.children import ROOT, until
from tests.sync.members.test_register import agreed, vectors
from yingke import main

BOX = """store: {{id: {store}}}
edge: {{data: "{data}", orders: {{centre: {centre}, lease: true}}}}
sync: {{mqtt: {{port: {port}}}}}
"""
CENTRE = """store: {{id: s1}}
stores: [{{id: s2}}, {{id: s3}}]
dashboard: {{port: 0, orders: {{key: '{folder}/centre.key'}}}}
edge: {{data: '{folder}/unused'}}
sync: {{mqtt: {{port: {port}}}, database: {{url: 'sqlite:///{folder}/central.db'}}}}
"""


@contextmanager
def running(log: Path, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "yingke", *map(str, words)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "YINGKE_PARENT": str(os.getpid())},
            stdout=said,
            stderr=said,
        )
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(30) == 0, log.read_text()[-2000:]


def erase(capsys: pytest.CaptureFixture[str], config: Path, *more: str) -> tuple[int, dict[str, object]]:
    try:
        code = main(["erase", "M-0417", "--by", "head-office", "--json", "--config", str(config), *more])
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_rule_7_an_erasure_at_head_office_ends_with_a_receipt_of_every_box_and_says_who_is_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.txt"
    centre = tmp_path / "centre.yaml"
    with NatsServer(tmp_path / "broker") as broker, ExitStack() as stack:
        centre.write_text(CENTRE.format(folder=tmp_path, port=broker.port))
        assert main(["keys", "--json", "--config", str(centre)]) == 0
        public = json.loads(capsys.readouterr().out)["centre"]
        for store in ("s1", "s2", "s3"):
            data = tmp_path / store
            (tmp_path / f"{store}.yaml").write_text(BOX.format(store=store, data=data, centre=public, port=broker.port))
            data.mkdir()
            with Register(data, store) as register:
                register.record([agreed(time=1_760_000_000.0)])
                register.enrol("M-0417", "some.1", vectors(), 1_760_000_000.0, "guide-7")
        stack.enter_context(running(log, "centre", "--config", centre))
        for store in ("s1", "s2"):
            stack.enter_context(running(log, "edge", "--config", tmp_path / f"{store}.yaml"))
        code, said = erase(capsys, centre, "--wait", "1")
        assert code == 3, log.read_text()[-2000:]
        assert "s3" in said["waiting"]  # type: ignore[operator]
        until(lambda: erase(capsys, centre, "--status")[1]["waiting"] == ["s3"], 60)
        # The box that was away comes back, erases, and says so.
        stack.enter_context(running(log, "edge", "--config", tmp_path / "s3.yaml"))
        until(lambda: erase(capsys, centre, "--status")[0] == 0, 60)
        for store in ("s1", "s2", "s3"):
            with Register(tmp_path / store, store) as register:
                assert register.enrolled() == 0
                assert register.tombstone("M-0417") is not None


def test_a_receipt_on_the_box_needs_no_centre_and_no_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "box.yaml"
    config.write_text(f"store: {{id: s1}}\nedge: {{data: '{tmp_path}/edge'}}\n")
    assert main(["erase", "M-0417", "--by", "guide-7", "--json", "--config", str(config)]) == 0
    assert open_receipt(capsys.readouterr().out.strip().encode(), "s1").outcome == "done"
    assert main(["erase", "M-0417", "--by", "guide-7", "--status", "--config", str(config)]) == 2
    assert main(["keys", "forget", "s2", "--config", str(config)]) == 2
