"""``yingke rfid`` and ``yingke tryons``: recorded, simulated and calibrating reads through the same code as live."""

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge.demo.fitting_rooms import FittingRooms, Scene
    from edge.processors.tryons import Session
    from sensors.readings import TagRead


@click.group()
def rfid() -> None:
    """Read RFID recordings, simulate fitting rooms, calibrate a reader."""


@rfid.command()
@click.argument("stream", type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="One JSON line per tag read.")
def decode(stream: str, as_json: bool) -> None:
    """Decode the bytes that an LLRP reader sent over TCP (STREAM, or - for standard input).

    A stream that is cut or damaged gives the reads before that byte, then the error and exit code 1.
    """
    from sensors.rfid.replay import decode_stream, open_recording

    with open_recording(stream) as recording:
        reads = decode_stream(recording)
        if as_json:
            _print_lines(reads)
        else:
            _print_summary(reads)


def _print_lines(reads: "Iterator[TagRead]") -> None:
    out = sys.stdout
    try:
        for read in reads:
            out.write(_line(read))
    finally:
        out.flush()


def _line(read: "TagRead") -> str:
    line = {"t": read.time, "epc": read.epc, "antenna": read.antenna or None, "rssi_dbm": read.rssi_dbm}
    return json.dumps(line) + "\n"


def _print_summary(reads: "Iterator[TagRead]") -> None:
    from sensors.rfid.epc import Identity, identify

    counts: Counter[str] = Counter()
    antennas: Counter[int] = Counter()
    first, last = float("inf"), float("-inf")
    try:
        for read in reads:
            counts[read.epc] += 1
            antennas[read.antenna] += 1
            first, last = min(first, read.time), max(last, read.time)
    finally:
        seconds = max(last - first, 0.0)
        click.echo(f"{counts.total()} reads of {len(counts)} tags in {seconds:.1f} s")
        for antenna, count in sorted(antennas.items()):
            click.echo(f"  antenna {antenna or 'not told'}: {count}")
        for epc, count in counts.most_common(20):
            found = identify(epc)
            said = found.uri or found.element_string if isinstance(found, Identity) else found.scheme
            click.echo(f"{count:8d}  {epc}  {said}")
        if len(counts) > 20:
            click.echo(f"          and {len(counts) - 20} more tags")


class RoomsType(click.ParamType[dict[int, str]]):
    """``1:room-1,2:room-2`` as a dict of antenna to room."""

    name = "ANTENNA:ROOM,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[int, str]:
        from pydantic import ValidationError

        from edge.processors.tryons import TryOnConfig

        rooms: dict[int, str] = {}
        for part in str(value).split(","):
            antenna, separator, room = part.strip().partition(":")
            if not separator or not antenna.strip().isascii() or not antenna.strip().isdigit():
                self.fail(f"{part.strip()!r} is not ANTENNA:ROOM, e.g. 1:room-1", param, ctx)
            if int(antenna) in rooms:
                self.fail(f"antenna {int(antenna)} is given twice", param, ctx)
            rooms[int(antenna)] = room.strip()
        try:
            TryOnConfig(rooms=rooms)
        except ValidationError as error:
            first = error.errors()[0]
            named = first["loc"][1] if len(first["loc"]) > 1 else value
            self.fail(f"{named}: antennas count from 1, a room is 1 to 32 of a-z, 0-9 and -", param, ctx)
        return rooms


