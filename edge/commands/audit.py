"""``yingke audit``: how well the box counts, against a person who counts along on a recording."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from edge.audit.counting import Setup
    from edge.audit.record import Keeper
    from edge.audit.score import Score
    from edge.audit.session import Session

CONFIG = click.option(
    "--config", "config", type=click.Path(path_type=Path), help="The box's configuration: its lines, rules and ledger."
)
BOX = click.option(
    "--config", "config", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
)
JSON = click.option("--json", "as_json", is_flag=True, help="Only JSON on standard output.")


class Pages(Protocol):
    """What serves the audit's page: ``yingke.Pages``. It returns when the person is done or Ctrl-C was pressed."""

    def audit(self, session: "Session", port: int, *, browse: bool) -> None: ...


class AuditGroup(click.Group):
    """``yingke audit VIDEO …`` is ``yingke audit run VIDEO …``; a video called like a sub-command is ./verify."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=AuditGroup)
def audit() -> None:
    """How well the box counts: VIDEO is compared with a person who counts along.

    \b
    yingke audit VIDEO --config FILE --camera NAME     a page where you tap
    yingke audit VIDEO --config FILE --truth TRUTH     what was seen, from a file
    yingke audit VIDEO --line entrance:x1,y1,x2,y2     without a configuration

    VIDEO is a recording of your own: Yingke never stores any, and keeps nothing of this one but its length and digest.
    The options: yingke audit run --help
    """


@audit.command()
@click.argument("video", type=click.Path(path_type=Path))
@click.option("--line", "lines", multiple=True, metavar="LINE", help="NAME:x1,y1,x2,y2[:centre|foot], as for count.")
@click.option(
    "--entering",
    type=click.Choice(["positive", "negative"]),
    default="positive",
    show_default=True,
    help="With --line: the side that is inside.",
)
@CONFIG
@click.option("--camera", help="Which camera of --config the recording is of; not needed where there is one.")
@click.option("--truth", type=click.Path(path_type=Path), help="What a person saw, as CSV or JSON; then no page.")
@click.option("--by", help="Role or short name of who counts (a-z, 0-9, -). With --truth: needed to keep the result.")
@click.option("--target", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Accuracy to reach.")
@click.option("--tolerance", type=click.FloatRange(0.1, 10), default=1.0, show_default=True, help="Seconds.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Of the page on 127.0.0.1 (default: a free one)."
)
@click.option("--no-browser", is_flag=True, help="Only print the page's address.")
@JSON
@click.pass_context
def run(
    ctx: click.Context,
    video: Path,
    lines: tuple[str, ...],
    entering: str,
    config: Path | None,
    camera: str | None,
    truth: Path | None,
    by: str | None,
    target: float,
    tolerance: float,
    port: int,
    no_browser: bool,
    as_json: bool,
) -> None:
    """Compare what is counted in VIDEO with what a person sees there.

    Without --truth a page opens on this machine: the recording plays, you tap for everybody who crosses, and see the
    counts only when you are done. With --config the result is signed, kept in the box's ledger (audits.jsonl in
    edge.data) and sent to the dashboards; with --line nothing is kept.

    \b
    TRUTH as CSV:   time,direction,line     line only where there are several
                    12.4,in,entrance        seconds, or minutes:seconds
                    1:03.9,out,entrance     in, out, positive, negative, left, right, up, down
    TRUTH as JSON:  [{"time": 12.4, "direction": "in", "line": "entrance"}]
               or:  {"lines": [{"name": "entrance", "events": [{"t": 12.4, "dir": "L2R"}], "either": [[68, 71]]}]}

    either: spans in which somebody hesitates on the line, so that both crossings are right, or none.
    """
    if bool(lines) == bool(config):
        raise click.UsageError("give the lines with --line, or the box's --config; one of the two")
    if by is not None:
        by = checked_name(by)
    setup, keeper = _from_config(config, camera) if config else (_from_lines(lines, entering), None)
    if truth is None:
        _with_page(ctx, video, setup, keeper, by, target, tolerance, port, browse=not no_browser, as_json=as_json)
        return
    document = compare(video, setup, truth, keeper, by, target, tolerance)
    if as_json:
        click.echo(json.dumps(document))
    else:
        _print(document)


@audit.command()
@BOX
@JSON
@click.pass_context
def verify(ctx: click.Context, config: Path, as_json: bool) -> None:
    """Check every entry of the ledger: signature, order, nothing changed or missing. Exit code 1 when not."""
    from sync.signing import fingerprint

    checked = _keeper(config).ledger.check()
    keys = sorted({fingerprint(entry.data.key) for entry in checked.entries})
    if as_json:
        entries = [json.loads(entry.line) for entry in checked.entries]
        click.echo(json.dumps({"good": len(entries), "keys": keys, "problems": checked.problems, "entries": entries}))
    else:
        for entry in checked.entries:
            data, shown = entry.data, entry.data.figures.accuracy
            said = f"{shown.value:.1%} ({shown.low:.1%} to {shown.high:.1%})" if shown else "nobody crossed"
            click.echo(
                f"{data.number:4d}  {entry.time:%Y-%m-%d %H:%M}Z  {entry.sensor}/{data.line}  {data.stage:8}  "
                f"{said}, {data.figures.people} people, by {data.by}"
            )
        for problem in checked.problems:
            click.echo(f"BAD: {problem}")
        if not checked.problems:
            click.echo(f"{len(checked.entries)} entries, all good; signed by {', '.join(keys) or 'nobody yet'}")
    if checked.problems:
        ctx.exit(1)


@audit.command()
@BOX
@JSON
@click.option("--all", "everything", is_flag=True, help="Also those that were sent: the centre counts each once.")
def send(config: Path, as_json: bool, everything: bool) -> None:
    """Hand the entries that wait to the box's outbox. The box may run. It is done after every audit by itself."""
    keeper = _keeper(config)
    count = keeper.send(everything=everything)
    waiting = len(keeper.ledger.unsent())
    if as_json:
        click.echo(json.dumps({"handed_over": count, "waiting": waiting}))
    else:
        click.echo(f"{count} entries handed over" + (f"; {waiting} wait for the box's first start" if waiting else ""))


