from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.events import Arrival, Response, utc
from sync.members.desk import ACTIONS, ASKED_FIRST_S, KEPT_S, Action, Answer, Card, Desk, Tap

NOW = 1_780_000_000.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path / "desk.db", {"M-0417": "guide-7"}.get) as opened:
        yield opened


def arrive(desk: Desk, *members: str, method: str = "face", time: float = NOW, event: UUID | None = None) -> Card:
    arrival = Arrival.model_validate(
        {"candidates": members or ("M-0417",), "method": method, "confidence": 0.9, "expires": utc(time + 900)}
    )
    return desk.arrived(event or uuid4(), arrival, time)


def tap(
    desk: Desk,
    card: Card,
    action: Action,
    guide: str = "guide-7",
    member: str | None = None,
    name: UUID | None = None,
    time: float = NOW + 3,
) -> Answer:
    return desk.tap(Tap(name or uuid4(), UUID(card.id), action, guide, time, member))


def test_rule_8_a_face_is_a_suggestion_until_a_clerk_confirms(desk: Desk) -> None:
    card = arrive(desk)
    assert not card.confirmed
    answer = tap(desk, card, "confirm")
    assert answer.card is not None
    assert answer.card.confirmed


def test_a_code_at_the_door_needs_no_confirmation(desk: Desk) -> None:
    assert arrive(desk, method="qr").confirmed


def test_the_members_own_guide_is_asked_first_and_then_everybody(desk: Desk) -> None:
    card = arrive(desk)
    assert (card.asked, card.open_at) == ("guide-7", NOW + ASKED_FIRST_S)
    other = arrive(desk, "M-0500")
    assert (other.asked, other.open_at) == (None, NOW)


def test_one_visit_is_one_card_whatever_recognises_the_member(desk: Desk) -> None:
    first = arrive(desk, "M-0417", "M-0500")
    second = arrive(desk, "M-0417", method="rfid_card", time=NOW + 5)
    assert second.id == first.id
    assert second.members == ("M-0417",)
    assert second.methods == ("face", "rfid_card")
    assert second.confirmed
    assert len(desk.cards(NOW + 6)) == 1


def test_the_same_arrival_read_twice_is_one_card(desk: Desk) -> None:
    event = uuid4()
    assert arrive(desk, event=event) == arrive(desk, event=event)
    assert len(desk.cards(NOW)) == 1


def test_who_comes_second_is_told_who_has_claimed(desk: Desk) -> None:
    card = arrive(desk)
    assert tap(desk, card, "claim").reply == "done"
    answer = tap(desk, card, "claim", guide="guide-8")
    assert answer.reply == "taken"
    assert answer.card is not None
    assert answer.card.guide == "guide-7"


def test_only_one_of_many_tablets_claims(desk: Desk) -> None:
    card = arrive(desk)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: tap(desk, card, "claim", guide=f"guide-{n}").reply, range(8)))
    assert sorted(answers) == ["done"] + ["taken"] * 7


def test_wrong_person_removes_one_of_two_candidates_and_closes_a_card_with_one(desk: Desk) -> None:
    card = arrive(desk, "M-0417", "M-0500")
    left = tap(desk, card, "wrong_person", member="M-0417").card
    assert left is not None
    assert left.members == ("M-0500",)
    closed = tap(desk, card, "wrong_person").card
    assert closed is not None
    assert (closed.state, closed.ended) == ("closed", "wrong_person")
    assert desk.cards(NOW + 4) == []


def test_confirming_one_of_two_needs_to_say_which(desk: Desk) -> None:
    card = arrive(desk, "M-0417", "M-0500")
    assert tap(desk, card, "confirm").reply == "unknown"
    answer = tap(desk, card, "confirm", member="M-0500")
    assert answer.card is not None
    assert answer.card.members == ("M-0500",)


def test_a_tap_that_a_tablet_sends_again_counts_once(desk: Desk) -> None:
    card, name = arrive(desk), uuid4()
    assert tap(desk, card, "claim", name=name).reply == "done"
    assert tap(desk, card, "release", guide="guide-7").reply == "done"
    assert tap(desk, card, "claim", name=name).reply == "done"
    (open_card,) = desk.cards(NOW + 4)
    assert open_card.state == "waiting"
    assert [event.data.action for _, event in desk.unsent() if isinstance(event.data, Response)] == ["claim", "release"]


