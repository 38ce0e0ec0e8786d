"""``yingke tablet``: the composition root of the tablet server; ``yingke guides``: who may log in there."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dashboard.tablet.config import TabletFile

if TYPE_CHECKING:
    from dashboard.tablet.enrolment import Studio
    from sync.members.register import Register

log = logging.getLogger("yingke.tablet")
_CONFIG = click.option(
    "--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
)


@click.command()
@_CONFIG
def tablet(path: Path) -> None:
    """Serve the tablets of one store, on its box: arrival cards, taps, consent. Needs no line to head office."""
    from sync.settings import load
    from sync.stopping import stop_on_signals

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = load(path, TabletFile)
    stop = threading.Event()
    with stop_on_signals(stop):
        run(config, stop)


def run(config: TabletFile, stop: threading.Event) -> None:
    """Serve until SIGTERM, Ctrl-C or ``stop``. Raises ``SyncError`` when a port or a file cannot be had."""
    from dashboard.server import PageServer, bind
    from dashboard.tablet.app import Shop, create_tablet_app
    from dashboard.tablet.enrolment import enrolment_routes
    from dashboard.tablet.hooks import wifi_login_routes
    from dashboard.tablet.pump import Pump
    from sync.clock import clock
    from sync.members.desk import Desk
    from sync.members.guides import Guides
    from sync.members.register import Register
    from sync.order_taker import box_key
    from sync.outbox import Outbox
    from sync.parent import follow_parent

    follow_parent()
    now, data = clock(config.clock), config.edge.data
    key = box_key(data)
    with (
        bind(config.tablet, "tablet") as listener,
        Outbox(data / "outbox.db", config.store.id, config.sync.outbox, now) as outbox,
        Register(data, config.store.id) as register,
        Guides(data / "guides.db") as guides,
        Desk(data / "desk.db", lambda member: _guide_of(register, member, now())) as desk,
        ThreadPoolExecutor(1, "tablet") as pool,
    ):
        secure = config.tablet.certificate is not None
        studio = _studio(config)
        shop = Shop(
            config.store,
            desk,
            register,
            guides,
            outbox,
            now,
            (*config.signers, key.public),
            secure,
            _encoder(config),
            studio is not None,
        )
        more = [enrolment_routes(shop, studio, config.edge.recognition.stores, key)] if studio else []
        hooks = [wifi_login_routes(shop, config.tablet.wifi_login)] if config.tablet.wifi_login else []
        app = create_tablet_app(shop, *more, hooks=hooks)
        server = PageServer(app, config.tablet.certificate, config.tablet.key)
        pump = pool.submit(Pump(outbox, desk, register, now).run, stop)
        pump.add_done_callback(lambda _: setattr(server, "should_exit", True))
        try:
            scheme, port = "https" if secure else "http", listener.getsockname()[1]
            log.info("tablets on %s://%s:%d/", scheme, config.tablet.host, port)
            if not guides.all():
                log.warning("nobody may log in yet: yingke guides add GUIDE --name NAME")
            server.run(sockets=[listener])
        finally:
            stop.set()
        pump.result()


def _encoder(config: TabletFile) -> str | None:
    """Named on the screens wherever it is at work."""
    from models.encoders import chosen

    used = config.edge.recognition.mode != "off" or config.tablet.enrolment is not None
    return chosen(config.models) if used else None


def _studio(config: TabletFile) -> "Studio | None":
    from dashboard.tablet.enrolment import Studio

    camera, section = config.enrolment_camera, config.tablet.enrolment
    return None if camera is None or section is None else Studio(camera, section.seconds, config.models)


def _guide_of(register: "Register", member: str, now: float) -> str | None:
    card = register.card(member, now)
    return None if card is None else card.guide


@click.group()
def guides() -> None:
    """The guides of a store: who may log in to its tablets."""


@guides.command()
@click.argument("guide")
@click.option("--name", required=True, help="as colleagues call them")
@click.option("--manager", is_flag=True, help="also sees the site's false-alert rate")
@click.option("--pin", help="at least six characters; asked for when it is not given")
@_CONFIG
def add(guide: str, name: str, manager: bool, pin: str | None, path: Path) -> None:
    """Let GUIDE log in, or give them a new PIN."""
    import sys

    from sync.members.guides import Guide, Guides
    from sync.settings import load

    config = load(path, TabletFile)
    if pin is None:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody is here to be asked for the PIN: give it with --pin")
        pin = click.prompt("PIN", hide_input=True, confirmation_prompt=True)
    with Guides(config.edge.data / "guides.db") as known:
        known.add(Guide(guide, name, "manager" if manager else "clerk"), pin)
    click.echo(f"{guide} ({name}) may log in")


@guides.command()
@click.argument("guide")
@_CONFIG
def remove(guide: str, path: Path) -> None:
    """GUIDE has left: their sessions end at once."""
    from sync.members.errors import MemberError
    from sync.members.guides import Guides
    from sync.settings import load

    config = load(path, TabletFile)
    with Guides(config.edge.data / "guides.db") as known:
        if not known.remove(guide):
            raise MemberError("unknown", f"there is no guide {guide}", "see who there is: yingke guides list")
    click.echo(f"{guide} is out")


@guides.command(name="list")
@_CONFIG
def list_guides(path: Path) -> None:
    """Who may log in."""
    from sync.members.guides import Guides
    from sync.settings import load

    config = load(path, TabletFile)
    with Guides(config.edge.data / "guides.db") as known:
        for each in known.all():
            click.echo(f"{each.id}\t{each.name}\t{each.role}")
