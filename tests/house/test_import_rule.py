from pathlib import Path

import pytest

from tests.house.imports import PACKAGES, cycles, violations

ROOT = Path(__file__).resolve().parents[2]


def test_every_import_keeps_the_rule() -> None:
    assert violations(ROOT) == []


def test_there_is_no_import_cycle() -> None:
    assert cycles(ROOT) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("sensors/a.py", "import models.detector", "sensors may not import models"),
        ("sync/a.py", "def f():\n    from edge.runtime import x", "sync may not import edge"),
        ("edge/a.py", "from dashboard import app", "edge may not import dashboard"),
        ("edge/a.py", "import paho.mqtt.client", "belongs behind sync.mqtt"),
        ("sensors/a.py", "from scapy.all import rdpcap", "belongs behind no module"),
    ],
)
def test_a_forbidden_import_is_named(tree: Path, file: str, text: str, said: str) -> None:
    (tree / file).write_text(text)
    assert any(said in line for line in violations(tree))


def test_a_cycle_is_named(tree: Path) -> None:
    (tree / "edge/a.py").write_text("import edge.b")
    (tree / "edge/b.py").write_text("def f():\n    from edge import a")
    assert cycles(tree) == [["edge.a", "edge.b"]]
