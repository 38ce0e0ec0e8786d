"""``yingke recognition check``: how often strangers would be taken for members here, measured before mode entrance."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.members import CONFIG, JSON

if TYPE_CHECKING:
    from collections import Counter

    from edge.config import EdgeFile
    from edge.processors.site_check import SiteCheck
    from models.encoders import FaceEncoder
    from models.gallery import Gallery
    from models.rule import Outcome
    from sync.members.register import Register


@click.group()
def recognition() -> None:
    """Recognition of members who agreed: measure how often it would be wrong here."""


@recognition.command()
@click.option(
    "--strangers",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="pictures of people who are no members: a folder for each, or a picture for each",
)
@click.option("--camera", help="or the faces that this camera sees, for --minutes, while no member is there")
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(0.01, 24 * 60))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="write what edge.recognition.site_check names"
)
@CONFIG
@JSON
def check(
    strangers: Path | None, camera: str | None, minutes: float, out: Path | None, path: Path, as_json: bool
) -> None:
    """Compare faces of people who are no members with this box's gallery, and count how often the rule would match.

    Nothing of the faces is kept but their number. Mode entrance starts only with such a check that is no older than 90
    days, of the encoder in use, and whose upper 95 % bound is at most edge.recognition.most_false_alerts (1 %: no false
    alert among 299 visitors). With --camera a member who comes by counts as a false alert, and everybody who is
    followed is one visitor, however often their face was compared. Ctrl-C ends it early and keeps what it has.
    """
    from edge.config import EdgeFile
    from sync.settings import load

    if (strangers is None) == (camera is None):
        raise click.UsageError("give --strangers DIR or --camera NAME")
    config = load(path, EdgeFile)
    found = _measure(config, strangers, camera, minutes)
    if out is not None:
        found.save(out)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json")))
        return
    members = "1 member" if found.members == 1 else f"{found.members} members"
    click.echo(f"encoder {found.encoder}; gallery of {members}; {found.faces} visitors who are none")
    click.echo(f"false alerts {found.false_alerts}: at most {found.upper_95:.2%} of strangers (95 %)")
    limit = config.edge.recognition.most_false_alerts
    click.echo(
        f"mode entrance may start with it (limit {limit:.1%})"
        if found.upper_95 <= limit
        else f"mode entrance does not start with it (limit {limit:.1%}); 299 visitors without a false alert prove 1 %"
    )


def _measure(config: "EdgeFile", strangers: Path | None, camera: str | None, minutes: float) -> "SiteCheck":
    from edge.processors.gallery import OpenGallery
    from edge.processors.site_check import SiteCheck
    from models.encoders import model_of, open_encoder
    from models.errors import ModelError
    from sync.clock import clock
    from sync.members.desk import Desk
    from sync.members.register import Register

    now, data = clock(config.clock), config.edge.data
    encoder = open_encoder(config.models)
    with Register(data, config.store.id) as register, Desk(data / "desk.db") as desk:
        opened = OpenGallery(register, encoder, time.monotonic, desk)
        gallery = opened.now(now())
        if gallery is None:
            raise ModelError("nobody is enrolled here with this encoder", "enrol members first: yingke enrol")
        if strangers is not None:
            faces, alerts = _of_pictures(gallery, encoder, strangers, config.models.directory)
        else:
            faces, alerts = _of_camera(config, camera or "", minutes, register, encoder, opened)
    if not faces:
        raise ModelError(
            "no face was seen that could be compared",
            "faces of 40 pixels or more, from the front, in even light: look at the picture (yingke calibrate)",
        )
    source = "pictures" if strangers is not None else str(camera)
    return SiteCheck.of(config.store.id, model_of(encoder), len(gallery), faces, alerts, source, now())


def _of_pictures(
    gallery: "Gallery", encoder: "FaceEncoder", strangers: Path, directory: Path | None
) -> tuple[int, int]:
    import numpy as np

    from edge.commands.identify import read_pictures
    from models.alignment import unit
    from models.faces import FaceDetector

    people = read_pictures(strangers, encoder, FaceDetector(directory=directory), by_folder=True)
    alerts = 0
    for rows in people.vectors.values():
        alerts += gallery.decide(unit(np.mean(rows, axis=0))).outcome != "nothing"
        for row in rows:
            row[:] = 0
    return len(people.vectors), alerts


def _of_camera(
    config: "EdgeFile", name: str, minutes: float, register: "Register", encoder: "FaceEncoder", gallery: Any
) -> tuple[int, int]:
    from edge.commands.progress import Progress
    from edge.processors.following import Following
    from edge.processors.recognition import Recogniser
    from models.detector import open_detector
    from models.faces import FaceDetector
    from sensors.camera import CameraSource
    from sensors.errors import SourceError
    from sensors.readings import Frame
    from sync.clock import clock

    found = next((each for each in config.sensors.cameras if each.name == name), None)
    if found is None:
        raise SourceError(f"there is no camera {name}", "name one of sensors.cameras")
    section = config.edge.recognition.model_copy(update={"mode": "entrance", "cameras": (name,)})
    models, now = config.models_of(name), clock(config.clock)
    finder = FaceDetector(directory=models.directory)
    recogniser = Recogniser(name, section, finder, encoder, gallery, register, only_counting=True)
    following, began, progress = Following(open_detector(models)), time.monotonic(), Progress(minutes * 60)
    took = 0.0
    try:
        with CameraSource(found, clock=now) as source:
            for reading in source:
                took = time.monotonic() - began
                if took > minutes * 60:
                    break
                if isinstance(reading, Frame):
                    recogniser.picture(reading, following.picture(reading).update)
                progress.show(took, _so_far(recogniser.visits))
    except KeyboardInterrupt:
        # Half an hour is long: what was measured until now counts.
        pass
    finally:
        recogniser.close()
        progress.done()
    if took <= minutes * 60:
        click.echo(f"ended after {took / 60:.1f} of {minutes:g} minutes", err=True)
    return recogniser.visits.total(), _alerts(recogniser.visits)


def _alerts(visits: "Counter[Outcome]") -> int:
    return visits["match"] + visits["ambiguous"]


def _so_far(visits: "Counter[Outcome]") -> str:
    return f"{visits.total()} visitors, {_alerts(visits)} false alerts"
