"""The wheel holds what the product needs, and nobody else owns the generic names of our packages."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.house.imports import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy of the tracked files, so that nothing left lying about gets in."""
    work = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (work / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (work / "tree" / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(work)]
    subprocess.run([*command, str(work / "tree")], check=True, capture_output=True)
    return zipfile.ZipFile(next(work.glob("*.whl")))


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_every_data_file(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES, "yingke.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert sorted(set(tracked) - inside) == []
    assert {name for name in inside if name.startswith("tests")} == set()


def test_no_other_distribution_owns_our_package_names() -> None:
    owners = packages_distributions()
    for name in (*PACKAGES, "yingke"):
        assert set(owners.get(name, ["yingke"])) == {"yingke"}, f"{name} is owned by {owners[name]}"


def test_the_project_cannot_be_uploaded_by_accident() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_every_requirement_is_locked_with_hashes() -> None:
    for lock in ("requirements.lock", "requirements-test.lock"):
        text = (ROOT / lock).read_text()
        entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert entries, lock
        assert all(entry.endswith("\\") and "==" in entry for entry in entries), lock
        names = {entry.split("==")[0].split("[")[0] for entry in entries}
        wanted = {dep.split(">")[0].split("=")[0].split("[")[0] for dep in PROJECT["project"]["dependencies"]}
        assert wanted <= names, lock
