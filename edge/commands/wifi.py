"""``yingke wifi``: recorded captures through the same code as live ones."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.wifi_simulate import simulate

if TYPE_CHECKING:
    from edge.processors.estimate import Estimate
    from edge.processors.recorded import Count, Day

_CAPTURES = click.argument("captures", metavar="PCAP...", nargs=-1, required=True, type=click.Path(path_type=Path))
_WINDOW = click.option(
    "--window", type=click.IntRange(1, 86400), default=600, show_default=True, help="seconds, aligned to the epoch"
)
_JSON = click.option("--json", "as_json", is_flag=True, help="print one JSON object")


@click.group()
def wifi() -> None:
    """Estimate devices from Wi-Fi captures."""


wifi.add_command(simulate)


@wifi.command()
@_CAPTURES
@_WINDOW
@click.option("--calibration", type=click.Path(path_type=Path), help="file written by: yingke wifi calibrate")
@_JSON
def count(captures: tuple[Path, ...], window: int, calibration: Path | None, as_json: bool) -> None:
    """Estimate how many devices were near, window by window.

    Several captures are those of one place (one per channel, or one after another) and are merged by time. Windows
    begin at multiples of --window since the epoch. "devices" is the mean number present inside the RSSI gate, with an
    interval meant to hold in eight of ten windows ("low", "high"; the same in "inside"); "passing" are those outside
    it. They are null where less than half of the window was recorded (before the first frame, after the last, or in a
    pause of more than an hour), and where more bursts came than can be real. "bursts" are all that were heard, inside
    or not; "capture_rate" is the share of them from inside.
    With a calibration, devices are people: it learnt how many carry one. A calibration made with another
    --window holds too, since everything is counted in slices of ten minutes. These are your own recordings, so that
    small numbers are shown; events from a store withhold what is under five.
    """
    from edge.processors.estimate import UNCALIBRATED, WifiCalibration
    from edge.processors.recorded import count_devices, open_recording

    learnt = UNCALIBRATED if calibration is None else WifiCalibration.load(calibration)
    with open_recording(captures) as recording:
        counts = count_devices(recording, window, learnt)
    _warn(recording.notices)
    if counts.moved_db:
        _warn([f"everything is heard {counts.moved_db:+} dB than where it was calibrated: the gate was moved by that"])
    if learnt.quality is not None and learnt.quality.is_bad:
        _warn(["the calibration fits badly; the box would show no estimate: calibrate again with more counted days"])
    if as_json:
        about = {
            "frames": recording.frames,
            "malformed": recording.malformed,
            "window_seconds": window,
            "calibrated": calibration is not None,
            "gate_dbm": counts.gate_dbm,
        }
        click.echo(json.dumps({**about, "windows": [_row(count, window) for count in counts.windows]}))
        return
    for number in counts.windows:
        click.echo(_line(number))
    click.echo(f"{recording.frames} probe requests, {recording.malformed} damaged frames")
    if calibration is None:
        fix = "yingke wifi calibrate --day PCAP:PEOPLE.csv --out FILE"
        click.echo(f"not calibrated for this place; to do so: {fix}", err=True)


@wifi.command()
@click.option(
    "--day",
    "days",
    required=True,
    multiple=True,
    metavar="PCAP:PEOPLE.csv",
    help="a capture and a CSV with the columns datetime,people: so many people from then on; may be given several "
    "times, also with several captures of one CSV",
)
@_WINDOW
@click.option(
    "--zone",
    default="auto",
    show_default=True,
    help="time zone of datetimes without one, e.g. Asia/Shanghai; auto: the offset from UTC at which the counts cover "
    "the capture",
)
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="calibration file to write")
@_JSON
def calibrate(days: tuple[str, ...], window: int, zone: str, out: Path, as_json: bool) -> None:
    """Learn a place's gate, burst interval and people per device from days on which people were counted.

    Days are left out of the fit in turn to tell how good it is; with bad agreement the box shows no estimate. A
    window of the last minutes of a day counts too: the last line of the CSV holds until the capture ends.
    """
    from edge.processors.recorded import learn

    learnt = learn(_days(days), window, zone)
    _warn(learnt.notices)
    calibration = learnt.calibration
    try:
        out.write_text(calibration.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        from sensors.errors import SourceError

        raise SourceError(f"{out}: {error.strerror}", "choose a file that can be written with --out") from error
    if as_json:
        click.echo(calibration.model_dump_json())
        return
    for hours in sorted({hours for hours in learnt.hours if hours is not None}):
        click.echo(f"times without a zone were read as UTC{hours:+g} h")
    gate = "no gate" if calibration.rssi_gate_dbm is None else f"gate {calibration.rssi_gate_dbm} dBm"
    click.echo(f"one burst per phone every {calibration.burst_interval_s} s, {calibration.scale} people per device, ")
    click.echo(f"{gate}; written to {out}")
    quality = calibration.quality
    assert quality is not None
    r = "" if quality.r is None else f", r {quality.r:.2f}"
    click.echo(f"left-out days: off by {quality.wape:.0%} of the people{r} ({quality.windows} windows)")
    if quality.is_bad:
        _warn(["a bad fit: the box will show no estimate with it; count more days, or another spot"])


def _days(words: tuple[str, ...]) -> "list[Day]":
    """The ``--day`` options, captures of one CSV together. Raises ``click.BadParameter`` where one is no pair."""
    from edge.processors.recorded import Day

    captures: dict[Path, list[Path]] = {}
    for word in words:
        capture, colon, people = word.rpartition(":")
        if not (capture and colon and people):
            raise click.BadParameter(f"{word}: a capture, a colon and a CSV are needed", param_hint="--day")
        captures.setdefault(Path(people), []).append(Path(capture))
    return [Day(tuple(paths), people) for people, paths in captures.items()]


def _warn(notices: "Iterable[str]") -> None:
    for notice in notices:
        click.echo(f"warning: {notice}", err=True)


def _row(count: "Count", window: int) -> dict[str, object]:
    inside, passing = (_numbers(number) for number in (count.devices, count.passing))
    return {
        "start": int(count.start),
        "seconds": window,
        "observed": round(count.observed_s, 1),
        "devices": inside and inside["value"],
        "low": inside and inside["low"],
        "high": inside and inside["high"],
        "inside": inside,
        "passing": passing,
        "bursts": count.bursts,
        "shed": count.shed,
        "capture_rate": None if count.capture_rate is None else round(count.capture_rate, 3),
    }


def _numbers(number: "Estimate | None") -> dict[str, float] | None:
    if number is None:
        return None
    return {"value": round(number.value, 2), "low": round(number.low, 2), "high": round(number.high, 2)}


def _line(count: "Count") -> str:
    from sync.events import utc

    when = f"{utc(count.start):%Y-%m-%d %H:%M:%S}Z"
    number = count.devices
    if number is None:
        return f"{when}       -  (not enough of it recorded)  {count.bursts} bursts"
    return f"{when}  {number.value:6.1f}  ({number.low:.1f} to {number.high:.1f})  {count.bursts} bursts"
