"""docs/schema is what the code says, and the schemas are those of the events that travel."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError  # type: ignore[import-untyped]

from sync.schema_files import differences, write
from tests.sync.children import ROOT
from tests.sync.making import Box, arrival, devices, health, minute, tryon, visit

SCHEMAS = ROOT / "docs" / "schema"
EXAMPLES = [visit(), minute(), arrival(), tryon(), tryon(gtin=None), devices(), health()]


def test_the_committed_schemas_are_the_generated_ones() -> None:
    assert differences(SCHEMAS) == [], "run: python -m sync.schema_files docs/schema"


def test_a_changed_a_missing_and_a_surplus_schema_are_each_named(tmp_path: Path) -> None:
    write(tmp_path)
    assert differences(tmp_path) == []
    (tmp_path / "yingke.visit.v1.json").write_text("{}")
    (tmp_path / "yingke.zone.v1.json").unlink()
    (tmp_path / "yingke.old.v1.json").write_text("{}")
    assert differences(tmp_path) == ["yingke.old.v1.json", "yingke.visit.v1.json", "yingke.zone.v1.json"]
    assert len(write(tmp_path)) == 3
    assert differences(tmp_path) == []


def validator(kind: str) -> Any:
    schema = json.loads((SCHEMAS / f"{kind}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.data.TYPE)
def test_an_event_as_it_travels_fits_its_schema(event: Any) -> None:
    document = json.loads(Box().send(event).payload)
    validator(document["type"]).validate(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "seven"),
        ("storeid", "A B"),
        ("time", "yesterday"),
        ("sequence", "7"),
        ("specversion", "0.3"),
        ("mac", "x"),
    ],
)
def test_a_schema_refuses_what_the_contract_refuses(field: str, value: str) -> None:
    document = json.loads(Box().send(visit()).payload) | {field: value}
    with pytest.raises(ValidationError):
        validator(document["type"]).validate(document)
