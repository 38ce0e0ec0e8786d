import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.events import ConsentGiven
from sync.members.cards import CustomerCard
from sync.members.consent import PURPOSES, Consent, Purpose, text
from sync.members.errors import MemberError
from sync.members.register import AFTER_VISIT_S, DAY_S, LONGEST_S, Register, Vectors
from sync.members.vault import Bound, Vault

NOW = 1_780_000_000.0
MODEL = "face-reidentification-retail-0095"


def vectors(seed: int = 1, count: int = 3, size: int = 8) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)
    unit: Vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def agreed(
    member: str = "M-0417",
    purpose: Purpose = "recognition",
    *,
    time: float = NOW,
    act: str = "given",
    adult: bool = True,
    stores: tuple[str, ...] = (),
) -> Consent:
    shown = text(purpose, "zh")
    return Consent.model_validate(
        {
            "member": member,
            "purpose": purpose,
            "act": act,
            "time": time,
            "version": shown.version,
            "digest": shown.digest,
            "language": "zh",
            "taken_by": "guide-7",
            "how": "tablet_code",
            "stores": stores,
            "adult": adult,
        }
    )


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with Register(tmp_path, "nanjing-road") as opened:
        yield opened


def enrol(register: Register, member: str = "M-0417", seed: int = 1) -> Vectors:
    register.record([agreed(member)])
    face = vectors(seed)
    register.enrol(member, MODEL, face, NOW + 1, "guide-7")
    return face


def test_rule_2_without_consent_there_is_no_template(register: Register) -> None:
    with pytest.raises(MemberError, match="has not agreed") as refused:
        register.enrol("M-0417", MODEL, vectors(), NOW, "guide-7")
    assert refused.value.code == "no_consent"
    assert register.gallery(MODEL, NOW).templates == []


def test_an_enrolled_member_comes_back_from_the_file_as_they_went_in(tmp_path: Path) -> None:
    with Register(tmp_path, "nanjing-road") as register:
        face = enrol(register)
    with Register(tmp_path, "nanjing-road") as again:
        (template,) = again.gallery(MODEL, NOW + 2).templates
    assert template.member == "M-0417"
    np.testing.assert_array_equal(template.vectors, face)


def test_rule_5_no_byte_of_an_embedding_is_readable_on_disk(tmp_path: Path) -> None:
    with Register(tmp_path, "nanjing-road") as register:
        face = enrol(register)
        register.erase("M-0417", NOW + 2, "guide-7", "c-1")
        enrol(register)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        for row in face:
            assert row.tobytes()[:8] not in content, path.name


def written(face: Vectors) -> Iterator[bytes]:
    """The first two numbers of every row, as one or another hand might write them."""
    for row in face:
        for kind in ("<f2", "<f4", ">f4", "<f8"):
            yield row[:4].astype(kind).tobytes()[:8]
        for shown in (f"{float(row[0])!r}"[:9], f"{row[0]:.6f}", row.astype("<f4").tobytes()[:8].hex()):
            yield shown.encode()
        yield b64encode(row.astype("<f4").tobytes())[:8]


def test_rule_5_no_template_is_readable_in_any_file_while_the_register_is_open(tmp_path: Path) -> None:
    # The log of the database still holds what the file itself no longer does.
    with Register(tmp_path, "nanjing-road") as register:
        face = enrol(register)
        register.seen("M-0417", NOW + 2)
        assert len(register.gallery(MODEL, NOW + 3).templates) == 1
        files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(content for content in files.values())
    found = [path.name for path, content in files.items() for part in written(face) if part in content]
    assert found == []


def test_rule_2_consent_to_one_purpose_is_no_consent_to_another(register: Register) -> None:
    register.record([agreed(purpose="profile")])
    assert register.allows("M-0417", "profile", NOW)
    assert not register.allows("M-0417", "recognition", NOW)


