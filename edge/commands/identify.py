"""``yingke identify``: who is on pictures, among people enrolled from pictures. For calibration and for proof.

Reads pictures, prints decisions; writes nothing but the calibration that it is asked for. Needs no store and no
consent ledger, so it is for pictures that one may use, not for visitors.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.enrol import in_words

if TYPE_CHECKING:
    from models.alignment import Floats
    from models.encoders import FaceEncoder
    from models.faces import FaceDetector
    from models.rule import Decision

_SIZES = (20, 40, 200)
_REPORT_AT = (0.01, 0.001)


@dataclass
class Pictures:
    """The usable faces of a directory: vectors by person (or file), and what was wrong with the others."""

    vectors: "dict[str, list[Floats]]" = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    refused: list[dict[str, str]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """The first problem of each person (or file): all there is to say of who has no usable picture at all."""

    def stacked(self) -> "dict[str, Floats]":
        """``(n, size)`` for each person."""
        import numpy as np

        return {name: np.stack(rows) for name, rows in self.vectors.items()}


@click.command()
@click.option("--enrol", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--probe", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--visit-per-folder", is_flag=True, help="the pictures of a folder in --probe are one visit")
@click.option("--encoder", "only", help="one by name; default: the best there is")
@click.option("--config", "path", type=click.Path(exists=True, path_type=Path), help="config.yaml with section models")
@click.option("--report", is_flag=True, help="how well the rule works on these pictures: --probe are strangers")
@click.option("--calibrate", type=click.Path(dir_okay=False, path_type=Path), help="write a calibration to this file")
@click.option("--size", default=200, show_default=True, help="members of a gallery to calibrate for")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def identify(
    enrol: Path,
    probe: Path,
    visit_per_folder: bool,
    only: str | None,
    path: Path | None,
    report: bool,
    calibrate: Path | None,
    size: int,
    as_json: bool,
) -> None:
    """Say whom of --enrol the pictures of --probe show.

    --enrol holds a folder for each person, or a picture for each. --probe holds pictures, or folders of them.
    Each picture is a visit of its own; with --visit-per-folder the pictures of a folder are one. A decision is match,
    ambiguous (two members, both named) or nothing, also where no face can be used; a match is a suggestion.
    For --report and --calibrate, --enrol holds people with four pictures or more and --probe others, the strangers.
    """
    from models.faces import FaceDetector

    encoder = _encoder(path, only, calibrating=calibrate is not None)
    detector = FaceDetector()
    people = read_pictures(enrol, encoder, detector, by_folder=True)
    _need_faces(enrol, people)
    measuring = report or calibrate is not None
    probes = read_pictures(probe, encoder, detector, by_folder=visit_per_folder or measuring, visits=not measuring)
    if measuring:
        _need_faces(probe, probes)
    document: dict[str, Any] = {
        "encoder": {"name": encoder.name, "version": encoder.version, "licence": encoder.licence},
        "rule": {"ratio": encoder.rule.ratio, "cap": encoder.rule.cap, "decoys": encoder.rule.decoys},
    }
    if calibrate is not None:
        document["calibration"] = _calibration(encoder, people, probes, calibrate, size)
    elif report:
        document["report"] = _report(encoder, people, probes)
    else:
        document["members"] = len(people.vectors)
        document["probes"], document["alike"] = _decisions(encoder, people, probes)
    document["refused"] = people.refused + probes.refused
    _warn(people, document.get("alike", []))
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _print(document)


def _encoder(path: Path | None, only: str | None, *, calibrating: bool) -> "FaceEncoder":
    from edge.config import EdgeFile
    from models.config import ModelsConfig
    from models.encoders import SuppliedEncoder, open_encoder
    from sync.settings import load

    config = load(path, EdgeFile).models if path else ModelsConfig()
    if calibrating and only is None and config.face_encoder is not None:
        return SuppliedEncoder(config.face_encoder, uncalibrated=True)
    return open_encoder(config, only=only)


def read_pictures(
    root: Path, encoder: "FaceEncoder", detector: "FaceDetector", *, by_folder: bool, visits: bool = False
) -> Pictures:
    """The main face of every picture under ``root``. ``by_folder``: pictures of one folder are one person.

    A picture in ``root`` itself is a person of its name, or a visit of its own with ``visits``.
    """
    from edge.commands.progress import Progress
    from sensors.picture_file import picture_files

    found = Pictures()
    files = list(picture_files(root))
    progress = Progress(len(files))
    for number, file in enumerate(files):
        progress.show(number, f"of {len(files)} pictures in {root.name}")
        relative = _shown(file.relative_to(root).as_posix())
        folder = _shown(file.parent.relative_to(root).as_posix())
        name = relative if not by_folder or (visits and folder == ".") else folder
        if name == ".":
            name = _shown(file.stem)
        face = _face(file, encoder, detector, enrolling=by_folder and not visits)
        if isinstance(face, str):
            found.refused.append({"file": relative, "problem": face})
            found.problems.setdefault(name, face)
            continue
        found.vectors.setdefault(name, []).append(face)
        found.files.setdefault(name, []).append(relative)
    progress.done()
    if not found.vectors and not found.refused:
        raise click.ClickException(f"{root} holds no picture; give a folder of JPEG, PNG or WebP files")
    return found


def _face(file: Path, encoder: "FaceEncoder", detector: "FaceDetector", *, enrolling: bool) -> "Floats | str":
    """The vector of the face that the picture is of, or why there is none.

    Nobody is enrolled from a blur: blurred templates resemble each other (docs/figures.md, spoilt pictures).
    """
    from models.face_quality import face_quality, main_face
    from sensors.errors import FormatError
    from sensors.picture_file import read_picture

    try:
        picture = read_picture(file)
        faces = detector.detect(picture)
        chosen = main_face(faces, *picture.shape[:2])
        if chosen is None:
            return "several_faces" if len(faces) else "no_face"
        if enrolling and "blurred" in face_quality(picture, faces.landmarks[chosen]).problems:
            return "blurred"
        vector: Floats = encoder.encode(picture, faces.landmarks[chosen : chosen + 1])[0]
        return vector
    except FormatError as error:
        return error.reason


def _shown(name: str) -> str:
    """A file's name as text; bytes that are none in UTF-8 become question marks, so that it can be printed."""
    return os.fsencode(name).decode("utf-8", "replace")


