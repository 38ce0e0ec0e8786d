"""PRIVACY rule 4: a face that matches nobody is searched for afterwards, in files, log, topics and memory."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from edge.processors.burst import LOOKS
from models.alignment import both_ways, chip
from models.config import ModelsConfig
from models.dlib_resnet import SIDE
from models.encoders import BUILT_IN, RECOMMENDED, DlibEncoder, FaceEncoder, RetailEncoder, open_encoder
from models.face_search import NEAR_PX, FaceSearch, SeenFace, finer
from models.faces import FaceDetector
from models.openvino_ir import installed
from sync.broker import NatsServer
from sync.config import MqttConfig
from sync.mqtt import LinkLost, MqttBroker, Session
from tests.edge.canary import person, scene
from tests.shared_data import shared
from tests.sync.children import ROOT

WINDOW = 24
"""Bytes: six numbers of a vector in a row, eight pixels. By chance, 2**192 to one."""
CHIPS = {
    BUILT_IN: (DlibEncoder._TEMPLATE, SIDE),
    RECOMMENDED: (RetailEncoder._TEMPLATE, RetailEncoder._SIDE),
}
STRANGER = "data/faces/lfw_subset/strangers/Hiroki_Gomi_0001.jpg"


def traces(picture: Path, encoder: FaceEncoder) -> Mapping[str, list[bytes]]:
    """What the face would leave, by what it is: several windows of each, so that one overwritten part hides none.

    Of every look of a burst: each begins where the last one ended, so that their crops differ by a pixel.
    """
    image, search = scene(picture), FaceSearch(FaceDetector())
    found: dict[str, list[bytes]] = {}
    for look in range(LOOKS):
        face = search.find(image, person(1, 3).box, look / 10)
        assert face is not None
        for name, parts in traces_of(face, encoder).items():
            found.setdefault(name, []).extend(part for part in parts if len(set(part)) > 8)
    return found


def traces_of(face: SeenFace, encoder: FaceEncoder) -> dict[str, list[bytes]]:
    crop, points = face.crop, face.landmarks
    if encoder.landmarks_px > NEAR_PX:
        found = finer(FaceDetector(), crop, encoder.landmarks_px)
        assert found is not None
        points = found
    vector = encoder.encode(crop, points[None])[0]
    aligned = chip(crop, points.astype(np.float64), *CHIPS[encoder.name])
    side = len(aligned)
    tensor = (
        both_ways(aligned[None])[..., :: -1 if encoder.name == BUILT_IN else 1].transpose(0, 3, 1, 2).astype(np.float32)
    )
    middle = crop[crop.shape[0] // 3 : crop.shape[0] // 2]
    single, double = vector.astype("<f4").tobytes(), vector.astype("<f8").tobytes()
    return {
        "vector, float32": windows(single),
        "vector, float64": windows(double),
        "vector, hex": windows(single.hex().encode(), 2 * WINDOW),
        "vector, base64": [part for shift in range(3) for part in windows(base64.b64encode(single[shift:]), 32)],
        "pixels of the crop": windows(middle.tobytes()),
        "pixels of the aligned face": windows(aligned[side // 3 : side // 2].tobytes()),
        "input of the network": windows(tensor[0, :, side // 3 : side // 2].tobytes()),
    }


def windows(content: bytes, size: int = WINDOW, count: int = 5) -> list[bytes]:
    step = max(size, (len(content) - size) // count // 8 * 8)
    return [content[start : start + size] for start in range(0, len(content) - size, step)][:count]


def hits(content: bytes, wanted: Mapping[str, list[bytes]]) -> set[str]:
    return {name for name, parts in wanted.items() if any(part in content for part in parts)}


def memory(pid: int) -> Iterator[bytes]:
    """Every mapping that a process can write to: what a core dump of it would hold."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as mem:
        for line in maps:
            ends, mode, *_ = line.split(maxsplit=5)
            if not mode.startswith("rw") or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            start, end = (int(part, 16) for part in ends.split("-"))
            mem.seek(start)
            try:
                yield mem.read(end - start)
            except OSError:
                continue


class Listening:
    """Every message on every topic of a broker, as one text."""

    def __init__(self, port: int) -> None:
        self.heard = bytearray()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(MqttConfig(port=port),))

    def _run(self, config: MqttConfig) -> None:
        with MqttBroker(config).connect(Session("canary", (("yingke/#", 1),), False)) as link:
            self._ready.set()
            while not self._stop.is_set():
                try:
                    message = link.receive(0.2)
                except LinkLost:
                    return
                if message is not None:
                    self.heard += message.topic.encode() + b"\n" + message.payload
                    link.acknowledge(message)

    def __enter__(self) -> "Listening":
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def search(folder: Path, picture: Path, mode: str, name: str) -> tuple[dict[str, set[str]], int]:
    """Run the child, and say where what was found; and how many decisions there were."""
    models = shared("models/recommended")
    if name == RECOMMENDED and not installed():
        pytest.skip("needs OpenVINO for the recommended encoder (pip install 'yingke[openvino]')")
    wanted = traces(picture, open_encoder(ModelsConfig(directory=models), only=name))
    box = folder / "box"
    box.mkdir(parents=True)
    log = folder / "log.txt"
    with NatsServer(folder / "broker") as broker, Listening(broker.port) as topics:
        mqtt = MqttConfig(port=broker.port).model_dump_json()
        command = [sys.executable, "-m", "tests.edge.canary", str(box), str(picture), mode, mqtt, name, str(models)]
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(box)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as child,
        ):
            assert child.stdin is not None
            assert child.stdout is not None
            said = child.stdout.readline().split()
            assert said[:1] == [b"done"], log.read_text()[-2000:]
            found: dict[str, set[str]] = {}
            try:
                for part in memory(child.pid):
                    found.setdefault("memory", set()).update(hits(part, wanted))
            except PermissionError:
                pytest.skip("may not read the memory of a child process here")
            child.stdin.write(b"\n")
            child.stdin.flush()
            assert child.wait(30) == 0, log.read_text()[-2000:]
        found["topics"] = hits(bytes(topics.heard), wanted)
    for file in [log, *(path for path in box.rglob("*") if path.is_file())]:
        found.setdefault(file.name, set()).update(hits(file.read_bytes(), wanted))
    return found, int(said[1])


@pytest.mark.parametrize("name", [BUILT_IN, RECOMMENDED])
def test_rule_4_a_face_that_matches_nobody_is_found_nowhere(tmp_path: Path, name: str) -> None:
    found, decisions = search(tmp_path, shared(STRANGER), "forget", name)
    assert decisions >= 2
    assert {"memory", "topics", "log.txt", "outbox.db", "members.db"} <= found.keys()
    assert not {where: what for where, what in found.items() if what}


@pytest.mark.parametrize("name", [BUILT_IN, RECOMMENDED])
def test_rule_4_the_same_search_finds_a_face_that_is_kept_on_purpose(tmp_path: Path, name: str) -> None:
    found, _ = search(tmp_path, shared(STRANGER), "keep", name)
    assert {"vector, float32", "vector, float64", "pixels of the crop"} <= found["memory"]
