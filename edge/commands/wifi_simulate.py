"""``yingke wifi simulate``: a capture of phones that exist nowhere, with the number of people as it really was."""

import json
from pathlib import Path

import click

_WRITTEN = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--out", required=True, type=_WRITTEN, help="pcap file to write")
@click.option("--truth", required=True, type=_WRITTEN, help="CSV datetime,people to write: people inside, UTC")
@click.option("--minutes", type=click.IntRange(1, 7 * 24 * 60), default=720, show_default=True)
@click.option("--people", type=click.FloatRange(0.1, 2000), default=15.0, show_default=True, help="inside, on average")
@click.option("--start", type=click.FloatRange(min=0), default=0.0, show_default=True, help="epoch seconds")
@click.option("--seed", type=int, default=1, show_default=True, help="the same seed gives the same files")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
def simulate(out: Path, truth: Path, minutes: int, people: float, start: float, seed: int, as_json: bool) -> None:
    """Simulate phones that look for networks, inside a shop and walking past.

    sensors/wifi/simulator.py describes the model. What it is for: to try yingke wifi count and calibrate.
    """
    from sensors.wifi.simulator import MEAN_STAY_S, crowd, frames, people_inside, write_capture, write_truth

    hours = -(-minutes // 60)
    end = start + 60 * minutes
    phones = crowd(start, [people * 3600 / MEAN_STAY_S] * hours, seed, already=True)
    heard = [each for each in frames(phones, start) if each[0] < end]
    write_capture(out, heard)
    write_truth(truth, people_inside(phones, start, end))
    counts = {"frames": len(heard), "phones": len(phones), "inside": sum(phone.inside for phone in phones)}
    if as_json:
        click.echo(json.dumps(counts))
    else:
        click.echo("{frames} frames of {phones} phones, {inside} of them inside at some time".format(**counts))
        click.echo(f"written to {out} and {truth}")
