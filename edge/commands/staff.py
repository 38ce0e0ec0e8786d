"""``yingke staff``: what the clothes of staff look like, so that the box counts them apart."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from models.appearance import Image


@click.group()
def staff() -> None:
    """Tell staff from visitors by what they wear."""


@staff.command()
@click.argument("crops", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="file to write, for edge.counting.*.staff")
@click.option(
    "--other", "others", multiple=True, type=click.Path(path_type=Path), help="a picture of somebody without it; repeat"
)
@click.option("--note", default="", help="what it was learnt from, in your words, for example: summer uniform, store 3")
def learn(crops: Sequence[Path], out: Path, others: Sequence[Path], note: str) -> None:
    """Learn a uniform from CROPS: pictures of one person each, cut from head to foot, who wears it.

    Three are needed; ten, of several people, days and places in the picture, are better. With pictures of people who do
    not wear it (--other) the threshold is set between the two. The file holds statistics of colours, no picture; delete
    the crops when you have it.
    """
    from models.uniform import learn as learn_uniform

    if len(note) > 200:
        raise click.BadParameter("the note is longer than 200 characters", param_hint="--note")
    uniform = learn_uniform(_read(crops), _read(others), date.today(), note)
    uniform.save(out)
    click.echo(f"{out}: learnt from {uniform.crops} pictures; worn up to a distance of {uniform.threshold:.3f}")
    missed = sum(distance > uniform.threshold for distance in uniform.own)
    click.echo(f"{missed} of the {uniform.crops} pictures themselves lie beyond it")
    if uniform.nearest_other is None:
        click.echo("without --other the threshold is a guess: give pictures of visitors, or check the first day")
    else:
        click.echo(f"the nearest of {uniform.others} people without it: {uniform.nearest_other:.3f}")


def _read(paths: Sequence[Path]) -> "list[Image]":
    from models.appearance import read_picture

    return [read_picture(path) for path in paths]