def _need_faces(root: Path, found: Pictures) -> None:
    """Raise where no picture of the folder can be used, with what is wrong with the first."""
    if not found.vectors:
        first = found.refused[0]
        raise click.ClickException(
            f"none of the {len(found.refused)} pictures in {root} shows a face that can be used "
            f"({first['file']}: {in_words([first['problem']])})"
        )


def _decisions(
    encoder: "FaceEncoder", people: Pictures, probes: Pictures
) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """An entry for each visit, and the pairs of members who may be one person enrolled twice."""
    from models.alignment import unit
    from models.encoders import decoys_for
    from models.gallery import Gallery

    # A template of the product is made of three pictures or more; here whatever there is.
    members = {name: unit(rows.mean(axis=0)) for name, rows in people.stacked().items()}
    gallery = Gallery(members, encoder.rule, decoys_for(encoder))
    said = []
    for name, rows in probes.stacked().items():
        entry: dict[str, Any] = {"file": name, **_as_entry(gallery.decide(unit(rows.mean(axis=0))))}
        if probes.files[name] != [name]:
            entry["files"] = probes.files[name]
        said.append(entry)
    nothing = {"decision": "nothing", "customer": None, "distance": None, "runner_up": None}
    said += [
        {"file": name, **nothing, "problem": problem}
        for name, problem in probes.problems.items()
        if name not in probes.vectors
    ]
    alike = {tuple(sorted((name, other))) for name, row in members.items() for other in gallery.near(row)}
    return sorted(said, key=lambda entry: str(entry["file"])), sorted(list(pair) for pair in alike if len({*pair}) > 1)


def _as_entry(decision: "Decision") -> dict[str, Any]:
    return {
        "decision": decision.outcome,
        "customer": decision.member,
        "distance": round(decision.distance, 4),
        "runner_up": decision.runner_up,
        "ratio": round(decision.ratio, 4),
    }


