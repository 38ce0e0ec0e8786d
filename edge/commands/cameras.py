"""``yingke cameras``: which cameras are in the network."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sensors.onvif.discovery import Camera


@click.group()
def cameras() -> None:
    """Find the cameras in the network."""


def _address(_context: click.Context, _parameter: click.Parameter, given: str | None) -> tuple[str, int] | None:
    if given is None:
        return None
    host, _, port = given.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise click.BadParameter(f"{given!r}: the port is a number from 1 to 65535")
    return host, int(port or 3702)


@cameras.command()
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, help="seconds to listen")
@click.option("--interface", metavar="ADDRESS", help="this machine's own address in the cameras' network")
@click.option("--to", metavar="HOST[:PORT]", callback=_address, help="ask this camera only, instead of everybody")
@click.option("--user", default="", help="ONVIF user: then each camera is asked for its streams, too")
@click.option("--password-env", metavar="NAME", help="environment variable that holds the password")
@click.option("--password-file", type=click.Path(path_type=Path), help="file that holds the password")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def discover(
    timeout: float,
    interface: str | None,
    to: tuple[str, int] | None,
    user: str,
    password_env: str | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """List the ONVIF cameras that answer in this network, and with --user the addresses of their streams.

    Asks by WS-Discovery (UDP multicast to 239.255.255.250, port 3702), which does not cross routers. Cameras whose
    ONVIF is switched off do not answer. With --user, the password goes to each camera that answered as a digest.
    """
    from sensors.onvif.discovery import MULTICAST
    from sensors.onvif.discovery import discover as ask

    password = _password(user, password_env, password_file)
    found, strange = ask(timeout, to=to or MULTICAST, interface=interface)
    rows = [_row(camera, user, password) for camera in found]
    if as_json:
        click.echo(json.dumps({"cameras": rows, "unreadable": strange}, ensure_ascii=False))
        return
    for row in rows:
        what = " · ".join(row[key] for key in ("name", "hardware", "location") if row[key])
        click.echo(f"{row['address']}  {what or 'no name'}")
        for stream in row["streams"]:
            size = f"{stream['width']}×{stream['height']}" if stream["width"] else "size unknown"
            click.echo(f"    url: {stream['url']}   # {stream['profile']}, {stream['encoding']}, {size}")
        if row["error"]:
            click.echo(f"    {row['error']}")
    if strange:
        click.echo(f"{strange} answers could not be read", err=True)
    if not rows:
        click.echo("no camera answered; is ONVIF switched on in them, and are they in this network? See --interface")


def _password(user: str, variable: str | None, path: Path | None) -> str:
    from sensors.errors import SourceError

    if (variable or path) and not user:
        raise click.UsageError("a password needs --user")
    if variable and path:
        raise click.UsageError("give --password-env or --password-file, not both")
    if variable:
        if not os.environ.get(variable):
            raise SourceError(f"the environment variable {variable} is not set", "set it, or use --password-file")
        return os.environ[variable]
    if path:
        try:
            return path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"the password file {path} cannot be read", "create it with mode 0600") from error
    return str(click.prompt("password", hide_input=True, err=True)) if user else ""


def _row(camera: "Camera", user: str, password: str) -> dict[str, Any]:
    from sensors.errors import SourceError
    from sensors.onvif.streams import streams

    row: dict[str, Any] = {**asdict(camera), "streams": [], "error": None}
    if user:
        try:
            row["streams"] = [asdict(stream) for stream in streams(camera, user, password)]
        except SourceError as error:
            # One camera's refusal is an answer about that camera; the others are listed all the same.
            row["error"] = f"{error}; {error.fix}"
    return row