def test_rule_9_a_minor_is_refused(register: Register) -> None:
    with pytest.raises(MemberError, match="adults only") as refused:
        register.record([agreed(adult=False)])
    assert refused.value.code == "minor"
    assert register.consents("M-0417") == []


def test_rule_2_taking_consent_back_deletes_template_and_key_at_once(register: Register, tmp_path: Path) -> None:
    enrol(register)
    before = register.revision
    register.record([agreed(time=NOW + 5, act="withdrawn")])
    assert register.gallery(MODEL, NOW + 6).templates == []
    assert register.revision > before
    with sqlite3.connect(tmp_path / "gallery-keys.db") as keys:
        assert keys.execute("SELECT COUNT(*) FROM key").fetchone() == (0,)
    keys.close()


def test_a_consent_for_other_stores_is_none_here(register: Register) -> None:
    register.record([agreed(stores=("xujiahui",))])
    assert not register.allows("M-0417", "recognition", NOW)
    register.record([agreed(stores=("xujiahui", "nanjing-road"))])
    assert register.allows("M-0417", "recognition", NOW)


def test_rule_6_a_template_ends_twelve_months_after_the_last_visit_thirty_six_at_most(
    register: Register,
) -> None:
    enrol(register)
    assert register.gallery(MODEL, NOW + AFTER_VISIT_S - DAY_S).templates
    for month in range(6, 36, 6):
        register.seen("M-0417", NOW + month * 30.4 * DAY_S)
    assert register.gallery(MODEL, NOW + LONGEST_S - DAY_S).templates
    assert register.gallery(MODEL, NOW + LONGEST_S + DAY_S).left_out == {"M-0417": "expired"}
    assert register.expire(NOW + LONGEST_S + DAY_S) == ["M-0417"]
    assert register.enrolled() == 0


def test_a_template_not_visited_for_a_year_is_left_out(register: Register) -> None:
    enrol(register)
    assert register.gallery(MODEL, NOW + AFTER_VISIT_S + DAY_S).left_out == {"M-0417": "expired"}


def test_rule_6_a_template_of_another_model_is_left_out_and_says_so(register: Register) -> None:
    enrol(register)
    assert register.gallery("dlib-resnet-v1", NOW + 2).left_out == {"M-0417": "other_model"}


def test_a_clock_in_the_past_brings_nothing_back_to_life(register: Register) -> None:
    enrol(register)
    register.expire(NOW + AFTER_VISIT_S - DAY_S)
    with pytest.raises(MemberError, match="clock") as refused:
        register.gallery(MODEL, NOW)
    assert refused.value.code == "clock"


def test_one_changed_byte_of_a_sealed_template_is_refused_and_the_others_stay(register: Register) -> None:
    enrol(register)
    enrol(register, "M-0500", seed=2)
    with sqlite3.connect(register.path) as db:
        (sealed,) = db.execute("SELECT sealed FROM template WHERE member = 'M-0417'").fetchone()
        changed = bytes((*sealed[:20], sealed[20] ^ 1, *sealed[21:]))
        db.execute("UPDATE template SET sealed = ? WHERE member = 'M-0417'", (changed,))
    db.close()
    gallery = register.gallery(MODEL, NOW + 2)
    assert [template.member for template in gallery.templates] == ["M-0500"]
    assert gallery.left_out == {"M-0417": "altered"}


def test_rule_5_a_template_put_under_another_members_name_does_not_open(register: Register) -> None:
    enrol(register)
    enrol(register, "M-0500", seed=2)
    with sqlite3.connect(register.path) as db:
        rows = db.execute("SELECT member, key, sealed FROM template ORDER BY member").fetchall()
        for member, (_, key, sealed) in zip(("M-0500", "M-0417"), rows, strict=True):
            db.execute("UPDATE template SET key = ?, sealed = ? WHERE member = ?", (key, sealed, member))
    db.close()
    assert set(register.gallery(MODEL, NOW + 2).left_out.values()) == {"altered"}


