"""The ``yingke`` command: a table of sub-commands, each imported only when it is used, and one way to say errors."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from models.errors import ModelError
from sensors.errors import SensorError
from sync.errors import SyncError

# name -> (module:object, one line of help). A dotted name belongs to the group before the dot.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("edge.commands.demo:demo", "A store day on this machine: broker, centre, edge and a page to open."),
    "edge": ("edge.commands.edge:edge", "Run the box of one store: sensors to events to the centre."),
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
    "identify": ("edge.commands.identify:identify", "Say who is on pictures, among people enrolled from pictures."),
    "cameras": (
        "edge.commands.cameras:cameras",
        "Find the cameras in the network, and the addresses of their streams.",
    ),
    "wifi": ("edge.commands.wifi:wifi", "Estimate devices from Wi-Fi captures."),
    "rfid": ("edge.commands.rfid:rfid", "Decode recorded LLRP streams."),
    "tryons": ("edge.commands.rfid:tryons", "Find try-on sessions in tag reads."),
    "outbox": ("edge.commands.outbox:outbox", "Look into the box's outbox, or send it again."),
    "config": ("yingke:config", "Check the configuration, or print its JSON Schema."),
}

KNOWN_ERRORS = (SensorError, ModelError, SyncError)


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
    load(path, TabletFile)
    click.echo(f"{path}: good: store {edge.store.id}, {len(edge.sensors.names())} sensors")


@config.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml."""
    from dashboard.config import CentreFile
    from dashboard.tablet.config import TabletFile
    from edge.config import EdgeFile
    from sync.settings import merged_schema

    click.echo(merged_schema([EdgeFile, CentreFile, TabletFile]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it cannot go on, 2 wrong usage, 130 interrupted."""
    try:
        result = cli.main(args=arguments, prog_name="yingke", standalone_mode=False)
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
