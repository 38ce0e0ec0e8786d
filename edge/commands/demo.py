"""``yingke demo``: a whole store day on this machine, from real bytes to the page."""

import fcntl
import http.client
import json
import shutil
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync.errors import SyncError

if TYPE_CHECKING:
    from edge.demo.tablet import DemoTablet

READY_S = 60.0
MARKER = ".yingke-demo"
"""Says that a folder was made by the demonstration and may be removed by it."""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="of the page; 0: any free")
@click.option("--speed", type=click.FloatRange(1, 600), default=120.0, show_default=True, help="store seconds a second")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".yingke/demo"), show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), help="stop by itself after so long")
def demo(port: int, speed: float, folder: Path, seconds: float | None) -> None:
    """A store day on this machine: broker, centre, edge and one page to open. Ctrl-C stops everything."""
    from edge.demo.children import Children
    from edge.demo.fitting_rooms import Scene
    from edge.demo.media import choose
    from edge.demo.plan import DAY_S, GUESTS_PER_HOUR, HEAD_START_S, configuration, day_start, write
    from edge.demo.probes import write_day
    from edge.demo.reader import EmulatedReader
    from edge.demo.tablet import DemoTablet
    from sync.broker import NatsServer, free_port
    from sync.stopping import stop_on_signals

    port = port or free_port()
    _claim(port)
    stop = threading.Event()
    with stop_on_signals(stop), _fresh(folder.resolve()) as folder:
        media = choose(folder.parent / "cache")
        click.echo(f"camera   {media.label}: {media.path}")
        wall = time.time() + HEAD_START_S
        start = day_start(wall)
        scene = Scene(start, seed=1, seconds=DAY_S, visits_per_hour=GUESTS_PER_HOUR)
        with (
            NatsServer(folder / "nats", supervise=True) as broker,
            EmulatedReader(
                start=start, speed=speed, scene=scene, elapsed=lambda: max(0.0, time.time() - wall)
            ) as reader,
            Children(folder / "logs") as children,
        ):
            click.echo(f"broker   NATS, MQTT on 127.0.0.1:{broker.port}")
            click.echo(f"reader   emulated, LLRP on 127.0.0.1:{reader.port}")
            click.echo("wifi     simulated phones (yingke wifi simulate)")
            write_day(folder / "probes.pcap", start)
            path = folder / "config.yaml"
            ports = {"http": port, "mqtt": broker.port, "reader": reader.port}
            write(configuration(media, scene.rooms, folder, wall=wall, speed=speed, **ports), path)
            children.start("centre", ["centre", "--config", str(path)])
            children.start("edge", ["edge", "--config", str(path)])
            tablet = DemoTablet(folder, free_port())
            children.start("tablet", ["tablet", "--config", str(tablet.config)])
            address = f"http://127.0.0.1:{port}/"
            for each in (address, tablet.address):
                _wait_until_up(each, children, stop)
            if not stop.is_set():
                click.echo(f"\nopen     {address}")
                click.echo(f"tablet   {tablet.address}  log in as 李娜 Li Na, PIN {tablet.pin}")
                click.echo("         made-up members show their code every 45 s; on the real clock, no face is used")
                click.echo("\nCtrl-C stops everything.")
                _follow(address, tablet, children, stop, seconds)
            click.echo("\nstopping")
    click.echo("stopped; nothing was left running")


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """An empty folder of this demonstration; what an earlier one left there is removed, anything else is not touched.

    A lock on the marker keeps a second demonstration out while this one runs.
    """
    marker = folder / MARKER
    try:
        if folder.exists() and any(folder.iterdir()):
            if not marker.exists():
                raise SyncError(f"{folder} holds something else", "name an empty or new folder with --folder")
            with marker.open("a") as left:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        mine = marker.open("a")
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SyncError(
            f"a demonstration is running in {folder}", "stop it, or name another folder with --folder"
        ) from error
    except OSError as error:
        raise SyncError(
            f"{folder} cannot be made: {error.strerror}", "name a folder that can be written with --folder"
        ) from error
    with mine:
        yield folder


def _claim(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SyncError(
                f"port {port} is in use", "stop what uses it, or: yingke demo --port 0 (any free one)"
            ) from error


def _read(address: str) -> Any:
    """The JSON at ``address``; None while nothing that can be read comes from there."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # our own http address
            return json.load(answer)
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _wait_until_up(address: str, children: Any, stop: threading.Event) -> None:
    deadline = time.monotonic() + READY_S
    while not stop.wait(0.2):
        children.check()
        if _read(f"{address}healthz") is not None:
            return
        if time.monotonic() > deadline:
            raise SyncError(f"the page did not come up in {READY_S:.0f} s", "read the logs folder")


def _follow(address: str, tablet: "DemoTablet", children: Any, stop: threading.Event, seconds: float | None) -> None:
    """Tell how the day goes: on a terminal a line that is rewritten, else one every ten seconds."""
    terminal = sys.stdout.isatty()
    deadline = None if seconds is None else time.monotonic() + seconds
    while not stop.wait(1.0 if terminal else 10.0 if deadline is None else 2.0):
        children.check()
        tablet.tick()
        day = _read(f"{address}api/v1/stores/demo/day")
        if day is not None:
            _say(day, terminal)
        if deadline is not None and time.monotonic() >= deadline:
            return


def _say(day: Any, terminal: bool) -> None:
    visits = "nothing observed yet" if day["visits"] is None else f"visits {day['visits']}"
    coverage = "" if day["coverage"] is None else f", coverage {day['coverage']:.0%}"
    line = f"{day['local_time']} store time: {visits}{coverage}, try-ons {day['tryons']}"
    click.echo(f"\r\033[K{line}" if terminal else line, nl=not terminal)
