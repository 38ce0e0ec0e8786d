"""``yingke doctor``: looks at a box, and says what to do next."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.doctor.findings import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(1, 600), default=8.0, show_default=True, help="to listen on each radio"
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
def doctor(path: Path, seconds: float, as_json: bool) -> None:
    """Check a box: configuration, disk, clock, broker, cameras, readers, radios, models, recognition.

    Changes nothing, and the box may run. Each line is ok, warn or fail, with the next step; the exit code is 1 when
    something failed.
    """
    from edge.doctor.examination import examine
    from edge.doctor.machine import ThisMachine

    level = report(examine(path, ThisMachine(), seconds), as_json)
    if level == "fail":
        raise click.exceptions.Exit(1)


def report(findings: Iterable["Finding"], as_json: bool) -> str:
    """Print each finding as it comes, or all as JSON; gives the worst level."""
    levels = ["ok", "warn", "fail"]
    told = []
    for finding in findings:
        told.append(finding)
        if not as_json:
            click.echo(
                f"{click.style(f'{finding.level:<4}', fg=_COLOURS[finding.level])}  {finding.check}: {finding.said}"
            )
            if finding.fix:
                click.echo(f"      fix: {finding.fix}")
    worst = max((finding.level for finding in told), key=levels.index, default="ok")
    counts = {level: sum(finding.level == level for finding in told) for level in levels}
    if as_json:
        click.echo(json.dumps({"worst": worst, "counts": counts, "findings": [asdict(each) for each in told]}))
    else:
        click.echo(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
    return worst