def test_a_tap_on_a_card_that_is_over_says_so_and_makes_no_event(desk: Desk) -> None:
    card = arrive(desk)
    assert desk.expire(NOW + 901) == 1
    assert tap(desk, card, "claim", time=NOW + 901).reply == "closed"
    assert tap(desk, Card(str(uuid4()), (), (), 0, 0, 0), "claim").reply == "unknown"
    assert desk.unsent() == []


def test_a_tap_made_in_time_on_a_tablet_that_slept_for_an_hour_counts_and_opens_nothing(desk: Desk) -> None:
    both, sent_away = arrive(desk, "M-0500", "M-0501"), arrive(desk)
    tap(desk, sent_away, "wrong_person")
    assert desk.expire(NOW + 3600) == 1
    late = tap(desk, both, "wrong_person", member="M-0501")
    assert (late.reply, late.card and late.card.state, late.card and late.card.ended) == ("done", "closed", "expired")
    assert tap(desk, both, "confirm").reply == "done"
    assert desk.cards(NOW + 3600) == []
    assert [event.data.action for _, event in desk.unsent() if isinstance(event.data, Response)] == [
        "wrong_person", "wrong_person", "confirm",
    ]  # fmt: skip
    assert desk.wrong_taps() == {"M-0417": 1, "M-0501": 1}
    assert tap(desk, sent_away, "confirm").reply == "closed", "a clerk ended that card, not the clock"


def test_taps_stay_until_the_outbox_holds_them_also_over_a_restart(tmp_path: Path) -> None:
    with Desk(tmp_path / "desk.db") as desk:
        card = arrive(desk)
        tap(desk, card, "claim")
    with Desk(tmp_path / "desk.db") as again:
        ((name, event),) = again.unsent()
        assert event.data == Response(arrival=UUID(card.id), member="M-0417", action="claim", guide="guide-7")
        again.sent([name])
        assert again.unsent() == []


def test_a_tablet_that_slept_catches_up_from_its_cursor(desk: Desk) -> None:
    first = arrive(desk)
    _, cursor = desk.since(0)
    second = arrive(desk, "M-0500")
    tap(desk, first, "claim")
    changed, after = desk.since(cursor)
    assert [card.id for card in changed] == [second.id, first.id]
    assert after == desk.revision
    assert desk.since(after) == ([], after)


def test_wrong_persons_are_counted_by_member_until_somebody_confirms_and_for_the_site(desk: Desk) -> None:
    for member in ("M-0417", "M-0417", "M-0500"):
        tap(desk, arrive(desk, member), "wrong_person")
    assert desk.wrong_taps() == {"M-0417": 2, "M-0500": 1}
    tap(desk, arrive(desk, "M-0417"), "confirm")
    assert desk.wrong_taps() == {"M-0500": 1}
    tap(desk, arrive(desk, "M-0600", method="qr"), "wrong_person")
    assert desk.alerts(NOW) == (3, 4)


def test_rule_13_arrivals_are_gone_after_ninety_days(desk: Desk) -> None:
    card = arrive(desk)
    tap(desk, card, "left")
    desk.sent([name for name, _ in desk.unsent()])
    desk.expire(NOW + KEPT_S + 1)
    assert desk.since(0)[0] == []
    assert tap(desk, card, "claim").reply == "unknown"


@given(
    taps=st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.sampled_from(["guide-7", "guide-8"]), st.integers(0, 3)), max_size=12
    )
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_tapped_and_repeated_every_done_tap_is_one_event(
    tmp_path_factory: pytest.TempPathFactory, taps: list[tuple[Action, str, int]]
) -> None:
    with Desk(tmp_path_factory.mktemp("desk") / "desk.db") as desk:
        card = arrive(desk, "M-0417", "M-0500")
        done = 0
        for action, guide, repeats in taps:
            name = uuid4()
            replies = {tap(desk, card, action, guide, name=name).reply for _ in range(repeats + 1)}
            assert len(replies) == 1
            done += replies == {"done"}
        assert len(desk.unsent()) == done
        for seen in desk.since(0)[0]:
            assert seen.state in ("waiting", "claimed", "closed")
            assert (seen.guide is not None) == (seen.state == "claimed") or seen.state == "closed"