def test_rule_7_a_backup_of_the_register_is_unreadable_once_the_member_was_erased(tmp_path: Path) -> None:
    with Register(tmp_path / "box", "nanjing-road") as register:
        enrol(register)
    backup = (tmp_path / "box/members.db").read_bytes()
    with Register(tmp_path / "box", "nanjing-road") as register:
        assert register.erase("M-0417", NOW + 9, "head-office", "c-1").templates == 1
    (tmp_path / "box/members.db").write_bytes(backup)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"box/members.db{suffix}").unlink(missing_ok=True)
    with Register(tmp_path / "box", "nanjing-road") as restored:
        assert restored.gallery(MODEL, NOW + 10).left_out == {"M-0417": "erased"}


def test_rule_7_erasing_twice_is_harmless_and_leaves_a_tombstone_until_a_new_consent(register: Register) -> None:
    enrol(register)
    register.record([agreed(purpose="profile")])
    assert register.erase("M-0417", NOW + 9, "head-office", "c-1").templates == 1
    assert register.erase("M-0417", NOW + 10, "head-office", "c-1").templates == 0
    assert register.tombstone("M-0417") == NOW + 10
    assert not any(register.allows("M-0417", purpose, NOW + 11) for purpose in PURPOSES)
    register.record([agreed(time=NOW + 20)])
    assert register.tombstone("M-0417") is None


def test_a_card_is_kept_encrypted_for_a_while_with_consent_only(register: Register, tmp_path: Path) -> None:
    card = CustomerCard(member="M-0417", salutation="王女士", likes=("rose gold",))
    with pytest.raises(MemberError, match="not agreed to a profile"):
        register.keep_card(card, NOW)
    register.record([agreed(purpose="profile")])
    register.keep_card(card, NOW + 1, days=2)
    assert register.card("M-0417", NOW + DAY_S) == card
    assert register.card("M-0417", NOW + 3 * DAY_S) is None
    for path in tmp_path.iterdir():
        assert "王女士".encode() not in path.read_bytes()
    register.record([agreed(purpose="profile", time=NOW + 5, act="withdrawn")])
    assert register.card("M-0417", NOW + 6) is None


def test_rule_3_an_rfid_card_tells_its_member_until_they_are_erased(register: Register) -> None:
    register.bind_card("e28011700000020a7f1b2c3d", "M-0417", NOW, "guide-7")
    assert register.member_of_card("E28011700000020A7F1B2C3D") == "M-0417"
    assert register.member_of_card("E28011700000020A7F1B2C3E") is None
    register.erase("M-0417", NOW + 1, "head-office", "c-1")
    assert register.member_of_card("E28011700000020A7F1B2C3D") is None


def test_an_erased_member_does_not_come_back_by_a_card(register: Register) -> None:
    register.record([agreed(purpose="profile")])
    register.erase("M-0417", NOW + 1, "head-office", "c-1")
    with pytest.raises(MemberError, match="was erased"):
        register.keep_card(CustomerCard(member="M-0417"), NOW + 2)


def test_rule_12_every_look_is_kept_and_the_member_can_have_the_list(register: Register) -> None:
    enrol(register)
    register.look("M-0417", "guide-7", "viewed", NOW + 3)
    assert [entry.body["what"] for entry in register.looks("M-0417")] == ["enrolled", "viewed"]
    assert register.looks("M-0500") == []


def test_rule_12_a_look_cannot_be_changed_or_deleted_and_an_edited_file_is_found(register: Register) -> None:
    enrol(register)
    register.look("M-0417", "guide-7", "viewed", NOW + 3)
    with sqlite3.connect(register.path) as db:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("UPDATE ledger SET body = '{}' WHERE seq = 1")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("DELETE FROM ledger WHERE book = 'access'")
        assert register.verify() is None
        db.execute("DROP TRIGGER ledger_fixed")
        db.execute("UPDATE ledger SET body = replace(body, 'guide-7', 'guide-8') WHERE seq = 2")
    db.close()
    assert register.verify() == 2


