import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.config import EdgeFile
from edge.processors.items import ItemsProcessor
from edge.processors.items_config import ItemPlace, ItemsConfig
from sensors.readings import TagRead
from sync.events import Event, Item

RACK, TILL, EXIT, ROOM = 1, 2, 3, 4
PLACES = ItemsConfig(
    antennas={
        RACK: ItemPlace(role="rack", place="floor"),
        TILL: ItemPlace(role="till", place="till-1"),
        EXIT: ItemPlace(role="exit", place="door"),
    }
)
START = 1_700_000_000.0
ITEM = "3074257BF7194E4000001A85"
OTHER = "3034257BF7194E4000001A86"


def stay(antenna: int, start: float, end: float, dbm: float = -50.0, every: float = 0.25) -> list[TagRead]:
    """Reads of one piece at one antenna; times from START on."""
    count = round((end - start) / every)
    return [TagRead(START + start + i * every, ITEM, antenna, dbm) for i in range(count)]


def steps(processor: ItemsProcessor, *parts: Iterable[TagRead], until: float = 10_000.0) -> list[tuple[str, str, int]]:
    reads = sorted((read for part in parts for read in part), key=lambda read: read.time)
    events = [event for read in reads for event in processor.process(read)]
    events += processor.flush(START + until)
    return [told(event) for event in events]


def told(event: Event) -> tuple[str, str, int]:
    assert isinstance(event.data, Item)
    return event.data.step, event.data.place, round(event.time.timestamp() - START)


@pytest.fixture
def processor() -> ItemsProcessor:
    return ItemsProcessor("floor-reader", PLACES, {ROOM: "room-1"})


def test_what_lies_on_the_till_is_sold_once_however_long_it_lies_there(processor: ItemsProcessor) -> None:
    assert steps(processor, stay(RACK, 0, 60), stay(TILL, 100, 400)) == [("sold", "till-1", 101)]


def test_what_is_carried_out_has_left_when_it_was_last_read(processor: ItemsProcessor) -> None:
    assert steps(processor, stay(RACK, 0, 60), stay(EXIT, 100, 103)) == [("left", "door", 103)]


def test_sold_and_left_are_two_facts_in_this_order_and_name_the_product(processor: ItemsProcessor) -> None:
    reads = [*stay(RACK, 0, 60), *stay(TILL, 100, 110), *stay(EXIT, 160, 163)]
    events = [event for read in reads for event in processor.process(read)] + list(processor.flush(START + 500))
    assert [told(event)[0] for event in events] == ["sold", "left"]
    assert {event.data.gtin for event in events if isinstance(event.data, Item)} == {"80614141123458"}
    # An exit without a sale has the same form: nothing in the event says more than where the tag was.
    assert set(Item.model_fields) == {"epc", "gtin", "place", "step"}


def test_what_comes_back_from_a_fitting_room_or_the_till_is_returned(processor: ItemsProcessor) -> None:
    from_room = [*stay(RACK, 0, 60), *stay(ROOM, 100, 200), *stay(RACK, 210, 260)]
    assert steps(processor, from_room) == [("returned", "floor", 230)]


def test_what_turns_round_at_the_door_has_not_left(processor: ItemsProcessor) -> None:
    assert steps(processor, stay(RACK, 0, 60), stay(EXIT, 100, 103), stay(RACK, 106, 150)) == [
        ("returned", "floor", 126)
    ]


def test_what_hangs_beside_the_door_leaves_once_it_is_taken_and_not_when_it_is_read_no_more(
    processor: ItemsProcessor,
) -> None:
    flickering = [read for start in range(300, 3000, 60) for read in stay(EXIT, start, start + 20)]
    assert steps(processor, stay(RACK, 0, 60), stay(EXIT, 61, 280), flickering) == []


def test_a_walk_past_the_till_and_stray_weak_reads_are_no_sale(processor: ItemsProcessor) -> None:
    past = [TagRead(START + 100, ITEM, TILL, -50.0), TagRead(START + 100.4, ITEM, TILL, -52.0)]
    weak = stay(TILL, 200, 260, dbm=-63)
    assert steps(processor, stay(RACK, 0, 60), past, weak) == []


def test_the_stronger_place_has_it(processor: ItemsProcessor) -> None:
    both = [*stay(RACK, 0, 300, dbm=-40), *stay(TILL, 60, 300, dbm=-55)]
    assert steps(processor, both) == []


def test_what_lay_there_at_the_start_was_not_sold_now(processor: ItemsProcessor) -> None:
    assert steps(processor, stay(TILL, 0, 60), stay(TILL, 100, 130)) == []


