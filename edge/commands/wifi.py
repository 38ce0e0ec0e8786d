"""``yingke wifi``: recorded captures through the same code as live ones."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.wifi_simulate import simulate

if TYPE_CHECKING:
    from edge.processors.recorded import Count, Recording

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
    interval; it is null where less than half of the window was recorded (before the first frame, after the last, or in
    a pause of more than an hour), and where more bursts came than can be real. "bursts" are all that were heard, inside
    or not. These are your own recordings, so that
    small numbers are shown; events from a store withhold what is under five.
    """
    from edge.processors.estimate import UNCALIBRATED, WifiCalibration
    from edge.processors.recorded import count_devices, open_recording

    learnt = UNCALIBRATED if calibration is None else WifiCalibration.load(calibration)
    with open_recording(captures) as recording:
        counts = count_devices(recording, window, learnt)
    _warn(recording)
    if as_json:
        windows = [_row(count) for count in counts]
        click.echo(json.dumps({"frames": recording.frames, "malformed": recording.malformed, "windows": windows}))
        return
    for number in counts:
        click.echo(_line(number))
    click.echo(f"{recording.frames} probe requests, {recording.malformed} damaged frames")
    if calibration is None:
        click.echo("not calibrated for this place; to do so: yingke wifi calibrate PCAP --truth CSV -o FILE", err=True)


@wifi.command()
@_CAPTURES
@_WINDOW
@click.option(
    "--truth",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="CSV with the columns datetime,people: so many people from then on; may be given several times",
)
@click.option("--zone", default="UTC", show_default=True, help="time zone of datetimes without one, e.g. Asia/Shanghai")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="calibration file to write")
@_JSON
def calibrate(
    captures: tuple[Path, ...], window: int, truth: tuple[Path, ...], zone: str, output: Path, as_json: bool
) -> None:
    """Learn the RSSI gate and the burst interval of a place from a capture and people counted at the same time."""
    from edge.processors.recorded import learn, open_recording, read_truth

    counted = [read_truth(path, zone) for path in truth]
    with open_recording(captures) as recording:
        learnt = learn(recording, window, counted, ", ".join(path.name for path in captures))
    _warn(recording)
    try:
        output.write_text(learnt.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        from sensors.errors import SourceError

        raise SourceError(f"{output}: {error.strerror}", "choose a file that can be written with -o") from error
    if as_json:
        click.echo(learnt.model_dump_json())
        return
    gate = "no gate" if learnt.rssi_gate_dbm is None else f"gate {learnt.rssi_gate_dbm} dBm"
    click.echo(f"one burst per phone every {learnt.burst_interval_s} s, {gate}; written to {output}")


def _warn(recording: "Recording") -> None:
    for notice in recording.notices:
        click.echo(f"warning: {notice}", err=True)


def _row(count: "Count") -> dict[str, float | int | None]:
    number = count.devices
    values: Sequence[float | None] = (None,) * 3 if number is None else (number.value, number.low, number.high)
    devices, low, high = (None if value is None else round(value, 2) for value in values)
    return {"start": int(count.start), "devices": devices, "low": low, "high": high, "bursts": count.bursts}


def _line(count: "Count") -> str:
    from sync.events import utc

    when = f"{utc(count.start):%Y-%m-%d %H:%M:%S}Z"
    number = count.devices
    if number is None:
        return f"{when}       -  (not enough of it recorded)  {count.bursts} bursts"
    return f"{when}  {number.value:6.1f}  ({number.low:.1f} to {number.high:.1f})  {count.bursts} bursts"
