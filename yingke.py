"""The ``yingke`` command: a table of sub-commands, each imported only when it is used, and one way to say errors."""

import importlib
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.errors import ModelError
from sensors.errors import SensorError
from sync.errors import SyncError

if TYPE_CHECKING:
    from edge.audit.session import Session
    from edge.config import EdgeFile

# name -> (module:object, one line of help). A dotted name belongs to the group before the dot.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("edge.commands.demo:demo", "A store day on this machine: broker, centre, edge and a page to open."),
    "edge": ("edge.commands.edge:edge", "Run the box of one store: sensors to events to the centre."),
    "doctor": ("edge.commands.doctor:doctor", "Check a box, and say what to do next."),
    "centre": ("dashboard.commands:centre", "Run the central half: ingest, database and the pages."),
    "tablet": ("dashboard.tablet.commands:tablet", "Serve the tablets of one store: arrival cards, taps, consent."),
    "guides": ("dashboard.tablet.commands:guides", "Who may log in to the tablets of a store."),
    "consent": ("edge.commands.members:consent", "Show what a member agreed to, record it, take it back."),
    "enrol": ("edge.commands.enrol:enrol", "Take a member who agreed into the gallery, from pictures or a camera."),
    "erase": ("edge.commands.erase:erase", "Erase a member, here or in every store, with signed receipts."),
    "members": ("edge.commands.members:members", "Customer cards, RFID cards, and who looked at a member."),
    "member-code": ("edge.commands.members:member_code", "The QR code that a member shows instead of a face."),
    "keys": ("edge.commands.erase:keys", "The public keys of this box or this centre."),
    "recognition": ("edge.commands.recognition:recognition", "Measure false alerts at the site."),
    "sign": ("edge.commands.papers:sign", "The sign for the door, from what really runs."),
    "dpia": ("edge.commands.papers:dpia", "A data protection impact assessment to complete, from what really runs."),
    "count": ("edge.commands.count:count", "Count the people who cross lines in a video."),
    "cameras": (
        "edge.commands.cameras:cameras",
        "Find the cameras in the network, and the addresses of their streams.",
    ),
    "audit": ("edge.commands.audit:audit", "How well the box counts, against a person who counts along."),
    "staff": ("edge.commands.staff:staff", "Learn what staff wear, to count them apart."),
    "identify": ("edge.commands.identify:identify", "Say who is on pictures, among people enrolled from pictures."),
    "wifi": ("edge.commands.wifi:wifi", "Estimate devices from Wi-Fi captures."),
    "rfid": ("edge.commands.rfid:rfid", "Decode recorded LLRP streams."),
    "tryons": ("edge.commands.rfid:tryons", "Find try-on sessions in tag reads."),
    "outbox": ("edge.commands.outbox:outbox", "Look into the box's outbox, or send it again."),
    "calibrate": ("yingke:calibrate", "Draw a camera's lines and zones on its picture, in a page on this machine."),
    "import": (
        "dashboard.importing:import_command",
        "Take customers, products or purchases in from CSV or Excel.",
    ),
    "segments": (
        "dashboard.segments:segments",
        "Who is new, active, at risk or lost, who to call now, and who makes the turnover.",
    ),
    "export": (
        "dashboard.exporting:export",
        "Footfall, events and EPCIS for other tools, with coverage and revisions.",
    ),
    "handover": (
        "dashboard.handover:handover",
        "A guide leaves: customers, open work and tablet access, in one step.",
    ),
    "users": ("dashboard.accounts:users", "Who may log in at the centre, and as what."),
    "api-keys": ("dashboard.accounts:api_keys", "Keys of programs that use the centre's API."),
    "config": ("yingke:config", "Check the configuration, or print its JSON Schema."),
}

KNOWN_ERRORS = (SensorError, ModelError, SyncError)


class Pages:
    """The pages of the box, for commands of the edge: the two folders do not import each other, so this joins them."""

    def audit(self, session: "Session", port: int, *, browse: bool) -> None:
        """Serve the audit's page on 127.0.0.1 until Ctrl-C; the address goes to standard error."""
        import resource

        from dashboard.local.app import create_local_app, new_token, serve_local
        from dashboard.local.audit import PAGE, audit_routes

        # A picture of the shop must not end in a crash dump.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        token = new_token()

        def tell(address: str) -> None:
            click.echo(f"open {address} and count along; Ctrl-C ends it", err=True)
            if browse:
                click.launch(address)

        serve_local(create_local_app(PAGE, audit_routes(session), token), token, port, tell)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called: ``yingke --help`` loads no model and no broker."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="yingke")
