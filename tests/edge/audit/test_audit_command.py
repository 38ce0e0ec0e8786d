import json
from pathlib import Path

import pytest

from edge.app import build_loops
from edge.audit.counting import digests
from edge.config import EdgeFile
from edge.processors.footfall import FootfallConfig, LineConfig
from models.config import ModelsConfig
from sync.outbox import Outbox
from sync.settings import load
from tests.shared_data import shared
from yingke import main

Capture = pytest.CaptureFixture[str]
CLIP = Path(__file__).resolve().parents[3] / "edge/demo/clip.mp4"
TRUTH = CLIP.with_name("clip.truth.json")
LINE = "entrance:0.46,0.15,0.46,0.95"


def audit(capture: Capture, *arguments: object) -> tuple[int, str, str]:
    code = main(["audit", *map(str, arguments)])
    said = capture.readouterr()
    return code, said.out, said.err


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"""
store: {{id: nanjing-road}}
sensors: {{cameras: [{{name: door, url: rtsp://192.0.2.10/stream1}}]}}
edge:
  data: {tmp_path}/box
  counting:
    door: {{lines: [{{name: entrance, start: [0.46, 0.15], end: [0.46, 0.95], entering: positive}}]}}
""")
    return path


def test_the_recorded_street_is_counted_33_of_33_in_all_intervals_and_that_is_too_few_to_say(capsys: Capture) -> None:
    video, truth = shared("data/video/vtest.avi"), shared("data/video/vtest.truth.json")
    code, out, err = audit(capsys, video, "--line", "A:0.7,0.2,0.7,0.8", "--truth", truth, "--json")
    assert (code, err) == (0, "")
    line = json.loads(out)["lines"]["a"]
    assert (line["people"], line["counted"], line["right"], line["false"], line["missed"]) == (33, 33, 33, 0, 0)
    assert (line["directions"]["in"]["right"], line["directions"]["out"]["right"]) == (15, 18)
    assert line["accuracy"] == {"value": 1.0, "low": 0.8419, "high": 1.0}
    assert (line["verdict"], line["more"]) == ("too_few", 72)


def test_an_audit_from_a_file_is_kept_signed_sent_and_verified(config: Path, capsys: Capture) -> None:
    box = config.parent / "box"
    with Outbox(box / "outbox.db", "nanjing-road") as outbox:
        code, out, _ = audit(capsys, CLIP, "--config", config, "--truth", TRUTH, "--by", "auditor")
        assert code == 0
        assert "entrance: 100.0%" in out
        assert "16 people, 16 counted: 16 right, 0 false, 0 missed; net error +0" in out
        assert "kept and signed as entry 1" in out
        assert outbox.last() == 1
        assert audit(capsys, "send", "--config", config, "--json")[1] == '{"handed_over": 0, "waiting": 0}\n'
        assert audit(capsys, "send", "--config", config, "--all")[1] == "1 entries handed over\n"
    code, out, _ = audit(capsys, "verify", "--config", config)
    assert code == 0
    assert "1 entries, all good; signed by" in out
    ledger = box / "audits.jsonl"
    assert str(CLIP.parent) not in ledger.read_text()
    ledger.write_text(ledger.read_text().replace('"right":16', '"right":15', 1))
    code, out, _ = audit(capsys, "verify", "--config", config, "--json")
    assert code == 1
    assert "changed after it was signed" in json.loads(out)["problems"][0]


def test_a_result_of_nobody_is_shown_and_not_kept(config: Path, capsys: Capture, tmp_path: Path) -> None:
    empty = tmp_path / "nobody.csv"
    empty.write_text("time,direction\n")
    code, out, _ = audit(capsys, CLIP, "--config", config, "--truth", empty)
    assert code == 0
    assert "entrance: nobody crossed, too few to say" in out
    assert "not kept: say who counted with --by" in out
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([CLIP], 2, "give the lines with --line, or the box's --config"),
        ([CLIP, "--line", LINE, "--config", "config.yaml"], 2, "one of the two"),
        ([CLIP, "--line", LINE, "--truth", "none.csv"], 1, "none.csv: cannot be read"),
        (["none.mp4", "--line", LINE], 1, "none.mp4: No such file"),
        (["none.mp4", "--line", LINE, "--truth", TRUTH], 1, "none.mp4: no such file"),
        ([CLIP, "--line", LINE, "--line", LINE], 2, "two lines are called entrance"),
        ([CLIP, "--line", "the door:0,0,1,1"], 2, "a role or short name"),
        ([CLIP, "--line", LINE, "--by", "Zhang San"], 2, "a role or short name"),
        ([TRUTH, "--line", LINE], 1, "not a video that FFmpeg can read"),
    ],
)
def test_wrong_usage_is_said_with_the_fix(arguments: list[object], code: int, said: str, capsys: Capture) -> None:
    result = audit(capsys, *arguments)
    assert result[0] == code
    assert said in result[2]


def test_a_camera_that_is_not_there_is_named_with_those_that_are(config: Path, capsys: Capture) -> None:
    code, _, err = audit(capsys, CLIP, "--config", config, "--camera", "roof", "--truth", TRUTH)
    assert code == 2
    assert "no camera roof that counts at a line; it has door" in err


def test_a_ledger_that_is_not_there_is_empty_and_good(config: Path, capsys: Capture) -> None:
    assert audit(capsys, "verify", "--config", config)[:2] == (0, "0 entries, all good; signed by nobody yet\n")


def test_the_running_box_tells_in_its_health_how_each_line_counts_as_the_audit_does(config: Path) -> None:
    file = load(config, EdgeFile)
    with Outbox(config.parent / "outbox.db", "nanjing-road") as outbox:
        (loop,) = build_loops(file, outbox, lambda: 0.0)
    assert loop.status.health(0, 0, 0).counting == digests(file.edge.counting["door"], file.models, None)


def test_the_digest_of_a_line_follows_its_place_its_rules_and_its_rate_and_nothing_else() -> None:
    door = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.9), entering="positive")
    back = LineConfig(name="back", start=(0.1, 0.5), end=(0.9, 0.5), entering="positive")
    models = ModelsConfig()

    def of(*lines: LineConfig, models: ModelsConfig = models, max_fps: float | None = None) -> str:
        return digests(FootfallConfig(lines=lines), models, max_fps)["door"]

    same = of(door)
    assert of(back, door) == same
    assert of(door.model_copy(update={"anchor": "centre"})) == same
    changed = [
        of(door.model_copy(update={"end": (0.5, 0.8)})),
        of(door.model_copy(update={"entering": "negative"})),
        of(door, models=ModelsConfig.model_validate({"detector": {"size": 640}})),
        of(door, max_fps=5.0),
    ]
    assert len({same, *changed}) == 5
