"""``python -m bench.camera_mutations``: damaged streams through the camera source, each in turn, in one process.

Takes a short clip in several codecs and containers, damages copies of it (bits flipped, pieces cut out, repeated,
zeroed or swapped, the end cut off; the compressed bytes, headers included), and reads each to its end. A mutation may
give pictures, fewer pictures, or one typed error; anything else (another exception, a wrong shape, times that do not
rise) is a fault and ends with exit code 1. A crash of the process would, too. Prints the outcomes and the memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.errors import FormatError, SourceError
from sensors.readings import Frame

KINDS = {
    "mpegts": ("ts", ["-c:v", "mpeg2video"]),
    "h264": ("ts", ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"]),
    "h265": ("ts", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0"]),
    "mp4": ("mp4", ["-c:v", "libx264", "-preset", "ultrafast", "-movflags", "+faststart"]),
    "mjpeg": ("avi", ["-c:v", "mjpeg"]),
}
WIDTH, HEIGHT, PICTURES = 160, 120, 30


@dataclass(frozen=True)
class Clip:
    """A good clip: its bytes, and how its file name ends."""

    suffix: str
    content: bytes

    @classmethod
    def make(cls, kind: str) -> "Clip":
        """Three seconds of FFmpeg's test picture. ``mpegts`` is written by OpenCV, so that tests need no FFmpeg."""
        suffix, codec = KINDS[kind]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"clip.{suffix}"
            if kind == "mpegts":
                _write_mpeg2(path)
            else:
                source = ["-f", "lavfi", "-i", f"testsrc=size={WIDTH}x{HEIGHT}:rate=10:duration={PICTURES / 10}"]
                shape = ["-pix_fmt", "yuv420p", "-g", "10", str(path)]
                subprocess.run(["ffmpeg", "-loglevel", "error", *source, *codec, *shape], check=True)
            return cls(suffix, path.read_bytes())


def _write_mpeg2(path: Path) -> None:
    import cv2

    rng = np.random.default_rng(3)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MPG2"), 25.0, (WIDTH, HEIGHT))
    for _ in range(PICTURES):
        small = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        writer.write(cv2.resize(small, (WIDTH, HEIGHT)))
    writer.release()


def mutate(clip: Clip, seed: int) -> bytes:
    """One to five kinds of damage, chosen by the seed."""
    rng = np.random.default_rng(seed)
    data = bytearray(clip.content)
    for _ in range(int(rng.integers(1, 6))):
        length = len(data)
        if length < 64:
            break
        start = int(rng.integers(0, length - 1))
        stop = min(length, start + int(rng.integers(1, max(2, length // 8))))
        match int(rng.integers(0, 6)):
            case 0:
                for place in rng.integers(0, length, int(rng.integers(1, 200))):
                    data[place] ^= 1 << int(rng.integers(0, 8))
            case 1:
                del data[start:stop]
            case 2:
                data[start:start] = data[start:stop]
            case 3:
                data[start:stop] = bytes(stop - start)
            case 4:
                data[start:stop] = rng.bytes(stop - start)
            case _:
                del data[max(64, start) :]
    return bytes(data)


def outcome(content: bytes, clip: Clip, folder: Path) -> str:
    """``pictures``, ``fewer pictures`` or ``refused``; anything else names the fault."""
    path = folder / f"mutation.{clip.suffix}"
    path.write_bytes(content)
    times = []
    try:
        with CameraSource(CameraConfig(url=f"file:{path}", start=0.0)) as source:
            for reading in source:
                if not isinstance(reading, Frame):
                    return f"a fault: {type(reading).__name__}"
                if reading.image.ndim != 3 or reading.image.shape[2] != 3 or reading.image.dtype != np.uint8:
                    return f"a fault: shape {reading.image.shape}"
                times.append(reading.media_time)
    except (SourceError, FormatError) as error:
        return "refused" if error.fix and "\n" not in str(error) else f"a fault: error text {error}"
    except Exception as error:  # noqa: BLE001  # whatever else comes is what is looked for
        return f"a fault: {type(error).__name__}: {error}"
    if times != sorted(set(times)):
        return "a fault: times that do not rise"
    return "pictures" if len(times) >= PICTURES else "fewer pictures"


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> int:
    """Returns 1 when any mutation was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    clips = {kind: Clip.make(kind) for kind in KINDS}
    found: Counter[str] = Counter()
    faults: list[str] = []
    memory: list[float] = []
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        for number in range(arguments.count):
            kind = list(clips)[number % len(clips)]
            told = outcome(mutate(clips[kind], arguments.seed + number), clips[kind], Path(name))
            found[told.partition(":")[0]] += 1
            if told.startswith("a fault"):
                faults.append(f"{kind}, seed {arguments.seed + number}: {told}")
            if number % max(1, arguments.count // 10) == 0:
                memory.append(round(_resident_mb(), 1))
    memory.append(round(_resident_mb(), 1))
    spent = round(time.process_time() - began, 1)
    if arguments.json:
        print(json.dumps({"outcomes": found, "faults": faults, "resident_mb": memory, "cpu_seconds": spent}))
    else:
        print(f"{arguments.count} mutations of {', '.join(clips)}: {dict(found)}; {spent} CPU s")
        print(f"resident MB along the way: {memory}")
        print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