def checked_name(text: str) -> str:
    """A role or short name as it may travel. Raises ``click.BadParameter``."""
    import re

    if not re.fullmatch(r"[a-z0-9-]{1,32}", text):
        raise click.BadParameter(f"{text!r}: a role or short name of a-z, 0-9 and -, for example store-manager")
    return text


def compare(
    video: Path,
    setup: "Setup",
    truth: Path,
    keeper: "Keeper | None",
    by: str | None,
    target: float,
    tolerance: float,
) -> dict[str, Any]:
    """Count and compare with a file of truth; kept when it is known who counted. Raises typed errors."""
    from edge.audit.counting import count, digest_of
    from edge.audit.record import Heard
    from edge.audit.score import score
    from edge.audit.session import score_document
    from edge.audit.truth import read
    from edge.commands.progress import Progress
    from sensors.stills import Stills

    seen = read(truth, setup.counting.lines)
    with Stills(video) as stills:
        duration = stills.duration
    progress = Progress(duration)
    machine, media = count(video, setup, progress=lambda at: progress.show(at, "counted"))
    progress.done()
    document: dict[str, Any] = {"video": video.name, "sensor": setup.sensor, "seconds": round(media, 3), "lines": {}}
    scores: dict[str, Score] = {}
    for line in setup.counting.lines:
        people = [one for one in seen.people if one.line == line.name]
        counts = [one for one in machine if one.line == line.name]
        either = seen.either.get(line.name, ())
        # Times in a file are taken as they are: nobody's reaction is in them.
        result = scores[line.name] = score(people, counts, tolerance=tolerance, delay=0.0, target=target, either=either)
        document["lines"][line.name] = score_document(result) | {
            "missed_at": [[one.time, one.direction] for one in result.missed],
            "false_at": [[one.time, one.direction] for one in result.false],
        }
    if keeper is not None and by is not None:
        heard = Heard(by, "file", digest_of(video), duration, media, tolerance)
        for name, result in scores.items():
            document["lines"][name]["entry"] = keeper.keep(setup, name, result, heard).data.number
        document["waits"] = keeper.try_to_send()
    elif keeper is not None:
        document["not_kept"] = "say who counted with --by, and the result is kept"
    return document