def _report(encoder: "FaceEncoder", people: Pictures, strangers: Pictures) -> list[dict[str, Any]]:
    """One row for each size of gallery that these people are enough for, and each number of pictures in a visit."""
    from models.encoders import decoys_for
    from models.open_set import open_set

    known, unknown = people.stacked(), strangers.stacked()
    both = known.keys() & unknown.keys()
    if both:
        raise click.ClickException(f"{sorted(both)[0]} is in --enrol and in --probe; --report needs strangers there")
    enough = sum(len(rows) >= 4 for rows in known.values())
    if enough < 2:
        raise click.ClickException("--report needs people with four pictures or more in --enrol")
    decoys, rows = decoys_for(encoder), []
    for size in sorted({min(size, enough) for size in _SIZES}):
        for pictures in (1, 2):
            repeats = max(1, min(10, 400 // size))
            result = open_set(known, unknown, encoder.rule, decoys, size=size, pictures=pictures, repeats=repeats)
            if not result.visits:
                continue
            rows.append(
                {
                    "members": size,
                    "pictures_per_visit": pictures,
                    "tpir": round(result.tpir, 4),
                    "fpir": round(result.fpir, 5),
                    "misidentified": result.misidentified,
                    "member_visits": result.visits,
                    "stranger_visits": result.strangers,
                    "strangers": len(unknown),
                    **{f"tpir_at_fpir_{at:g}": round(result.tpir_at(at), 4) for at in _REPORT_AT},
                }
            )
    return rows


def _calibration(
    encoder: "FaceEncoder", people: Pictures, strangers: Pictures, target: Path, size: int
) -> dict[str, Any]:
    from models.calibration import calibrate

    made = calibrate(encoder.name, encoder.version, people.stacked(), strangers.stacked(), size=size)
    made.save(target)
    rule = made.rule
    return {"file": str(target), "ratio": rule.ratio, "cap": rule.cap, "jump": rule.jump, "measured": rule.measured}


def _print(document: dict[str, Any]) -> None:
    encoder = document["encoder"]
    click.echo(f"encoder {encoder['name']} {encoder['version']} ({encoder['licence']})")
    for entry in document.get("probes", ()):
        click.echo(f"{entry['file']}: {_said(entry)}")
    if "report" in document:
        _print_report(document["report"])
    if "calibration" in document:
        _print_calibration(document["calibration"], encoder["name"])
    for entry in document["refused"]:
        click.echo(f"not used: {entry['file']}: {in_words([entry['problem']])}", err=True)


def _said(entry: dict[str, Any]) -> str:
    names = [entry["customer"], entry["runner_up"] if entry["decision"] == "ambiguous" else None]
    why = f"({in_words([entry['problem']])})" if "problem" in entry else ""
    return " ".join(filter(None, (entry["decision"], " or ".join(filter(None, names)), why)))


def _warn(people: Pictures, alike: list[list[str]]) -> None:
    """What a reader of the decisions should know of the gallery; on stderr, so that JSON stays JSON."""
    from models.gallery import LEAST_PICTURES

    few = [name for name, rows in people.vectors.items() if len(rows) < LEAST_PICTURES]
    if few:
        others = f" and {len(few) - 3} more" if len(few) > 3 else ""
        click.echo(
            f"fewer than {LEAST_PICTURES} usable pictures: {', '.join(few[:3])}{others}; they are found less often, "
            f"and yingke enrol would refuse them",
            err=True,
        )
    for first, second in alike:
        click.echo(f"{first} and {second} may be one person: often neither is named then; enrol them once", err=True)


def _print_report(rows: list[dict[str, Any]]) -> None:
    head = ("members", "pictures", "TPIR", "FPIR", "misnamed", "TPIR at FPIR 1 %", "at 0.1 %", "visits", "strangers")
    click.echo("  ".join(f"{title:>{max(8, len(title))}}" for title in head))
    for row in rows:
        # Where even one stranger is a larger share than that, nothing was measured at it.
        at = [
            f"{row[f'tpir_at_fpir_{share:g}']:.1%}" if row["strangers"] * share >= 1 else "too few"
            for share in _REPORT_AT
        ]
        said = (
            *(str(row["members"]), str(row["pictures_per_visit"]), f"{row['tpir']:.1%}", f"{row['fpir']:.2%}"),
            *(str(row["misidentified"]), *at, str(row["member_visits"]), str(row["strangers"])),
        )
        click.echo("  ".join(f"{text:>{max(8, len(title))}}" for title, text in zip(head, said, strict=True)))
    click.echo("TPIR: members' visits that name the right one. FPIR: strangers' visits that name anybody.")
    if any(row["strangers"] * share < 1 for row in rows for share in _REPORT_AT):
        click.echo("too few: with so few strangers, one alone is a larger share")


def _print_calibration(made: dict[str, Any], encoder: str) -> None:
    from models.encoders import SHIPPED

    click.echo(f"written to {made['file']}: {made['measured']}")
    click.echo(f"ratio {made['ratio']:.3f}, largest distance {made['cap']:.3f}, jump {made['jump']:.3f}")
    if encoder in SHIPPED:
        click.echo(f"{encoder} keeps the rule that it comes with: this file shows what one for these pictures would be")
    else:
        click.echo(f"name it as models.face_encoder.calibration, for {encoder} only")
