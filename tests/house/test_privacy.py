"""Privacy rules that are about what is not there."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from models.registry import MODELS, Task
from tests.house.imports import modules

ROOT = Path(__file__).resolve().parents[2]
INFERRED = re.compile(r"\b(emotion|ethnicity|race|gender|sex|age|health|mood)\b", re.IGNORECASE)
WRITES = re.compile(r"\b(imwrite|imencode|VideoWriter|np\.save|np\.savez|tofile|matplotlib|PIL)\b")
SHOWN = ("sensors.still", "sensors.stills")
"""Encode a picture in memory, for the operator who calibrates or audits at the box; neither may write a file."""
TO_DISK = re.compile(r"\b(write|write_bytes|write_text|open\(|fdopen|mkstemp|NamedTemporaryFile)\b")
OF_NOBODY = ("edge.demo.", "models.calibration", "models.decoys")
"""Write the demonstration's own material, and populations that are numbers about nobody."""


def test_rule_9_no_model_tells_more_than_where_people_and_faces_are_and_who_agreed() -> None:
    assert set(get_args(Task)) == {
        "person_detector",
        "face_detector",
        "face_landmarks",
        "face_encoder",
        "person_encoder",
    }
    for model in MODELS.values():
        assert not INFERRED.search(model.what), model.name


def test_rule_9_no_event_has_a_field_for_what_is_inferred_of_a_person() -> None:
    def names(node: object) -> set[str]:
        if isinstance(node, dict):
            here = set(node.get("properties", {}))
            return here.union(*(names(child) for child in node.values()), set())
        return set().union(*(names(child) for child in node)) if isinstance(node, list) else set()

    for path in (ROOT / "docs" / "schema").glob("yingke.*.json"):
        # How old a picture is says nothing of anybody.
        for name in names(json.loads(path.read_text())) - {"frame_age"}:
            words = re.split(r"[_A-Z]", name)
            assert not any(INFERRED.fullmatch(word) for word in words), f"{path.name}: {name}"


@pytest.mark.parametrize("name", sorted(name for name in modules(ROOT) if not name.startswith(OF_NOBODY)))
def test_rule_11_no_module_can_write_a_picture_a_film_or_an_array(name: str) -> None:
    text = modules(ROOT)[name].read_text(encoding="utf-8")
    if name in SHOWN:
        assert not TO_DISK.search(text), name
        text = text.replace("imencode", "")
    assert not WRITES.search(text), name
