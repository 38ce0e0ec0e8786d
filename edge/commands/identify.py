"""``yingke identify``: who is on pictures, among people enrolled from pictures. For calibration and for proof.

Reads pictures, prints decisions; writes nothing but the calibration that it is asked for. Needs no store and no
consent ledger, so it is for pictures that one may use, not for visitors.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from models.alignment import Floats
    from models.encoders import FaceEncoder
    from models.faces import FaceDetector
    from models.rule import Decision

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
_SIZES = (20, 40, 200)
_REPORT_AT = (0.01, 0.001)


@dataclass
class Pictures:
    """The usable faces of a directory: vectors by person (or file), and what was wrong with the others."""

    vectors: "dict[str, list[Floats]]" = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    refused: list[dict[str, str]] = field(default_factory=list)

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
    A decision is match, ambiguous (two members, both named) or nothing; a match is a suggestion. For --report and
    --calibrate, --enrol holds people with four pictures or more and --probe other people, the strangers.
    """
    from models.faces import FaceDetector

    encoder = _encoder(path, only, calibrating=calibrate is not None)
    detector = FaceDetector()
    people = read_pictures(enrol, encoder, detector, by_folder=True)
    probes = read_pictures(probe, encoder, detector, by_folder=visit_per_folder or report or calibrate is not None)
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
        document["probes"] = _decisions(encoder, people, probes)
    document["refused"] = people.refused + probes.refused
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


def read_pictures(root: Path, encoder: "FaceEncoder", detector: "FaceDetector", *, by_folder: bool) -> Pictures:
    """The main face of every picture under ``root``. ``by_folder``: pictures of one folder are one person."""
    import cv2
    import numpy as np

    from models.face_quality import main_face

    found = Pictures()
    for file in sorted(path for path in root.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file()):
        relative = file.relative_to(root).as_posix()
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if image is None:
            found.refused.append({"file": relative, "problem": "unreadable"})
            continue
        picture = image.astype(np.uint8)
        faces = detector.detect(picture)
        chosen = main_face(faces, *picture.shape[:2])
        if chosen is None:
            found.refused.append({"file": relative, "problem": "several_faces" if len(faces) else "no_face"})
            continue
        folder = file.parent.relative_to(root).as_posix()
        name = (folder if folder != "." else file.stem) if by_folder else relative
        found.vectors.setdefault(name, []).append(encoder.encode(picture, faces.landmarks[chosen : chosen + 1])[0])
        found.files.setdefault(name, []).append(relative)
    if not found.vectors:
        raise click.ClickException(f"{root} holds no picture with a face that stands out")
    return found


def _decisions(encoder: "FaceEncoder", people: Pictures, probes: Pictures) -> list[dict[str, Any]]:
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
    said += [{"file": entry["file"], **nothing, "problem": entry["problem"]} for entry in probes.refused]
    return sorted(said, key=lambda entry: str(entry["file"]))


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
        names = " or ".join(filter(None, (entry["customer"], entry["runner_up"] if _both(entry) else None)))
        click.echo(f"{entry['file']}: {entry.get('problem') or ' '.join((entry['decision'], names)).strip()}")
    for row in document.get("report", ()):
        click.echo("  ".join(f"{key} {value}" for key, value in row.items()))
    if "calibration" in document:
        click.echo("  ".join(f"{key} {value}" for key, value in document["calibration"].items()))
    for entry in document["refused"]:
        click.echo(f"not used: {entry['file']}: {entry['problem']}", err=True)


def _both(entry: dict[str, Any]) -> bool:
    return bool(entry["decision"] == "ambiguous")
