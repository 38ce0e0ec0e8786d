"""``yingke sign`` and ``yingke dpia``: the sign for the door and the impact assessment, from what really runs."""

from pathlib import Path
from typing import Any

import click

from edge.commands.members import CONFIG, LANGUAGE

OUT = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write to this file; else printed")


@click.command()
@LANGUAGE
@OUT
@CONFIG
def sign(language: Any, out: Path | None, path: Path) -> None:
    """The sign for the door, as an HTML page to print: which sensors run here, and what becomes of what they see."""
    from edge.config import EdgeFile
    from edge.papers import sign_html
    from sync.settings import load

    _give(sign_html(load(path, EdgeFile), language), out)


@click.command()
@LANGUAGE
@OUT
@CONFIG
def dpia(language: Any, out: Path | None, path: Path) -> None:
    """A data protection impact assessment (Markdown), filled in as far as the configuration tells. Not legal advice."""
    from datetime import datetime

    from edge.config import EdgeFile
    from edge.papers import dpia_markdown
    from sync.clock import clock
    from sync.settings import load

    config = load(path, EdgeFile)
    today = datetime.fromtimestamp(clock(config.clock)(), config.store.zone).date()
    _give(dpia_markdown(config, language, today), out)


def _give(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from error
    click.echo(str(out))
