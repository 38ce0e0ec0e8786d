"""``yingke enrol``: a member who agreed is taken into this box's gallery, from picture files or from a camera."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.members import CONFIG, JSON, the_member

if TYPE_CHECKING:
    from edge.config import EdgeFile
    from models.enrolment import Collector
    from sync.members.enrolment import Enrolled

WORDS = {
    "no_face": "no face",
    "several_faces": "more than one face",
    "small": "face too small: come nearer",
    "blurred": "not sharp: hold still",
    "turned": "look straight ahead",
    "tilted": "hold the head upright",
    "dark": "too dark",
    "bright": "too bright",
    "flat": "too little contrast: fog, or a light behind",
    "cut": "the face is cut off",
    "another_person": "another person than on the others",
    "unreadable": "no picture that can be read",
    "too_large": "more pixels than can be read",
}


@click.command()
@click.argument("member")
@click.argument("pictures", nargs=-1, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="who does it, such as guide-7")
@click.option("--camera", help="take the pictures from this camera of the configuration")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1, 120), help="with --camera")
@click.option("--same-person-known", is_flag=True, help="enrol although somebody enrolled may be the same person")
@click.option("--delete-pictures", is_flag=True, help="delete the files when the member is enrolled")
@CONFIG
@JSON
def enrol(
    member: str,
    pictures: tuple[Path, ...],
    by: str,
    camera: str | None,
    seconds: float,
    same_person_known: bool,
    delete_pictures: bool,
    path: Path,
    as_json: bool,
) -> None:
    """Enrol MEMBER from three to five PICTURES, or from a camera with --camera. Needs their consent to recognition.

    A template (numbers) is made and kept encrypted; no picture is stored. Files that you give are yours: delete them,
    or have them deleted with --delete-pictures. Look at who stands there: neither a photo of a photo nor a mask or
    sunglasses are detected, and people in masks look alike.
    """
    from edge.config import EdgeFile
    from sync.settings import load

    if bool(pictures) == (camera is not None):
        raise click.UsageError("give three to five picture files, or --camera NAME")
    if pictures and not 3 <= len(pictures) <= 5:
        raise click.UsageError(f"{len(pictures)} pictures: give three to five")
    config = load(path, EdgeFile)
    done, judged, encoder = _enrol(config, the_member(member), pictures, by, camera, seconds, same_person_known)
    deleted = _delete(pictures) if delete_pictures else []
    if as_json:
        document = {
            "member": done.member,
            "encoder": encoder,
            "model": done.model,
            "pictures": judged,
            "parcels": done.parcels,
            "storesWithoutKey": done.without_key,
            "warning": done.warning,
            "deleted": deleted,
        }
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(f"{member} is enrolled at {config.store.id} with {encoder}; no picture was stored")
    for store in done.parcels:
        click.echo(f"a sealed template for {store} waits for the centre")
    for store in done.without_key:
        click.echo(f"{store} gets none: put its key into edge.recognition.stores (yingke keys, there)", err=True)
    if done.warning:
        click.echo(f"warning: {done.warning}", err=True)
    if pictures and not delete_pictures:
        click.echo("the picture files are still yours: delete them now, they are no longer needed")


def _enrol(
    config: "EdgeFile",
    member: str,
    pictures: tuple[Path, ...],
    by: str,
    camera: str | None,
    seconds: float,
    same_person_known: bool,
) -> "tuple[Enrolled, list[dict[str, Any]], str]":
    from models.encoders import model_of, open_encoder
    from models.enrolment import Collector, Duplicates
    from models.faces import FaceDetector
    from sync.clock import clock
    from sync.members.enrolment import keep, must_agree
    from sync.members.register import Register
    from sync.order_taker import box_key

    now, data = clock(config.clock), config.edge.data
    with Register(data, config.store.id) as register:
        must_agree(register, member, now())
        encoder = open_encoder(config.models)
        collector = Collector(FaceDetector(directory=config.models.directory), encoder)
        try:
            judged = _files(collector, pictures) if pictures else _camera(collector, config, camera or "", seconds)
            template = _template(collector, judged)
        finally:
            collector.forget()
        done = keep(
            register,
            member,
            model_of(encoder),
            template,
            now(),
            by,
            Duplicates(encoder),
            same_person_known=same_person_known,
            stores=config.edge.recognition.stores,
            key=box_key(data),
        )
    return done, judged, encoder.name


def _template(collector: "Collector", judged: list[dict[str, Any]]) -> Any:
    from models.gallery import LEAST_PICTURES
    from sync.members.errors import MemberError

    template = collector.template()
    files = [each for each in judged if each["problems"]]
    said = "; ".join(f"{each['picture']}: {in_words(each['problems'])}" for each in files)
    if any("another_person" in each["problems"] for each in files if each["picture"] != "camera"):
        raise MemberError("pictures", f"the pictures show more than one person ({said})", "give pictures of one person")
    if template is None:
        raise MemberError(
            "pictures",
            f"{collector.good} of {collector.looked} pictures can be used, {LEAST_PICTURES} are needed"
            + (f" ({said})" if said else ""),
            "one face, near, from the front, in even light, sharp; then again",
        )
    return template


def in_words(problems: Iterable[str]) -> str:
    """Reason codes for people."""
    return ", ".join(WORDS[code] for code in problems)


def _files(collector: "Collector", pictures: tuple[Path, ...]) -> list[dict[str, Any]]:
    from sensors.errors import FormatError
    from sensors.picture_file import read_picture

    judged: list[dict[str, Any]] = []
    for file in pictures:
        try:
            image = read_picture(file)
        except FormatError as error:
            judged.append({"picture": str(file), "problems": [error.reason]})
            continue
        judged.append({"picture": str(file), "problems": list(collector.look(image))})
        image[:] = 0
    return judged


def _camera(collector: "Collector", config: "EdgeFile", name: str, seconds: float) -> list[dict[str, Any]]:
    from sensors.errors import SourceError
    from sensors.snapshots import stills

    found = next((each for each in config.sensors.cameras if each.name == name), None)
    if found is None:
        raise SourceError(f"there is no camera {name}", "name one of sensors.cameras")
    for image in stills(found, seconds):
        said = collector.look(image)
        image[:] = 0
        click.echo(f"picture {collector.looked}: {in_words(said) or 'good'}", err=True)
        if collector.enough:
            break
    return [{"picture": "camera", "problems": list(collector.problems)}]


def _delete(pictures: tuple[Path, ...]) -> list[str]:
    from sync.members.errors import MemberError

    for file in pictures:
        try:
            file.unlink()
        except OSError as error:
            raise MemberError(
                "file", f"{file} was not deleted: {error.strerror}", "the member is enrolled; delete it yourself"
            ) from error
    return [str(file) for file in pictures]