def test_rule_13_looks_are_dropped_after_three_years_and_the_rest_still_verifies(register: Register) -> None:
    enrol(register)
    register.look("M-0417", "guide-7", "viewed", NOW + 3)
    later = NOW + 4 * 366 * DAY_S
    register.look("M-0500", "guide-7", "viewed", later)
    register.expire(later)
    assert [entry.body["what"] for entry in register.looks("M-0417")] == ["expired"]
    assert len(register.consents("M-0417")) == 1
    assert register.verify() is None


def test_consents_are_told_to_the_centre_once_also_when_the_telling_is_cut_off(register: Register) -> None:
    register.record([agreed(purpose="profile"), agreed()])
    first = register.untold()
    assert [event.data.purpose for _, event in first if isinstance(event.data, ConsentGiven)] == [
        "profile",
        "recognition",
    ]
    assert [event.id for _, event in register.untold()] == [event.id for _, event in first]
    register.told(first[-1][0])
    assert register.untold() == []
    register.record([agreed(act="withdrawn", time=NOW + 3)])
    assert len(register.untold()) == 1


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with Register(tmp_path, "nanjing-road") as register:
        enrol(register)
    (tmp_path / "gallery-keys.db").chmod(0o644)
    with pytest.raises(MemberError, match="open to others") as refused, Register(tmp_path, "nanjing-road"):
        pass
    assert "chmod 600" in refused.value.fix


def test_the_files_of_another_store_are_refused(tmp_path: Path) -> None:
    with Register(tmp_path, "nanjing-road"):
        pass
    with pytest.raises(MemberError, match="belongs to store nanjing-road"), Register(tmp_path, "xujiahui"):
        pass


def test_a_member_enrolled_anew_has_one_template_and_the_old_key_is_gone(register: Register, tmp_path: Path) -> None:
    enrol(register)
    face = vectors(5)
    register.enrol("M-0417", MODEL, face, NOW + 8, "guide-7")
    (template,) = register.gallery(MODEL, NOW + 9).templates
    np.testing.assert_array_equal(template.vectors, face)
    with sqlite3.connect(tmp_path / "gallery-keys.db") as keys:
        assert keys.execute("SELECT COUNT(*) FROM key").fetchone() == (1,)
    keys.close()


@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["M-0001", "M-0002"]), st.sampled_from(PURPOSES), st.sampled_from(["given", "withdrawn"])
        ),
        max_size=12,
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_word_of_a_member_on_a_purpose_counts(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, Purpose, str]]
) -> None:
    last: dict[tuple[str, str], str] = {}
    with Register(tmp_path_factory.mktemp("register"), "nanjing-road") as register:
        for number, (member, purpose, act) in enumerate(acts):
            register.record([agreed(member, purpose, time=NOW + number, act=act)])
            last[member, purpose] = act
        for member in ("M-0001", "M-0002"):
            for purpose in PURPOSES:
                assert register.allows(member, purpose, NOW + 99) == (last.get((member, purpose)) == "given")
        assert register.verify() is None


@given(part=st.sampled_from(["store", "member", "model", "key"]), plain=st.binary(min_size=1, max_size=200))
@settings(max_examples=20, deadline=None)
def test_a_seal_opens_only_for_what_it_is_bound_to(
    tmp_path_factory: pytest.TempPathFactory, part: str, plain: bytes
) -> None:
    with Vault(tmp_path_factory.mktemp("vault") / "keys.db") as vault:
        bound = Bound("s", "M-0001", "m", vault.new_key(NOW))
        sealed = vault.seal(plain, bound)
        assert vault.open(sealed, bound) == plain
        other = {"store": "t", "member": "M-0002", "model": "n", "key": vault.new_key(NOW)}
        fields = {name: getattr(bound, name) for name in ("store", "member", "model", "key")}
        with pytest.raises(MemberError):
            vault.open(sealed, Bound(**{**fields, part: other[part]}))
