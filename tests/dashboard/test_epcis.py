import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker  # type: ignore[import-untyped]
from pydantic import ValidationError

from dashboard.epcis import TYPES, EpcisConfig, Writer, head, written
from sync.events import Event, Item, TryOn, utc
from sync.settings import StoreConfig
from sync.store.store import CentralStore
from tests.dashboard.serving import OPENS, SHOP, Feed, served
from tests.shared_data import shared
from yingke import main

ITEM = "3074257BF7194E4000001A85"
LINK = "https://id.gs1.org/01/80614141123458/21/6789"
CONFIG = EpcisConfig(base="https://brand.example/epcis", glns={SHOP.id: "9521141111116"})


@cache
def validator() -> Draft7Validator:
    schema = json.loads(shared("data/rfid/epcis/EPCIS-JSON-Schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"].startswith("http://json-schema.org/draft-07")
    checker = FormatChecker()
    # Without the packages of jsonschema[format] these formats pass whatever they hold.
    assert {"uri", "date-time"} <= set(checker.checkers)
    return Draft7Validator(schema, format_checker=checker)


def document(*events: Event, store: StoreConfig = SHOP, config: EpcisConfig = CONFIG) -> dict[str, Any]:
    rows = [
        {
            "id": str(event.id),
            "type": event.data.TYPE,
            "sensor": event.sensor,
            "time": event.time.timestamp(),
            "data": json.loads(event.data.model_dump_json(exclude_none=True)),
        }
        for event in events
    ]
    text = "".join(written(Writer(store, config), rows, head(config.base, OPENS, uuid4())))
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def tryon(kind: str = "tried_on", **changes: Any) -> Event:
    values: dict[str, Any] = {
        "epc": ITEM, "room": "room-1", "start": utc(OPENS), "end": utc(OPENS + 90), "kind": kind, "confidence": 0.8,
    }  # fmt: skip
    return Event.new("rfid-1", OPENS + 90, TryOn(**values | changes))


def item(step: Any, seconds: float = OPENS) -> Event:
    return Event.new("rfid-1", seconds, Item(epc=ITEM, place="till-1", step=step))


def only(event: Event) -> dict[str, Any]:
    (found,) = document(event)["epcisBody"]["eventList"]
    assert isinstance(found, dict)
    return found


def test_the_schema_with_its_formats_accepts_gs1_s_examples_and_refuses_bad_values() -> None:
    for path in sorted(shared("data/rfid/epcis").glob("*.jsonld")):
        assert validator().is_valid(json.loads(path.read_text(encoding="utf-8"))), path.name
    good = document(item("sold"))
    validator().validate(good)
    for field, bad in (("eventTime", "yesterday"), ("eventTimeZoneOffset", "8"), ("bizStep", "trying_on")):
        broken = json.loads(json.dumps(good))
        broken["epcisBody"]["eventList"][0][field] = bad
        assert not validator().is_valid(broken), field
    broken = json.loads(json.dumps(good))
    broken["epcisBody"]["eventList"][0]["epcList"] = ["no uri"]
    assert not validator().is_valid(broken)


def test_a_try_on_has_a_step_of_its_own_with_its_duration_and_confidence() -> None:
    found = only(tryon(companions=("3074257BF7194E4000001A86",)))
    assert found["bizStep"] == "https://brand.example/epcis/bizstep/trying_on"
    assert (found["epcList"], found["disposition"]) == ([LINK], "sellable_not_accessible")
    assert found["eventTime"] == "2026-11-21T10:01:30.000+08:00"
    assert found["eventTimeZoneOffset"] == "+08:00"
    assert found["readPoint"]["id"] == "https://id.gs1.org/414/9521141111116/254/room-1"
    (element,) = found["sensorElementList"]
    assert [report["value"] for report in element["sensorReport"]] == [90.0, 0.8]
    assert element["sensorMetadata"]["startTime"] == "2026-11-21T10:00:00.000+08:00"
    assert found["yingke:companions"] == ["https://id.gs1.org/01/80614141123458/21/6790"]
    assert only(tryon("in_room"))["bizStep"].endswith("/bizstep/in_fitting_room")


def test_a_sale_an_exit_and_a_return_are_steps_of_the_vocabulary_and_an_exit_says_nothing_of_a_sale() -> None:
    assert [
        (found["bizStep"], found.get("disposition")) for found in map(only, map(item, ("sold", "left", "returned")))
    ] == [
        ("retail_selling", "retail_sold"),
        ("entering_exiting", None),
        ("stocking", "sellable_accessible"),
    ]
    assert get_args(Item.model_fields["step"].annotation) == ("sold", "left", "returned")


def test_a_store_without_a_location_number_and_a_tag_without_a_product_have_uris_all_the_same() -> None:
    event = Event.new("rfid-1", OPENS, Item(epc="E2801160600002052EAA1234", place="door", step="left"))
    found = document(event, config=EpcisConfig(base="https://brand.example/e"))
    validator().validate(found)
    (only,) = found["epcisBody"]["eventList"]
    assert only["epcList"] == ["urn:epc:raw:96.xE2801160600002052EAA1234"]
    assert only["bizLocation"]["id"] == "https://brand.example/e/store/nanjing-road"


def test_the_last_event_s_clock_counts_when_summer_time_ends() -> None:
    london = StoreConfig(id="london", timezone="Europe/London")
    hour = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    found = document(item("sold", hour), item("sold", hour + 3600), store=london)["epcisBody"]["eventList"]
    assert [event["eventTime"] for event in found] == ["2026-10-25T01:30:00.000+01:00", "2026-10-25T01:30:00.000+00:00"]


MOMENTS = st.datetimes(timezones=st.just(UTC))
EPCS = st.one_of(
    st.integers(4, 31).flatmap(lambda words: st.text("0123456789ABCDEF", min_size=words * 4, max_size=words * 4)),
    st.integers(0, 2**88 - 1).map(lambda rest: f"30{rest:022X}"),
    st.integers(0, 2**200 - 1).map(lambda rest: f"36{rest:050X}"),
    st.integers(0, 2**104 - 1).map(lambda rest: f"F7{rest:026X}"),
)
NAMES = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
ITEMS = st.builds(Item, epc=EPCS, place=NAMES, step=st.sampled_from(["sold", "left", "returned"]))
TRYONS = st.builds(
    TryOn,
    epc=EPCS,
    gtin=st.none(),
    room=NAMES,
    start=MOMENTS,
    end=MOMENTS,
    kind=st.sampled_from(["in_room", "tried_on"]),
    companions=st.lists(EPCS, max_size=3).map(tuple),
    confidence=st.floats(0, 1),
)
ZONES = st.sampled_from(
    ["UTC", "Asia/Shanghai", "America/St_Johns", "Pacific/Kiritimati", "Africa/Monrovia", "Asia/Kathmandu"]
)


@given(st.one_of(ITEMS, TRYONS), MOMENTS, NAMES, ZONES)
@settings(max_examples=300, deadline=None)
def test_any_try_on_and_any_item_event_is_a_valid_document(
    data: Item | TryOn, when: datetime, sensor: str, zone: str
) -> None:
    event = Event(id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"), sensor=sensor, time=when, data=data)
    validator().validate(document(event, store=StoreConfig(id="shop", timezone=zone)))


def test_a_wrong_location_number_is_named() -> None:
    with pytest.raises(ValidationError, match="9521141111111 is no GLN: 13 digits with a check digit"):
        EpcisConfig(glns={"shop": "9521141111111"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CentralStore]:
    with CentralStore(f"sqlite:///{tmp_path / 'centre.db'}") as opened:
        yield opened


def test_the_api_gives_every_event_once_page_by_page_and_later_the_new_ones(store: CentralStore) -> None:
    feed = Feed(store)
    sent = [item("sold", OPENS + i) for i in range(7)]
    for event in sent:
        feed.send(event)
        feed.minutes(OPENS, 1, place="entrance")
    url = f"/api/v1/stores/{SHOP.id}/epcis?limit=3"
    with served(store, OPENS + 60) as address, httpx.Client(base_url=address, timeout=10) as client:
        found, answer = [], client.get(url)
        while True:
            assert answer.headers["content-type"] == "application/ld+json"
            assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"
            validator().validate(answer.json())
            found += [event["eventID"] for event in answer.json()["epcisBody"]["eventList"]]
            if "next" not in answer.links:
                break
            answer = client.get(answer.links["next"]["url"])
        assert found == [f"urn:uuid:{event.id}" for event in sent]
        cursor = answer.headers["Yingke-Cursor"]
        assert client.get(f"{url}&cursor={cursor}").json()["epcisBody"]["eventList"] == []
        feed.send(late := tryon())
        (new,) = client.get(f"{url}&cursor={cursor}").json()["epcisBody"]["eventList"]
        assert new["eventID"] == f"urn:uuid:{late.id}"
        assert client.get("/api/v1/stores/other/epcis").status_code == 404
        assert client.get(f"{url}&cursor=-1").status_code == 422


def configured(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"store: {{id: {SHOP.id}, timezone: {SHOP.timezone}}}\n"
        f"sync: {{database: {{url: 'sqlite:///{tmp_path / 'centre.db'}'}}}}\n"
        "dashboard: {epcis: {glns: {nanjing-road: '9521141111116'}}}\n"
    )
    return path


def test_the_command_writes_the_days_asked_for_by_time_whatever_their_number(
    store: CentralStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = Feed(store)
    day = 86400.0
    for event in [item("left", OPENS + day), item("sold", OPENS - day), tryon(), item("sold", OPENS + 5)]:
        feed.send(event)
    many = [item("sold", OPENS + 100) for _ in range(1500)]  # of one moment, over two pages
    store.ingest([feed.box.send(event) for event in many])
    options = ["--store", SHOP.id, "--config", str(configured(tmp_path)), "--from", "2026-11-21", "--to", "2026-11-21"]
    out = tmp_path / "out.jsonld"
    assert main(["export", "epcis", *options, "--out", str(out)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    validator().validate(found)
    events = found["epcisBody"]["eventList"]
    assert [event["bizStep"].rpartition("/")[2] for event in events[:2]] == ["retail_selling", "trying_on"]
    assert {event["eventID"] for event in events[2:]} == {f"urn:uuid:{event.id}" for event in many}
    assert len(events) == 1502
    assert not (tmp_path / "out.jsonld.part").exists()
    assert main(["export", "epcis", *options]) == 0
    assert json.loads(capsys.readouterr().out)["epcisBody"] == found["epcisBody"]


def test_the_command_names_the_stores_there_are_and_what_cannot_be_written(
    store: CentralStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(configured(tmp_path))
    days = ["--from", "2026-11-21", "--to", "2026-11-21"]
    assert main(["export", "epcis", "--store", "none", "--config", config, *days]) == 1
    assert "fix: give --store one of: nanjing-road" in capsys.readouterr().err
    options = ["--store", SHOP.id, "--config", config]
    assert main(["export", "epcis", *options, *days, "--out", str(tmp_path / "no" / "where.json")]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert main(["export", "epcis", *options, "--from", "2026-11-22", "--to", "2026-11-21"]) == 2


def test_events_that_are_not_about_items_have_no_form() -> None:
    assert TYPES == ("yingke.tryon.v1", "yingke.item.v1")
