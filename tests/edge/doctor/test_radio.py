from dataclasses import replace

import pytest

from edge.doctor.findings import Finding, Frames
from edge.doctor.wifi import check_radio, country, interfaces, monitor_phys
from sensors.wifi.hopping import ChannelConfig, HoppingConfig
from tests.edge.doctor.making import IW_DEV, IW_PHY, IW_REG, PretendMachine

HOPPING = HoppingConfig(interface="mon0")


def looked(machine: PretendMachine, name: str = "mon0", hopping: HoppingConfig | None = HOPPING) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_radio(machine, name, hopping, 8.0)}


def test_interfaces_are_read_with_their_radio_mode_and_frequency_whatever_the_network_is_called() -> None:
    found = interfaces(IW_DEV.format(channel=6, mhz=2437))
    assert sorted(found) == ["mon0", "wlan0"]
    assert (found["mon0"].phy, found["mon0"].kind, found["mon0"].mhz) == ("phy1", "monitor", 2437)
    assert (found["wlan0"].phy, found["wlan0"].kind, found["wlan0"].mhz) == ("phy0", "managed", 5180)


def test_a_radio_can_monitor_only_if_it_lists_it_among_its_own_modes() -> None:
    assert monitor_phys(IW_PHY) == {"phy1"}


@pytest.mark.parametrize(("text", "found"), [(IW_REG, "CN"), ("", None), ("global\ncountry 00: DFS-UNSET\n", "00")])
def test_the_country_is_the_global_one(text: str, found: str | None) -> None:
    assert country(text) == found


def test_a_radio_that_works_is_well_in_every_line() -> None:
    found = looked(PretendMachine())
    assert {finding.level for finding in found.values()} == {"ok"}
    assert found["wifi mon0 air"].said == "100 frames/s, 24 probe requests in 8 s"
    assert found["wifi mon0 hopping"].said == "seen on 2412, 2437, 2462 MHz"


@pytest.mark.parametrize("text", ["", "garbage", "phy#\nInterface ", "\ttype monitor\n", "Wiphy \n * monitor"])
def test_output_that_is_not_what_iw_prints_gives_nothing(text: str) -> None:
    assert monitor_phys(text) == set()
    assert all(not found.kind for found in interfaces(text).values())


def test_without_iw_or_interface_it_says_what_to_install_or_which_there_are() -> None:
    none = looked(PretendMachine(outputs={"iw dev": FileNotFoundError(2, "No such file")}))
    assert none["wifi mon0"].level == "fail"
    assert "apt install iw" in none["wifi mon0"].fix
    other = looked(PretendMachine(), "mon7")
    assert other["wifi mon7"].level == "fail"
    assert "mon0, wlan0" in other["wifi mon7"].fix


def test_an_interface_in_another_mode_fails_and_says_whether_the_radio_could() -> None:
    found = looked(PretendMachine(), "wlan0")["wifi wlan0 mode"]
    assert (found.level, "use another radio" in found.fix) == ("fail", True)
    machine = PretendMachine()
    machine.outputs["iw dev"] = "phy#1\n\tInterface wlan9\n\t\ttype managed\n"
    found = looked(machine, "wlan9")["wifi wlan9 mode"]
    assert (found.level, "set type monitor" in found.fix) == ("fail", True)


def test_a_radio_without_country_or_under_network_manager_is_a_warning() -> None:
    machine = PretendMachine()
    machine.outputs |= {"iw reg get": "global\ncountry 00: DFS-UNSET\n", "nmcli": "mon0:disconnected\n"}
    found = looked(machine)
    assert (found["wifi country"].level, found["wifi mon0 manager"].level) == ("warn", "warn")
    assert found["wifi mon0 manager"].fix == "nmcli device set mon0 managed no"
    machine.outputs["nmcli"] = FileNotFoundError(2, "No such file")
    assert "wifi mon0 manager" not in looked(machine)


@pytest.mark.parametrize(
    ("heard", "check", "level", "words"),
    [
        (PermissionError(1, "Operation not permitted"), "capture", "fail", "CAP_NET_RAW"),
        (OSError(100, "Network is down"), "capture", "fail", "ip link set mon0 up"),
        (Frames(803, 0, 0), "air", "fail", "antenna"),
        (Frames(803, 50, 0), "air", "warn", "Wi-Fi settings of a phone"),
        (Frames(1, 50, 1), "link", "fail", "monitor mode"),
    ],
)
def test_what_is_wrong_in_the_air_is_said_with_its_next_step(
    heard: Frames | OSError, check: str, level: str, words: str
) -> None:
    found = looked(PretendMachine(heard=heard))[f"wifi mon0 {check}"]
    assert found.level == level
    assert words in found.fix


def test_a_channel_that_stands_still_is_told_only_where_it_should_change() -> None:
    still = PretendMachine(channels=(6,))
    assert looked(still)["wifi mon0 hopping"].level == "warn"
    assert "wifi mon0 hopping" not in looked(replace(still), hopping=None)
    one = HoppingConfig(interface="mon0", channels=(ChannelConfig(channel=6),))
    assert "wifi mon0 hopping" not in looked(replace(still), hopping=one)
