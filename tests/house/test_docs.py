"""What the documents say is there: commands, files, modules."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from sync.events import decode
from yingke import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "README.zh-CN.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/decisions.md",
    "docs/figures.md",
    "docs/audit.md",
    "docs/wifi.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_module_that_is_named_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"(?:^|[`$(])\s*(?:\.venv/bin/)?yingke ([a-z][a-z-]*)", text, flags=re.MULTILINE):
        assert name in COMMANDS, f"{page}: yingke {name}"
    for module in re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)+)", text):
        assert importlib.util.find_spec(module), f"{page}: {module}"
    for target in re.findall(r"`make ([a-z-]+)`", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), f"{page}: make {target}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"wifi", "rfid"}])
def test_every_command_is_in_both_readmes(name: str) -> None:
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert f"yingke {name}" in text or (name == "demo" and "make demo" in text), f"{page}: {name}"


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_event_in_the_readme_is_a_real_one(page: str) -> None:
    block = re.search(r"```json\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block
    event = decode(block[1].encode())
    assert json.loads(block[1])["data"]["evidence"]["track"] == event.data.evidence.track