def _with_page(
    ctx: click.Context,
    video: Path,
    setup: "Setup",
    keeper: "Keeper | None",
    by: str | None,
    target: float,
    tolerance: float,
    port: int,
    *,
    browse: bool,
    as_json: bool,
) -> None:
    from edge.audit.session import Session

    pages: Pages = ctx.obj
    with Session(video, setup, keeper, by=by, target=target, tolerance=tolerance) as session:
        pages.audit(session, port, browse=browse)
        result = session.result()
    if as_json:
        click.echo(json.dumps(result))
    elif result["phase"] in ("result", "reviewed"):
        shown = {name: line["reviewed"] or line["blind"] for name, line in result["lines"].items()}
        _print({"lines": shown, "waits": result["waits"]})
    else:
        raise click.ClickException("stopped before the comparison: nothing was kept")


def _from_lines(texts: Sequence[str], entering: str) -> "Setup":
    from pydantic import ValidationError

    from edge.audit.counting import Setup
    from edge.commands.count import parse_line
    from edge.processors.footfall import FootfallConfig, LineConfig

    lines: list[LineConfig] = []
    for text in texts:
        line = parse_line(text)
        name = checked_name(line.name.lower())
        lines.append(
            LineConfig.model_validate(
                {"name": name, "start": line.start, "end": line.end, "anchor": line.anchor, "entering": entering}
            )
        )
    try:
        return Setup("video", FootfallConfig(lines=tuple(lines)))
    except ValidationError as error:
        raise click.BadParameter(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error


def _from_config(path: Path, camera: str | None) -> "tuple[Setup, Keeper]":
    from edge.audit.counting import Setup
    from edge.config import EdgeFile
    from sync.settings import load

    config = load(path, EdgeFile)
    cameras = {one.name: one for one in config.sensors.cameras if config.edge.counting[one.name].lines}
    names = ", ".join(cameras) or "none with a line"
    if camera is None and len(cameras) != 1:
        raise click.UsageError(f"say which camera the recording is of, with --camera; {path} has {names}")
    chosen = camera or next(iter(cameras))
    if chosen not in cameras:
        raise click.BadParameter(f"{path} has no camera {chosen} that counts at a line; it has {names}")
    setup = Setup(chosen, config.edge.counting[chosen], config.models_of(chosen), cameras[chosen].max_fps)
    return setup, _keeper(path)


def _keeper(path: Path) -> "Keeper":
    from edge.audit.record import Keeper
    from edge.config import EdgeFile
    from sync.clock import clock
    from sync.settings import load

    config = load(path, EdgeFile)
    return Keeper(config.edge.data, config.store.id, config.sync.outbox, clock(config.clock))


VERDICTS = {
    "meets": "meets the target of {target:.0%}",
    "below": "below the target of {target:.0%}",
    "undecided": "undecided against the target of {target:.0%}",
    "too_few": "too few to say whether it meets {target:.0%}",
}


def _print(document: dict[str, Any]) -> None:
    for name, line in document["lines"].items():
        shown = line["accuracy"]
        said = f"{shown['value']:.1%} ({shown['low']:.1%} to {shown['high']:.1%})" if shown else "nobody crossed"
        more = f": about {line['more']} more crossings are needed" if line["more"] else ""
        click.echo(f"{name}: {said}, {VERDICTS[line['verdict']].format(target=line['target'])}{more}")
        click.echo(
            f"  {line['people']} people, {line['counted']} counted: {line['right']} right, {line['false']} false, "
            f"{line['missed']} missed; net error {line['net_error']:+d}"
        )
        for way, figures in line["directions"].items():
            click.echo(f"  {way}: {figures['people']} people, {figures['counted']} counted, {figures['right']} right")
        for kind in ("missed", "false"):
            for time, way in line.get(f"{kind}_at", ()):
                click.echo(f"  {kind} at {int(time // 60)}:{time % 60:04.1f} ({way})")
        if "entry" in line:
            click.echo(f"  kept and signed as entry {line['entry']}")
    for key in ("waits", "not_kept"):
        if document.get(key):
            click.echo(f"{'not sent yet' if key == 'waits' else 'not kept'}: {document[key]}")