@rfid.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), required=True, help="Reads, one JSON line each.")
@click.option("--truth", type=click.Path(dir_okay=False), required=True, help="What really happened, as JSON.")
@click.option("--hours", type=click.FloatRange(0.01, 24), default=1.0, show_default=True)
@click.option(
    "--start", type=float, default=1_700_000_000.0, show_default=True, help="Of the first read, epoch seconds."
)
@click.option("--room-count", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--walls", type=click.FloatRange(0, 40), default=8.0, show_default=True, help="dB between rooms.")
@click.option("--shadows", type=click.FloatRange(0, 0.9), default=0.25, show_default=True, help="Share of the time.")
@click.option("--read-rate", type=click.FloatRange(0.05, 1), default=0.85, show_default=True, help="Near an antenna.")
@click.option("--rack", type=click.IntRange(0, 2000), default=40, show_default=True, help="Items beside room 1.")
@click.option("--visits", type=click.FloatRange(0, 2000), default=40.0, show_default=True, help="People an hour.")
@click.option("--passers", type=click.FloatRange(0, 2000), default=30.0, show_default=True, help="An hour.")
@click.option("--left-behind", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of items.")
@click.option("--changes", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share, of room.")
@click.option("--trays", type=click.IntRange(0, 16), default=0, show_default=True, help="Jewellery trays.")
@click.option("--floor-antenna", is_flag=True, help="One more antenna over the shop floor.")
@click.option("--gains", default="", help="dB per antenna, e.g. 8,-6,0,3: some hear better.")
@click.option("--walk", is_flag=True, help="One tag carried through every room instead, to calibrate with.")
def simulate(out: str, truth: str, walk: bool, **options: object) -> None:
    """Write SIMULATED reads of fitting rooms and the truth behind them. The same seed gives the same files."""
    from pathlib import Path

    from edge.demo.fitting_rooms import FittingRooms, calibration_walk

    scene = _scene(options)
    rooms = FittingRooms(scene)
    reads = calibration_walk(scene) if walk else (one for s in range(scene.seconds) for one in rooms.reads(s))
    try:
        with Path(out).open("w", encoding="utf-8") as file:
            count = sum(bool(file.write(_line(read))) for read in reads)
        Path(truth).write_text(json.dumps(_truth(rooms, walk), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename}: {error.strerror}; choose another file") from error
    named = ",".join(f"{antenna}:{room}" for antenna, room in scene.names().items())
    click.echo(f"{count} simulated reads, seed {scene.seed}; next: yingke tryons {out} --rooms {named}")


def _scene(options: "dict[str, object]") -> "Scene":
    from edge.demo.fitting_rooms import Scene

    given: dict[str, Any] = dict(options)
    try:
        gains = tuple(float(part) for part in given["gains"].split(",") if part.strip())
    except ValueError:
        raise click.BadParameter("give numbers of dB, e.g. 8,-6,0,3", param_hint="--gains") from None
    scene = Scene(
        start=given["start"],
        seed=given["seed"],
        seconds=round(given["hours"] * 3600),
        rooms=given["room_count"],
        wall_db=given["walls"],
        shadow_share=given["shadows"],
        read_rate=given["read_rate"],
        rack=given["rack"],
        visits_per_hour=given["visits"],
        passers_per_hour=given["passers"],
        left_share=given["left_behind"],
        change_share=given["changes"],
        trays=given["trays"],
        floor_antenna=given["floor_antenna"],
        gains=gains,
    )
    if gains and len(gains) != scene.antennas:
        raise click.BadParameter(f"{scene.antennas} antennas need as many numbers", param_hint="--gains")
    return scene


def _truth(rooms: "FittingRooms", walk: bool) -> dict[str, object]:
    names = rooms.scene.names()
    stays = [
        {
            "epc": visit.epc,
            "room": names[visit.antenna],
            "antenna": visit.antenna,
            "start": visit.start,
            "end": visit.end,
            "worn": visit.worn,
            "kind": visit.kind,
        }
        for visit in sorted([] if walk else rooms.visits, key=lambda visit: visit.start)
    ]
    return {"simulated": True, "scene": dataclasses.asdict(rooms.scene), "rooms": names, "stays": stays}


@rfid.command()
@click.argument("reads", type=click.Path(allow_dash=True))
@click.option("--rooms", type=RoomsType(), required=True, help="Which antenna is in which room: 1:room-1,2:room-2")
@click.option("--tag", default=None, help="EPC of the tag that was carried; without it the tag read most.")
@click.option(
    "--out", type=click.Path(dir_okay=False), required=True, help="The calibration, for `tryons` and the box."
)
@click.option("--json", "as_json", is_flag=True, help="Print the calibration as JSON, too.")
def calibrate(reads: str, rooms: dict[int, str], tag: str | None, out: str, as_json: bool) -> None:
    """Set the thresholds of each antenna and room from a walk: one tag, 30 s or more in every room.

    READS are the lines of `rfid decode --json` (- for standard input).
    """
    from pathlib import Path

    from edge.processors.tryon_calibration import calibrate as measure
    from edge.processors.tryons import TryOnConfig
    from sensors.rfid.replay import open_recording, parse_lines

    with open_recording(reads) as recording:
        found = measure(parse_lines(recording), TryOnConfig(rooms=rooms), tag)
    try:
        Path(out).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror}; choose another file") from error
    if as_json:
        click.echo(found.model_dump_json())
        return
    for antenna, offset in sorted(found.offsets_db.items()):
        room = rooms[antenna]
        click.echo(
            f"antenna {antenna} in {room}: {offset:+.1f} dB, enters at {found.enter_dbm[room]:.1f} dBm, "
            f"leads by {found.lead_db[room]:.1f} dB over {found.seconds[room]} s"
        )
    for room in found.doubtful:
        click.echo(f"warning: {room} can hardly be told from its neighbour; lower the power or shield it", err=True)
    click.echo(f"written to {out}: give it to `yingke tryons --calibration`, or to edge.tryons as `calibration`")


@click.command()
@click.argument("reads", type=click.Path(allow_dash=True))
@click.option("--rooms", type=RoomsType(), required=True, help="Which antenna is in which room: 1:room-1,2:room-2")
@click.option("--calibration", type=click.Path(dir_okay=False), help="What `rfid calibrate` wrote for this reader.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def tryons(reads: str, rooms: dict[int, str], calibration: str | None, as_json: bool) -> None:
    """Find the items that were in fitting rooms.

    READS are the lines of `rfid decode --json` (- for standard input).
    """
    from pathlib import Path

    from edge.processors.tryon_calibration import calibrated
    from edge.processors.tryons import TryOnConfig, sessions_of
    from sensors.rfid.replay import open_recording, parse_lines

    config = calibrated(TryOnConfig(rooms=rooms, calibration=Path(calibration) if calibration else None))
    with open_recording(reads) as recording:
        found = sessions_of(sorted(parse_lines(recording), key=lambda read: read.time), config)
    if as_json:
        click.echo(json.dumps([_document(session) for session in found]))
    else:
        _print_table(found)


def _document(session: "Session") -> dict[str, object]:
    return {
        "epc": session.epc,
        "room": session.room,
        "start": session.start,
        "end": session.end,
        "kind": session.kind,
        "confidence": session.confidence,
    } | ({"doubts": session.doubts} if session.doubts else {})


def _print_table(found: "list[Session]") -> None:
    from datetime import UTC, datetime

    for session in found:
        start = datetime.fromtimestamp(session.start, UTC).strftime("%Y-%m-%d %H:%M:%S")
        minutes = (session.end - session.start) / 60
        click.echo(
            f"{start}  {minutes:5.1f} min  {session.room:<12} {session.kind:<9} {session.confidence:.2f}  {session.epc}"
        )
    click.echo(f"{len(found)} items in fitting rooms, {sum(s.kind == 'tried_on' for s in found)} of them tried on")
