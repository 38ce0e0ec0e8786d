import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import FormatError, SourceError
from sensors.frigate import FrigateSource, camera_fps, sightings
from sensors.frigate_config import FrigateConfig
from sensors.readings import Attention, Sighting, Silence
from sensors.subscription import Message, Subscription
from tests.sensors.frigate_events import DETECT, event, stats

NOW = 1_700_000_000.0
CAMERA = FrigateConfig(name="door", camera="front_door", detect=DETECT)
WALK = [(0.2, 0.8, NOW - 3), (0.4, 0.8, NOW - 2), (0.6, 0.8, NOW - 1), (0.75, 0.8, NOW)]


@dataclass
class Sent:
    topic: str
    payload: bytes


class Script:
    """A connection that receives what a test says, then silence, then is lost."""

    def __init__(self, *sent: tuple[str, bytes]) -> None:
        self.topics: Sequence[str] = ()
        self._sent = deque(Sent(topic, payload) for topic, payload in sent)
        self._silences = 1

    @contextmanager
    def connect(self, topics: Sequence[str]) -> Iterator[Subscription]:
        self.topics = topics
        yield self

    def receive(self, timeout: float, /) -> Message | None:
        if self._sent:
            return self._sent.popleft()
        if self._silences:
            self._silences -= 1
            return None
        raise SourceError("the broker is gone", "start it")


def read(*sent: tuple[str, bytes]) -> tuple[list[Sighting | Attention | Silence], int]:
    script = Script(*sent)
    found: list[Sighting | Attention | Silence] = []
    with FrigateSource(CAMERA, script.connect, lambda: NOW) as source, pytest.raises(SourceError, match="gone"):
        found.extend(source)
    return found, source.dropped


def test_a_person_s_path_and_box_are_sightings_in_order_of_time_in_shares_of_the_picture() -> None:
    found = sightings(event("end", "1.5-abc", WALK), CAMERA, NOW)
    assert [seen.time for seen in found] == [NOW - 3, NOW - 2, NOW - 1, NOW]
    assert [(seen.box[0] + seen.box[2]) / 2 for seen in found] == pytest.approx([0.2, 0.4, 0.6, 0.75], abs=1e-3)
    assert [seen.box[3] for seen in found] == pytest.approx([0.8] * 4, abs=1e-3)
    assert [seen.box[3] - seen.box[1] for seen in found] == pytest.approx([0.4] * 4, abs=2e-3)
    assert [seen.ended for seen in found] == [False, False, False, True]
    assert {(seen.track, seen.since) for seen in found} == {("1.5-abc", NOW - 3.6)}


def test_an_older_frigate_without_a_path_gives_the_box() -> None:
    document = json.loads(event("update", "1.5-abc", WALK))
    del document["after"]["path_data"], document["after"]["score"]
    (seen,) = sightings(json.dumps(document).encode(), CAMERA, NOW)
    assert (seen.time, seen.ended) == (NOW, False)
    assert seen.score == pytest.approx(0.959, abs=1e-3)


@pytest.mark.parametrize("changes", [{"camera": "yard"}, {"label": "dog"}, {"false_positive": True}])
def test_other_cameras_other_things_and_false_positives_are_not_people_here(changes: dict[str, Any]) -> None:
    assert sightings(event("update", "1.5-abc", WALK, **changes), CAMERA, NOW) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"box": None},
        {"box": [1, 2, 3]},
        {"box": [500, 500, 500, 500]},
        {"box": [1, 2, "x", 4]},
        {"box": [10**400, 0, 1, 1]},
        {"frame_time": float("nan")},
        {"frame_time": NOW + 86400},
        {"start_time": None},
        {"score": 7},
        {"id": ""},
        {"id": ["x"]},
        {"path_data": 5},
        {"path_data": [[[0.1], 3]]},
        {"path_data": [[[0.1, 0.2], "then"]]},
        {"path_data": [[[0.1, 0.2], NOW]] * 3000},
    ],
)
def test_what_frigate_would_not_send_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        sightings(event("update", "1.5-abc", WALK, **changes), CAMERA, NOW)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists).map(
            lambda value: json.dumps({"after": value, "type": "end"}).encode()
        ),
        st.dictionaries(
            st.sampled_from(["box", "score", "id", "path_data", "frame_time", "start_time", "label", "camera"]),
            st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists),
        ).map(lambda changes: event("update", "1.5-abc", WALK, **changes)),
        st.just(b"[" * 100_000),
        st.just(b"9" * 10_000),
        st.just(b'{"after": ' + b"x" * 300_000),
    )
)
def test_no_message_makes_anything_but_sightings_inside_the_picture_or_one_error(payload: bytes) -> None:
    for read_it in (lambda: sightings(payload, CAMERA, NOW), lambda: camera_fps(payload, "front_door")):
        try:
            found = read_it()
        except FormatError:
            continue
        for seen in found if isinstance(found, list) else []:
            assert seen.box[0] < seen.box[2]
            assert seen.box[1] < seen.box[3] <= 1


def test_frigate_watches_once_it_says_so_and_its_camera_gives_pictures() -> None:
    found, dropped = read(
        ("frigate/stats", stats()),
        ("frigate/available", b"online"),
        ("frigate/stats", stats()),
        ("frigate/stats", stats(0.0)),
        ("frigate/stats", stats(camera="yard")),
        ("frigate/stats", stats()),
        ("frigate/front_door/detect/state", b"OFF"),
        ("frigate/stats", stats()),
        ("frigate/front_door/detect/state", b"ON"),
        ("frigate/events", event("new", "1.5-abc", WALK[:2])),
        ("frigate/available", b"offline"),
    )
    signs = [reading.reason for reading in found if isinstance(reading, Attention)]
    assert signs == [
        "frigate_unknown",
        "frigate_unknown",
        None,
        "frigate_no_frames",
        "frigate_no_frames",
        None,
        "frigate_detect_off",
        "frigate_detect_off",
        None,
        "frigate_offline",
    ]
    assert sum(isinstance(reading, Sighting) for reading in found) == 2
    assert (isinstance(found[-1], Silence), dropped) == (True, 0)


def test_messages_that_cannot_be_read_are_counted_and_the_next_one_is_read() -> None:
    found, dropped = read(
        ("frigate/events", b"\xff\x00"),
        ("frigate/events", b"[]"),
        ("frigate/stats", b'{"cameras": 3}'),
        ("frigate/available", b"online"),
        ("frigate/stats", stats()),
    )
    assert dropped == 3
    assert [reading.reason for reading in found if isinstance(reading, Attention)][-1] is None


def test_only_topics_without_pictures_are_subscribed_to() -> None:
    script = Script()
    with FrigateSource(CAMERA, script.connect, lambda: NOW):
        assert list(script.topics) == [
            "frigate/available",
            "frigate/stats",
            "frigate/events",
            "frigate/front_door/detect/state",
            "frigate/front_door/enabled/state",
        ]
