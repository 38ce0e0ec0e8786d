import threading
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sensors.wifi.hopping import ChannelConfig, HopError, Hopper, HoppingConfig, Ran, schedule

CONFIG = HoppingConfig(
    interface="mon0",
    channels=(
        ChannelConfig(channel=1, weight=2),
        ChannelConfig(channel=36, band="5"),
        ChannelConfig(channel=5, band="6"),
    ),
    dwell_ms=200,
)


class Iw:
    """Answers as iw does: its words and exit codes, in the order given, then always well."""

    def __init__(self, *answers: Ran) -> None:
        self.answers = list(answers)
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> Ran:
        self.commands.append(command)
        return self.answers.pop(0) if self.answers else Ran(0, "")


def failed(number: int, words: str) -> Ran:
    return Ran(256 - number, f"command failed: {words} (-{number})\n")


def test_the_radio_is_told_each_frequency_in_turn_the_weighty_ones_more_often() -> None:
    iw = Iw()
    hopper = Hopper(CONFIG, iw)
    assert [hopper.step() for _ in range(8)] == [0.2] * 8
    assert all(command[:5] == ["iw", "dev", "mon0", "set", "freq"] for command in iw.commands)
    assert Counter(command[5] for command in iw.commands) == {"2412": 4, "5180": 2, "5975": 2}
    assert (hopper.hops, hopper.failures, hopper.condition) == (8, 0, None)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=10))
def test_a_round_holds_each_channel_as_often_as_its_weight_and_never_far_from_its_share(weights: list[int]) -> None:
    channels = [
        ChannelConfig(channel=36 + 4 * number, band="5", weight=weight) for number, weight in enumerate(weights)
    ]
    round_ = schedule(channels)
    assert Counter(round_) == {each.mhz: each.weight for each in channels}
    for each in channels:
        at = [index for index, mhz in enumerate(round_ * 2) if mhz == each.mhz]
        assert max((b - a for a, b in pairwise(at)), default=0) <= 2 * sum(weights) / each.weight


@pytest.mark.parametrize(
    ("number", "words", "reason", "fix"),
    [
        (1, "Operation not permitted", "hop_no_permission", "CAP_NET_ADMIN"),
        (16, "Device or resource busy", "hop_busy", "nmcli device set mon0 managed no"),
        (19, "No such device", "hop_no_interface", "iw dev"),
        (100, "Network is down", "hop_no_interface", "ip link set mon0 up"),
        (5, "Input/output error", "hop_failed", "by hand"),
    ],
)
def test_what_iw_refuses_is_said_with_its_fix_and_counted(number: int, words: str, reason: str, fix: str) -> None:
    hopper = Hopper(CONFIG, Iw(failed(number, words)))
    with pytest.raises(HopError) as caught:
        hopper.step()
    assert caught.value.reason == reason == hopper.condition
    assert fix in caught.value.fix
    assert hopper.failures == 1
    hopper.step()
    assert hopper.condition is None


def test_the_exit_code_alone_is_enough() -> None:
    with pytest.raises(HopError) as caught:
        Hopper(CONFIG, Iw(Ran(240, ""))).step()
    assert caught.value.reason == "hop_busy"


def test_without_iw_it_says_how_to_get_it() -> None:
    def run(command: Sequence[str]) -> Ran:
        raise FileNotFoundError(2, "No such file or directory", "iw")

    with pytest.raises(HopError, match="iw cannot be run") as caught:
        Hopper(CONFIG, run).step()
    assert "apt install iw" in caught.value.fix


def test_a_channel_that_cannot_be_had_is_left_out_while_others_remain() -> None:
    iw = Iw(Ran(0, ""), failed(22, "Invalid argument"))
    hopper = Hopper(CONFIG, iw)
    waits = [hopper.step() for _ in range(6)]
    assert waits.count(0.0) == 1
    tried = [command[5] for command in iw.commands]
    refused = tried[1]
    assert refused not in tried[2:]
    assert hopper.failures == 1


def test_when_no_channel_can_be_had_it_says_so() -> None:
    config = HoppingConfig(interface="mon0", channels=(ChannelConfig(channel=14),))
    with pytest.raises(HopError) as caught:
        Hopper(config, Iw(failed(22, "Invalid argument"))).step()
    assert caught.value.reason == "hop_no_channel"


def test_the_thread_ends_when_it_is_told_to_also_while_it_waits_after_a_failure() -> None:
    stop = threading.Event()
    tried = threading.Event()

    def run(command: Sequence[str]) -> Ran:
        tried.set()
        return failed(16, "Device or resource busy")

    thread = threading.Thread(target=Hopper(CONFIG, run).run, args=(stop,))
    thread.start()
    assert tried.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(("channel", "band"), [(15, "2.4"), (1, "5"), (178, "5")])
def test_a_channel_that_does_not_exist_is_refused(channel: int, band: str) -> None:
    with pytest.raises(ValidationError, match="there is no channel"):
        ChannelConfig.model_validate({"channel": channel, "band": band})


def test_an_interface_name_cannot_be_an_option_or_a_channel_stand_there_twice() -> None:
    with pytest.raises(ValidationError):
        HoppingConfig(interface="mon0 up; reboot")
    with pytest.raises(ValidationError, match="twice"):
        HoppingConfig(interface="mon0", channels=(ChannelConfig(channel=1), ChannelConfig(channel=1)))
