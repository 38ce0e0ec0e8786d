"""Single bits of the members' files turned over, all through both files: what is damaged is refused by name."""

import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from sync.members.errors import MemberError
from sync.members.register import Register, Vectors
from tests.dashboard.tablet_serving import sample_card
from tests.sync.members.test_register import MODEL, NOW, agreed, enrol

STRIDE = 19
"""Every 19th byte that is not zero, and some that are: prime, so that every column of a row has its turn."""
MEMBERS = ("M-0417", "M-0500", "M-0600")


@pytest.mark.parametrize("name", ["members.db", "gallery-keys.db"])
def test_a_turned_bit_anywhere_gives_no_wrong_template_and_no_error_without_a_name(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole"
    with Register(whole, "nanjing-road") as register:
        faces = {member: enrol(register, member, seed) for seed, member in enumerate(MEMBERS)}
        register.record([agreed("M-0417", "profile")])
        register.keep_card(sample_card("M-0417", date(2026, 6, 1)), NOW + 1)
        register.look("M-0417", "guide-7", "viewed", NOW + 2)
        card = register.card("M-0417", NOW + 3)
    content = (whole / name).read_bytes()
    places = [place for place, byte in enumerate(content) if byte or place % 512 == 0][::STRIDE]
    noticed = 0
    for place in places:
        box = tmp_path / "box"
        shutil.rmtree(box, ignore_errors=True)
        shutil.copytree(whole, box)
        turned = bytes((content[place] ^ (1 << place % 8),))
        (box / name).write_bytes(content[:place] + turned + content[place + 1 :])
        try:
            with Register(box, "nanjing-road") as register:
                noticed += register.verify() is not None
                noticed += _refused(lambda: _is_whole(register, faces))
                noticed += _refused(lambda: register.card("M-0417", NOW + 3) in (card, None) or pytest.fail("card"))
                noticed += _refused(lambda: register.consents("M-0417"))
                noticed += _refused(lambda: register.looks("M-0417"))
                noticed += _refused(register.untold)
                noticed += _refused(lambda: register.erase("M-0500", NOW + 4, "head-office", "command-1"))
        except MemberError:
            noticed += 1
    assert len(places) > 20
    assert noticed > len(places) / 8  # the rest of the bytes are free space, digests of indexes, and the like


def _refused(job: Callable[[], object]) -> bool:
    try:
        job()
    except MemberError:
        return True
    return False


def _is_whole(register: Register, faces: Mapping[str, Vectors]) -> None:
    """Every template that is given out is the one that went in."""
    for each in register.gallery(MODEL, NOW + 3).templates:
        assert np.array_equal(each.vectors, faces[each.member])


def test_a_consent_that_was_altered_is_none_any_more(tmp_path: Path) -> None:
    with Register(tmp_path, "nanjing-road") as register:
        register.record([agreed("M-0417", act="given"), agreed("M-0500")])
        register.record([agreed("M-0417", act="withdrawn")])
        assert not register.allows("M-0417", "recognition", NOW + 1)
    path = tmp_path / "members.db"
    content = path.read_bytes()
    # The withdrawal says "given" instead; nine letters each, so that the page stays as it is.
    assert content.count(b'"act":"withdrawn"') == 1
    path.write_bytes(content.replace(b'"act":"withdrawn"', b'"act":"given"    '))
    with Register(tmp_path, "nanjing-road") as register:
        assert not register.allows("M-0417", "recognition", NOW + 1)
        assert register.allows("M-0500", "recognition", NOW + 1)
        assert register.verify() is not None
        with pytest.raises(MemberError, match="was altered"):
            register.consents("M-0417")
        register.record([agreed("M-0417", time=NOW + 2)])
        assert register.allows("M-0417", "recognition", NOW + 3), "who agrees anew begins anew"
