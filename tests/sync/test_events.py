import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sync.events import DATA_TYPES, Event, Interval, InvalidEvent, decode, event_topic, schemas, utc, uuid7
from tests.sync.making import T0, Box, arrival, visit

SECRET = "3c:22:fb:01:02:03"


def travelling(**changes: Any) -> bytes:
    document = json.loads(Box("s1").send(visit()).payload)
    return json.dumps(document | changes).encode()


def test_what_is_encoded_is_decoded_to_the_same() -> None:
    sent = Box("s1").send(visit())
    event = decode(sent.payload)
    assert event.encode() == sent.payload
    assert (event.storeid, event.sensor, event.seq) == ("s1", "camera-1", 1)


def test_arrivals_have_a_topic_of_their_own() -> None:
    assert Box("s1").send(arrival()).topic == "yingke/v1/s1/alerts"
    assert event_topic(decode(travelling())) == "yingke/v1/s1/events/visit"


@pytest.mark.parametrize(
    "changes",
    [
        {"storeid": "s2"},
        {"source": "/stores/s2/camera-1"},
        {"source": "/stores/s1/../s2"},
        {"id": "5436abae-7283-41d5-ac18-526616e8154e"},
        {"sequence": "1"},
        {"type": "yingke.tryon.v1"},
        {"type": "yingke.visit.v9"},
        {"type": None},
        {"time": "2026-11-21T06:03:12"},
        {"specversion": "0.3"},
        {"data": None},
        {"datacontenttype": "image/jpeg"},
    ],
)
def test_an_envelope_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent):
        decode(travelling(**changes))


@pytest.mark.parametrize("place", ["envelope", "data", "evidence"])
def test_a_field_that_the_contract_does_not_know_is_refused_and_not_quoted(place: str) -> None:
    document = json.loads(travelling())
    target = {"envelope": document, "data": document["data"], "evidence": document["data"]["evidence"]}[place]
    target[f"mac_{SECRET}"] = SECRET
    with pytest.raises(InvalidEvent) as caught:
        decode(json.dumps(document).encode())
    assert SECRET not in str(caught.value)
    assert "extra_forbidden" in str(caught.value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_that_are_no_event_are_refused_with_one_line(raw: bytes) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode(raw)
    assert "\n" not in str(caught.value)


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(InvalidEvent):
        decode(b"[" * 100_000)


def free_text(schema: Any, root: Any) -> list[str]:
    """Paths of strings in a schema that no pattern, format, constant or choice limits."""
    if "$ref" in schema:
        return free_text(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    found = []
    if schema.get("type") == "string" and not {"pattern", "format", "const", "enum"} & set(schema):
        found.append(str(schema))
    for name, part in schema.get("properties", {}).items():
        found += [f"{name}: {path}" for path in free_text(part, root)]
    for part in (*schema.get("anyOf", ()), *schema.get("prefixItems", ()), schema.get("items")):
        if isinstance(part, dict):
            found += free_text(part, root)
    return found


@pytest.mark.parametrize("name", DATA_TYPES)
def test_no_type_has_a_field_that_could_hold_a_picture_an_address_or_a_number_of_somebody(name: str) -> None:
    schema = json.loads(schemas()[f"{name}.json"])
    assert free_text(schema, schema) == []
    models = [schema, *schema["$defs"].values()]
    assert all(model.get("additionalProperties") is False for model in models if model.get("type") == "object")


@pytest.mark.parametrize("epc", [SECRET, SECRET.replace(":", "").upper(), "13800138000", "x" * 500])
def test_an_epc_cannot_be_a_mac_address_or_a_phone_number(epc: str) -> None:
    document = json.loads(travelling(type="yingke.item.v1", data={"epc": epc, "place": "till", "step": "sold"}))
    with pytest.raises(InvalidEvent):
        decode(json.dumps(document).encode())


def test_numbers_are_finite_and_bounded() -> None:
    with pytest.raises(ValidationError):
        Interval(value=float("inf"), low=0, high=1)
    document = json.loads(travelling())
    document["data"]["evidence"]["track"] = 2**70
    with pytest.raises(InvalidEvent):
        decode(json.dumps(document).encode())


@given(st.floats(0, 2**41))
def test_ids_sort_by_the_moment_they_carry(seconds: float) -> None:
    first, second = uuid7(seconds), uuid7(seconds + 0.01)
    assert first.version == second.version == 7
    assert first < second
    assert first.variant == "specified in RFC 4122"


def test_times_travel_in_utc_to_the_millisecond() -> None:
    assert Event.new("camera-1", T0 + 0.12345, visit().data).time == utc(T0 + 0.123)
