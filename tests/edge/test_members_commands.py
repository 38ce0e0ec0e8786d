"""Members by command, as an operator types it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sync.events import utc
from sync.members import codes
from sync.members.consent import text
from sync.members.register import AFTER_VISIT_S, Register
from sync.members.sealed import SealKey, open_parcel, unpack
from sync.order_taker import box_key
from sync.orders import open_receipt
from tests.shared_data import shared
from yingke import main

ENROLLED = "data/faces/lfw_subset/enrolled"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"store: {{id: nanjing-road, timezone: Asia/Shanghai}}\nedge: {{data: '{tmp_path}/edge'}}\n")
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        try:
            code = main([*map(str, words), "--config", str(config)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def box(config: Path) -> Path:
    return config.parent / "edge"


def agree(run: Run, member: str = "M-0417", purpose: str = "recognition", *more: str) -> None:
    code, _, err = run("consent", "give", member, "--purpose", purpose, "--by", "guide-7", "--adult", *more)
    assert code == 0, err


def pictures(person: str = "Al_Sharpton") -> Sequence[Path]:
    return sorted(shared(ENROLLED).joinpath(person).glob("*.jpg"))[:5]


def test_rule_2_consent_shows_its_text_and_records_version_digest_who_and_how(run: Run) -> None:
    code, out, _ = run(
        "consent", "give", "M-0417", "--purpose", "recognition", "--by", "guide-7", "--how", "paper", "--adult"
    )
    shown = text("recognition", "zh")
    assert code == 0
    assert shown.words in out
    assert shown.digest in out
    _, out, _ = run("consent", "show", "M-0417", "--json")
    (entry,) = json.loads(out)["entries"]
    assert {key: entry[key] for key in ("version", "digest", "language", "taken_by", "how", "adult")} == {
        "version": shown.version,
        "digest": shown.digest,
        "language": "zh",
        "taken_by": "guide-7",
        "how": "paper",
        "adult": True,
    }
    assert json.loads(out)["inForce"] == ["recognition"]


def test_rule_2_taking_it_back_is_one_command_and_deletes_the_template(run: Run, box: Path) -> None:
    agree(run)
    with Register(box, "nanjing-road") as register:
        given = register.consents("M-0417")[0].time
        register.enrol("M-0417", "some.1", np.full((1, 4), 0.5, np.float32), given, "guide-7")
    assert run("consent", "withdraw", "M-0417", "--purpose", "recognition", "--by", "guide-7")[0] == 0
    with Register(box, "nanjing-road") as register:
        assert register.enrolled() == 0
    assert "in force: nothing" in run("consent", "show", "M-0417")[1]


def test_rule_9_who_does_not_say_that_they_are_of_age_is_refused(run: Run) -> None:
    code, _, err = run("consent", "give", "M-0417", "--purpose", "recognition", "--by", "guide-7")
    assert code == 1
    assert "adults only" in err
    assert "in force: nothing" in run("consent", "show", "M-0417")[1]


def test_rule_2_nobody_is_enrolled_without_consent_and_no_picture_is_opened(run: Run, tmp_path: Path) -> None:
    # Files that are not there: they would be named, had anybody looked.
    code, _, err = run("enrol", "M-0417", *(tmp_path / f"{n}.jpg" for n in range(3)), "--by", "guide-7")
    assert code == 1
    assert "has not agreed" in err
    assert ".jpg" not in err


def test_rule_5_a_member_is_enrolled_from_pictures_of_which_nothing_is_stored(run: Run, box: Path) -> None:
    agree(run)
    code, out, err = run("enrol", "M-0417", *pictures(), "--by", "guide-7", "--json")
    assert code == 0, err
    done = json.loads(out)
    assert done["encoder"]
    assert done["deleted"] == []
    with Register(box, "nanjing-road") as register:
        now = register.consents("M-0417")[0].time + 60
        (template,) = register.gallery(done["model"], now).templates
        raw = template.vectors.tobytes()
    assert np.allclose(np.linalg.norm(template.vectors, axis=1), 1, atol=1e-3)
    for file in box.iterdir():
        content = file.read_bytes()
        assert raw[:16] not in content, file
        assert b"JFIF" not in content, file


def test_rule_6_a_template_that_nobody_visited_with_is_out_after_twelve_months(run: Run, box: Path) -> None:
    agree(run)
    assert run("enrol", "M-0417", *pictures(), "--by", "guide-7")[0] == 0
    with Register(box, "nanjing-road") as register:
        now = register.consents("M-0417")[0].time
        assert register.expire(now + AFTER_VISIT_S - 60) == []
        assert register.expire(now + AFTER_VISIT_S + 600) == ["M-0417"]


def test_a_picture_with_two_faces_and_files_that_are_no_pictures_are_refused_by_name(run: Run, tmp_path: Path) -> None:
    agree(run)
    first, second, third, fourth, _ = pictures()
    both = tmp_path / "both.jpg"
    side = [
        cv2.imread(str(file)) for file in (first, sorted(shared(ENROLLED).joinpath("Albert_Costa").glob("*.jpg"))[0])
    ]
    cv2.imwrite(str(both), np.hstack([each for each in side if each is not None]))
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "letter.jpg").write_text("Dear customer")
    given = (both, tmp_path / "empty.jpg", tmp_path / "letter.jpg", tmp_path / "absent.jpg", second)
    code, _, err = run("enrol", "M-0417", *given, "--by", "guide-7")
    assert code == 1
    assert f"{both}: more than one face" in err
    assert err.count("no picture that can be read") == 3
    # Three good ones are enough, whatever the others are.
    code, _, err = run("enrol", "M-0417", second, third, fourth, both, "--by", "guide-7")
    assert code == 0, err


def test_the_code_of_an_erased_member_is_given_with_a_warning(run: Run) -> None:
    assert run("member-code", "M-0417")[2] == ""
    assert "no template was kept here" in run("erase", "M-0417", "--by", "head-office")[1]
    assert "opens no card" in run("member-code", "M-0417")[2]


def test_a_name_that_cannot_be_kept_is_told_by_its_option(run: Run) -> None:
    code, _, err = run("consent", "give", "M-0417", "--purpose", "profile", "--by", "李娜")
    assert code == 1
    assert "--by '李娜' is no name" in err
    assert "such as guide-7" in err


def test_a_guide_whose_pin_nobody_can_type_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        code, _, err = run("guides", "add", "guide-7", "--name", "李娜")
    assert code == 2
    assert "--pin" in err


def test_pictures_of_two_people_are_refused_by_name(run: Run) -> None:
    agree(run)
    mixed = [*pictures()[:3], *pictures("Ana_Guevara")[:2]]
    code, _, err = run("enrol", "M-0417", *mixed, "--by", "guide-7")
    assert code == 1
    assert "more than one person" in err
    assert "Ana_Guevara_0001" in err


def test_the_same_face_under_a_second_number_is_asked_about(run: Run) -> None:
    agree(run)
    agree(run, "M-0500")
    assert run("enrol", "M-0417", *pictures()[:3], "--by", "guide-7")[0] == 0
    code, _, err = run("enrol", "M-0500", *pictures()[2:], "--by", "guide-7")
    assert code == 1
    assert "same person as M-0417" in err
    assert run("enrol", "M-0500", *pictures()[2:], "--by", "guide-7", "--same-person-known")[0] == 0


def test_bad_pictures_are_told_with_their_reasons_and_files_are_deleted_only_when_asked(
    run: Run, tmp_path: Path
) -> None:
    agree(run)
    files = [tmp_path / f"{n}.png" for n in range(4)]
    for file, source in zip(files, pictures(), strict=False):
        cv2.imwrite(str(file), np.asarray(cv2.imread(str(source))))
    dark = np.asarray(cv2.imread(str(files[0]))) // 6
    cv2.imwrite(str(files[0]), dark)
    cv2.imwrite(str(files[1]), np.zeros((90, 90, 3), np.uint8))
    code, _, err = run("enrol", "M-0417", *files, "--by", "guide-7", "--delete-pictures")
    assert code == 1
    assert "2 of 4 pictures can be used" in err
    assert "too dark" in err
    assert "no face" in err
    assert all(file.exists() for file in files)
    for file, source in zip(files, pictures(), strict=False):
        cv2.imwrite(str(file), np.asarray(cv2.imread(str(source))))
    code = run("enrol", "M-0417", *files, "--by", "guide-7", "--delete-pictures")[0]
    assert code == 0
    assert not any(file.exists() for file in files)


def test_rule_5_a_store_that_the_member_named_gets_a_sealed_template(
    run: Run, config: Path, box: Path, tmp_path: Path
) -> None:
    other = SealKey.open_or_make(tmp_path / "other.key")
    lines = f"edge: {{data: '{box}', recognition: {{stores: {{xujiahui: {other.public}}}}}}}\n"
    config.write_text(config.read_text().splitlines()[0] + "\n" + lines)
    agree(run, "M-0417", "recognition", "--store", "xujiahui", "--store", "far-away")
    code, out, err = run("enrol", "M-0417", *pictures(), "--by", "guide-7")
    assert code == 0, err
    assert "sealed template for xujiahui" in out
    assert "far-away gets none" in err
    with Register(box, "nanjing-road") as register:
        (parcel,) = register.outgoing()
    vectors, consents = unpack(open_parcel(parcel.encode(), "nanjing-road", box_key(box).public), other)
    assert len(vectors) == 1
    assert consents[0].stores == ("nanjing-road", "xujiahui", "far-away")


def test_rule_7_erasing_on_the_box_gives_a_receipt_that_the_box_signed(run: Run, box: Path) -> None:
    agree(run)
    code, out, _ = run("erase", "M-0417", "--by", "head-office", "--json")
    assert code == 0
    receipt = open_receipt(out.strip().encode(), "nanjing-road")
    assert (receipt.member, receipt.outcome, receipt.box) == ("M-0417", "done", box_key(box).public)
    assert "was erased" in run("consent", "show", "M-0417")[1]


def test_rule_3_a_members_code_is_read_back_from_its_picture_until_its_day(run: Run, box: Path, tmp_path: Path) -> None:
    file = tmp_path / "code.png"
    code, out, _ = run("member-code", "M-0417", "--until", "2099-12-31", "--png", file, "--svg", tmp_path / "code.svg")
    assert code == 0
    read = cv2.QRCodeDetector().detectAndDecode(np.asarray(cv2.imread(str(file))))[0]
    assert read == out.strip()
    assert codes.read(read, [box_key(box).public], utc(0).date()) == "M-0417"
    assert (tmp_path / "code.svg").read_text().startswith("<?xml")
    assert run("member-code", "M-0417", "--until", "2001-01-01")[0] == 2


def test_right_cards_go_in_and_every_wrong_one_is_named(run: Run, tmp_path: Path) -> None:
    agree(run, "M-0417", "profile")
    cards: list[dict[str, Any]] = [
        {"member": "M-0417", "salutation": "王女士"},
        {"member": "M-0418", "salutation": "李先生"},
        {"member": "M-0419", "phone": "13800000000"},
    ]
    (tmp_path / "cards.json").write_text(json.dumps(cards))
    code, out, err = run("members", "import", tmp_path / "cards.json")
    assert code == 1
    assert "1 cards taken in" in out
    assert "entry 2 (M-0418)" in err
    assert "agreed to a profile" in err
    assert "entry 3 (M-0419): phone" in err


def test_a_card_needs_a_profile_and_an_epc(run: Run) -> None:
    assert "profile" in run("members", "card", "3034257BF7194E4000001A85", "M-0417", "--by", "guide-7")[2]
    agree(run, "M-0417", "profile")
    assert "no EPC" in run("members", "card", "13800000000", "M-0417", "--by", "guide-7")[2]
    assert run("members", "card", "3034257bf7194e4000001a85", "M-0417", "--by", "guide-7")[0] == 0
    assert "card_bound" in run("members", "looks", "M-0417")[1]


def test_rule_12_every_look_is_listed_and_an_altered_book_is_found(run: Run, box: Path) -> None:
    agree(run)
    run("enrol", "M-0417", *pictures(), "--by", "guide-7")
    assert "guide-7  enrolled" in run("members", "looks", "M-0417")[1]
    assert run("members", "verify")[0] == 0
    database = box / "members.db"
    database.write_bytes(database.read_bytes().replace(b"guide-7", b"guide-9"))
    code, _, err = run("members", "verify")
    assert code == 1
    assert "was altered" in err


def test_who_is_no_member_is_told_so(run: Run) -> None:
    for words in (["consent", "show", "Wang"], ["members", "looks", "Wang"], ["erase", "Wang", "--by", "x"]):
        code, _, err = run(*words)
        assert code == 1
        assert "no member's reference" in err


def test_rule_13_a_warning_comes_before_the_number_of_faces_that_must_be_filed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(run)
    _, _, err = run("enrol", "M-0417", *pictures(), "--by", "guide-7")
    assert "warning" not in err
    monkeypatch.setattr("sync.members.enrolment.FILING_WARNING", 1)
    code, _, err = run("enrol", "M-0417", *pictures(), "--by", "guide-7")
    assert code == 0
    assert "1 faces are enrolled: in China a filing duty starts at 100,000" in err