def cli() -> None:
    """Yingke (迎客): what really happened in the store, from camera, Wi-Fi and RFID to one place."""


@click.group()
def config() -> None:
    """The configuration file: check it, or print its JSON Schema for editors."""


@config.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("config.yaml"))
def check(path: Path) -> None:
    """Check PATH (config.yaml) as the edge and the centre would read it, without starting anything."""
    from dashboard.config import CentreFile
    from dashboard.tablet.config import TabletFile
    from edge.config import EdgeFile
    from sync.settings import load

    edge = load(path, EdgeFile)
    load(path, CentreFile)
    _check_geometry(path, edge)
    load(path, TabletFile)
    click.echo(f"{path}: good: store {edge.store.id}, {len(edge.sensors.names())} sensors")


def _check_geometry(path: Path, edge: "EdgeFile") -> None:
    """Lines and zones that cannot count anybody are errors; what can only be judged with people in view is a hint."""
    from models.geometry_check import DrawnLine, DrawnZone
    from models.geometry_check import check as check_geometry
    from sync.settings import ConfigError

    errors = []
    for camera, counting in edge.edge.counting.items():
        lines = [DrawnLine(line.name, line.start, line.end, line.anchor) for line in counting.lines]
        zones = [DrawnZone(zone.name, zone.polygon, zone.anchor) for zone in counting.zones]
        for found in check_geometry(lines, zones):
            name = (lines if found.kind == "line" else zones)[found.index].name
            said = f"{path}: edge.counting.{camera}.{found.kind}s: {name}: {found.text('en')}"
            if found.severity == "error":
                errors.append(said)
            else:
                click.echo(f"hint: {said}", err=True)
    if errors:
        raise ConfigError("\n".join(errors), f"draw it again: yingke calibrate --config {path}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml."""
    from dashboard.config import CentreFile
    from dashboard.tablet.config import TabletFile
    from edge.config import EdgeFile
    from sync.settings import merged_schema

    click.echo(merged_schema([EdgeFile, CentreFile, TabletFile]))


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
@click.option("--camera", help="the only camera to draw on; all of the file when absent")
@click.option("--port", type=click.IntRange(0, 65535), default=8081, show_default=True, help="of the page; 0: any free")
@click.option(
    "--watch", type=click.FloatRange(1, 600), default=30.0, show_default=True, help="seconds to look at people"
)
def calibrate(path: Path, camera: str | None, port: int, watch: float) -> None:
    """Draw the lines and zones of a camera on its picture, in a page that only this machine can open.

    The page says at once what is wrong with a line, proposes the detector's input from the people it sees, and saves
    into the configuration file; comments stay, the former file is kept as NAME.bak. Pictures live in memory only.
    Ctrl-C ends it. From another machine: ssh -L 8081:127.0.0.1:8081 BOX, then open the printed address there.
    """
    from dashboard.config import CentreFile
    from dashboard.local.app import create_local_app, new_token, serve_local
    from dashboard.local.calibration import Calibration, calibration_routes
    from edge.config import EdgeFile
    from sync.settings import load

    def whole(file: Path) -> None:
        load(file, EdgeFile)
        load(file, CentreFile)

    # A picture of the shop must not end in a crash dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    calibration = Calibration(path, camera, watch, whole)
    token = new_token()
    app = create_local_app("calibration.html", calibration_routes(calibration), token)
    try:
        serve_local(app, token, port, lambda address: click.echo(f"open     {address}\n\nCtrl-C stops it."))
    finally:
        calibration.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it cannot go on, 2 wrong usage, 130 interrupted."""
    try:
        result = cli.main(args=arguments, prog_name="yingke", standalone_mode=False, obj=Pages())
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader of our output went away (head, less): nothing to say and nobody to say it to.
        sys.stderr.close()
        return 1
    except KNOWN_ERRORS as error:
        click.echo(f"error: {error}", err=True)
        click.echo(f"fix: {error.fix}", err=True)
        return 1
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
