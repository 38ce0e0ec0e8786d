"""Checks of a radio in monitor mode: from what ``iw`` and ``nmcli`` print, and from counting frames for some seconds.

The formats are those of iw's source (info.c, interface.c, reg.c) and of outputs that others published; the samples in
the tests were written by hand after them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge.doctor.findings import Finding, Machine, fail, ok, warn
from sensors.wifi.hopping import HoppingConfig

RADIOTAP = 803
"""ARPHRD_IEEE80211_RADIOTAP."""
PARTS = 8
"""The counting is done in so many parts, and the channel looked at after each."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of ``iw dev``; ``mhz`` is absent where iw does not know the channel."""

    phy: str
    name: str
    kind: str
    mhz: int | None


def interfaces(text: str) -> dict[str, Interface]:
    """What ``iw dev`` lists, by name; interfaces without a name are left out."""
    found: dict[str, Interface] = {}
    phy = name = ""
    for line in text.splitlines():
        word = line.strip()
        if line.startswith("phy#"):
            phy, name = word.replace("#", ""), ""
        elif word.startswith("Unnamed"):
            name = ""
        elif word.startswith("Interface "):
            name = word.removeprefix("Interface").strip()
            found[name] = Interface(phy, name, "", None)
        elif name and word.startswith("type "):
            found[name] = Interface(phy, name, word.split(None, 1)[1], found[name].mhz)
        elif name and (channel := re.match(r"channel \d+ \((\d+) MHz\)", word)):
            found[name] = Interface(phy, name, found[name].kind, int(channel[1]))
    return found


def monitor_phys(text: str) -> set[str]:
    """The radios of ``iw phy`` that list monitor among their modes."""
    able: set[str] = set()
    phy, listing = "", False
    for line in text.splitlines():
        word = line.strip()
        if line.startswith("Wiphy "):
            phy, listing = word.removeprefix("Wiphy").strip(), False
        elif word.startswith("Supported interface modes"):
            listing = True
        elif listing and word.startswith("*"):
            if word == "* monitor":
                able.add(phy)
        else:
            listing = False
    return able


def country(text: str) -> str | None:
    """The country of ``iw reg get``: the global one, which comes first; None where there is none."""
    found = re.search(r"^country (\w\w):", text, flags=re.MULTILINE)
    return found[1] if found else None


def check_radio(machine: Machine, name: str, hopping: HoppingConfig | None, seconds: float) -> list[Finding]:
    """Everything about one interface, in the order in which it has to work; ends where nothing more can work."""
    try:
        listed = interfaces(machine.command(["iw", "dev"]).text)
    except OSError:
        return [fail(f"wifi {name}", "iw is not installed", "install it: apt install iw")]
    if name not in listed:
        others = ", ".join(sorted(listed)) or "none"
        fix = f"there is {others}; plug the radio in, or make it: iw phy phy0 interface add {name} type monitor"
        return [fail(f"wifi {name}", f"there is no interface {name}", fix)]
    found = listed[name]
    findings = [_mode(machine, found), _region(machine), *_manager(machine, name)]
    return [*findings, *_air(machine, name, hopping, seconds)]


def _mode(machine: Machine, found: Interface) -> Finding:
    check = f"wifi {found.name} mode"
    if found.kind == "monitor":
        return ok(check, f"monitor mode on {found.phy}")
    if found.phy not in monitor_phys(machine.command(["iw", "phy"]).text):
        return fail(
            check,
            f"{found.name} is {found.kind or 'of an unknown type'}, and its radio lists no monitor mode",
            "use another radio: docs/wifi.md names what to look for",
        )
    name = found.name
    return fail(
        check,
        f"{name} is in mode {found.kind}, not monitor",
        f"ip link set {name} down; iw dev {name} set type monitor; ip link set {name} up",
    )


def _region(machine: Machine) -> Finding:
    region = country(machine.command(["iw", "reg", "get"]).text)
    if region is None or region in ("00", "99"):
        return warn(
            "wifi country",
            "the radio does not know its country, so some channels are closed",
            "set it: iw reg set CN (or yours), and for good in cfg80211.ieee80211_regdom",
        )
    return ok("wifi country", region)


def _manager(machine: Machine, name: str) -> list[Finding]:
    """NetworkManager takes an interface back to managed mode and to its channel when it may."""
    try:
        text = machine.command(["nmcli", "-t", "-f", "DEVICE,STATE", "device"]).text
    except OSError:
        return []
    state = dict(line.rsplit(":", 1) for line in text.splitlines() if ":" in line).get(name)
    if state is None or state == "unmanaged":
        return []
    fix = f"nmcli device set {name} managed no"
    return [warn(f"wifi {name} manager", f"NetworkManager manages {name} ({state})", fix)]


def _air(machine: Machine, name: str, hopping: HoppingConfig | None, seconds: float) -> list[Finding]:
    """Permission, link type, frames, probes, hopping: by counting for so long."""
    link, frames, probes, channels = 0, 0, 0, set()
    try:
        for _ in range(PARTS):
            part = machine.frames(name, seconds / PARTS)
            link, frames, probes = part.link, frames + part.frames, probes + part.probes
            now = interfaces(machine.command(["iw", "dev"]).text).get(name)
            channels.add(now.mhz if now else None)
    except PermissionError:
        fix = (
            "run doctor as the service's user, which needs CAP_NET_RAW: sudo setcap, or AmbientCapabilities in its unit"
        )
        return [fail(f"wifi {name} capture", "not permitted to capture", fix)]
    except OSError as error:
        return [fail(f"wifi {name} capture", f"{name}: {error.strerror}", f"bring it up: ip link set {name} up")]
    findings = [ok(f"wifi {name} capture", "permitted")]
    if link != RADIOTAP:
        findings.append(
            fail(
                f"wifi {name} link", f"frames come without radiotap (type {link})", "set the interface to monitor mode"
            )
        )
    findings.append(_heard(name, frames, probes, seconds))
    if hopping is not None and len(hopping.channels) > 1:
        findings.append(_hopping(name, sorted(mhz for mhz in channels if mhz is not None)))
    return findings


def _heard(name: str, frames: int, probes: int, seconds: float) -> Finding:
    check, rate = f"wifi {name} air", f"{frames / seconds:.0f} frames/s, {probes} probe requests in {seconds:.0f} s"
    if frames == 0:
        return fail(
            check, f"silent: {rate}", "check antenna, channel and driver: iw dev, dmesg; even a shop has beacons"
        )
    if probes == 0:
        return warn(check, rate, "open the Wi-Fi settings of a phone beside it and run doctor again")
    return ok(check, rate)


def _hopping(name: str, channels: Sequence[int]) -> Finding:
    check = f"wifi {name} hopping"
    if len(channels) > 1:
        return ok(check, f"seen on {', '.join(map(str, channels))} MHz")
    return warn(
        check,
        "the channel does not change",
        "start the box (yingke edge), which sets the channels, and look at its log",
    )
