import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

import yingke
from yingke import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: yingke " + name in out
    module, _, attribute = COMMANDS[name][0].partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


def test_the_table_of_commands_is_shown_without_loading_any_model_or_broker() -> None:
    probe = (
        "import sys, yingke; yingke.main(['--help']); print(sorted(set(sys.modules) & {'cv2', 'onnxruntime', 'paho'}))"
    )
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "demo" in ran.stdout
    assert ran.stdout.strip().endswith("[]")


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cuont"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_a_known_error_is_one_line_with_the_fix_and_exit_code_one(
    capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    assert main(["config", "check", f"{tmp_path}/none.yaml"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("error: ")
    assert err[1].startswith("fix: ")
    assert len(err) == 2


def test_a_line_that_nobody_can_cross_is_refused_before_the_store_opens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(
        "store: {id: a}\nsensors: {cameras: [{name: door, url: a.mp4}]}\nedge: {counting: {door: {lines: "
        "[{name: in, start: [0.1, 1.0], end: [0.9, 1.0], entering: positive, anchor: foot}]}}}\n"
    )
    assert main(["config", "check", str(path)]) == 1
    err = capsys.readouterr().err
    assert "edge.counting.door.lines: in: Nobody can cross here" in err
    assert f"fix: draw it again: yingke calibrate --config {path}" in err
    path.write_text(path.read_text().replace("1.0], end: [0.9, 1.0]", "0.6], end: [0.15, 0.6]"))
    assert main(["config", "check", str(path)]) == 0
    said = capsys.readouterr()
    assert "good" in said.out
    assert said.err.startswith("hint: ")


def test_running_the_module_is_running_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "yingke", "--version"], capture_output=True, text=True, check=True)
    assert "yingke" in ran.stdout
    assert yingke.main(["--version"]) == 0