def test_a_reader_that_was_lost_invents_neither_an_exit_nor_a_sale(processor: ItemsProcessor) -> None:
    for read in [*stay(RACK, 0, 60), *stay(EXIT, 100, 102)]:
        assert processor.process(read) == []
    processor.lost(START + 103)
    assert list(processor.flush(START + 200)) == []
    assert steps(processor, stay(EXIT, 300, 302)) == [("left", "door", 302)]


def test_the_same_step_is_not_told_again_within_ten_minutes(processor: ItemsProcessor) -> None:
    again = [
        read
        for start in (100, 160, 220)
        for read in [*stay(TILL, start, start + 5), *stay(EXIT, start + 20, start + 22)]
    ]
    assert [step for step, _, _ in steps(processor, stay(RACK, 0, 60), again)] == ["sold", "left"]


def test_a_scanner_sells_by_one_line() -> None:
    scanner = ItemPlace(role="till", place="till-2", reads=1, seconds=0)
    processor = ItemsProcessor("scanner", ItemsConfig(antennas={1: scanner}, settle_seconds=0))
    assert steps(processor, [TagRead(START, ITEM, 1, None)]) == [("sold", "till-2", 0)]


def test_two_antennas_of_one_counter_are_one_place() -> None:
    counter = ItemPlace(role="till", place="till-1")
    processor = ItemsProcessor("till", ItemsConfig(antennas={1: counter, 2: counter}, settle_seconds=0))
    reads = [TagRead(START + i * 0.2, ITEM, 1 + i % 2, -50.0 + i % 2) for i in range(50)]
    assert steps(processor, reads) == [("sold", "till-1", 1)]


def test_blank_tags_and_tags_without_an_epc_are_nobody_s_item() -> None:
    processor = ItemsProcessor(
        "till", ItemsConfig(antennas={1: ItemPlace(role="till", place="till-1")}, settle_seconds=0)
    )
    for epc in ("0" * 24, "ABCD", ""):
        assert steps(processor, [TagRead(START + i, epc, 1, -40.0) for i in range(20)]) == []
    assert processor.tags == 0


def test_memory_stays_bounded_and_the_longest_unseen_go_first() -> None:
    processor = ItemsProcessor("floor", PLACES.model_copy(update={"most_tags": 100}))
    for i in range(5000):
        processor.process(TagRead(START + i / 10, f"30{i:022X}", RACK, -50.0))
    assert processor.tags <= 111


def test_a_clock_that_was_set_back_starts_over(processor: ItemsProcessor) -> None:
    first = [event for read in [*stay(RACK, 0, 60), *stay(EXIT, 100, 102)] for event in processor.process(read)]
    assert first == []
    back = [read for read in stay(TILL, -5000, -4900)]
    assert steps(processor, back, until=-4800) == []


@given(st.integers(0, 2**32), st.floats(0, 60))
@settings(max_examples=60, deadline=None)
def test_no_order_of_reads_tells_a_step_that_no_place_has_or_repeats_one(seed: int, late: float) -> None:
    rng = random.Random(seed)
    processor = ItemsProcessor("reader", PLACES, {ROOM: "room-1"})
    events: list[Event] = []
    for i in range(600):
        level = rng.choice([None, rng.uniform(-90, -20)])
        time = START + i * rng.uniform(0, 1) - rng.uniform(0, late)
        events += processor.process(TagRead(time, rng.choice([ITEM, OTHER]), rng.randrange(6), level))
        if rng.random() < 0.05:
            events += processor.flush(START + i)
    events += processor.close(START + 700)
    last: dict[tuple[str, str, str], float] = {}
    for event in events:
        assert isinstance(event.data, Item)
        assert (event.data.step, event.data.place) in {("sold", "till-1"), ("left", "door"), ("returned", "floor")}
        key, when = (event.data.epc, event.data.step, event.data.place), event.time.timestamp()
        assert when - last.get(key, 0.0) >= PLACES.repeat_seconds - 0.01
        last[key] = when


def test_an_antenna_is_not_a_room_and_a_till_at_once() -> None:
    reader = {"type": "llrp", "name": "floor", "host": "10.0.0.5"}
    edge = {
        "tryons": {"floor": {"rooms": {1: "room-1"}}},
        "items": {"floor": {"antennas": {1: {"role": "till", "place": "till-1"}}}},
    }
    with pytest.raises(ValidationError, match=r"edge.items.floor.antennas: 1 is a fitting room .* remove it"):
        EdgeFile.model_validate({"store": {"id": "shop"}, "sensors": {"rfid": [reader]}, "edge": edge})
