"""``yingke rfid decode`` and ``yingke tryons``: recorded reads through the same code as live ones."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.processors.tryons import Session
    from sensors.readings import TagRead


@click.group()
def rfid() -> None:
    """Read RFID recordings."""


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
            line = {"t": read.time, "epc": read.epc, "antenna": read.antenna or None, "rssi_dbm": read.rssi_dbm}
            out.write(json.dumps(line) + "\n")
    finally:
        out.flush()


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


@click.command()
@click.argument("reads", type=click.Path(allow_dash=True))
@click.option("--rooms", type=RoomsType(), required=True, help="Which antenna is in which room: 1:room-1,2:room-2")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def tryons(reads: str, rooms: dict[int, str], as_json: bool) -> None:
    """Find the items that were in fitting rooms.

    READS are the lines of `rfid decode --json` (- for standard input).
    """
    from edge.processors.tryons import TryOnConfig, sessions_of
    from sensors.rfid.replay import open_recording, parse_lines

    with open_recording(reads) as recording:
        found = sessions_of(sorted(parse_lines(recording), key=lambda read: read.time), TryOnConfig(rooms=rooms))
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
    }


def _print_table(found: "list[Session]") -> None:
    from datetime import UTC, datetime

    for session in found:
        start = datetime.fromtimestamp(session.start, UTC).strftime("%Y-%m-%d %H:%M:%S")
        minutes = (session.end - session.start) / 60
        click.echo(
            f"{start}  {minutes:5.1f} min  {session.room:<12} {session.kind:<9} {session.confidence:.2f}  {session.epc}"
        )
    click.echo(f"{len(found)} items in fitting rooms, {sum(s.kind == 'tried_on' for s in found)} of them tried on")
