"""The rule that tells members from strangers: its invariants, and that it keeps nothing of a stranger."""

import dataclasses
import gc
import sys
import weakref
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.decoys import Population, decoys
from models.errors import ModelError
from models.gallery import Gallery, template
from models.rule import MatchRule
from models.visit import VisitFace

Vectors = npt.NDArray[np.float32]
RULE = MatchRule(ratio=0.75, cap=0.9, jump=1.1, decoys=3, measured="made up")
SIZE = 16


def unit(rows: npt.NDArray[Any]) -> Vectors:
    scaled: Vectors = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


@dataclasses.dataclass
class Case:
    """Members, decoys and a face that is near to one of them, near to two, or to nobody."""

    members: dict[str, Vectors]
    decoys: Vectors
    probe: Vectors


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 8))
    members = {f"m{k}": unit(rng.normal(size=(draw(st.integers(1, 3)), SIZE))) for k in range(count)}
    if draw(st.booleans()):
        members["twin"] = unit(members["m0"][:1] + 0.1 * rng.normal(size=(1, SIZE)))
    noise = draw(st.floats(0.0, 0.6))
    probe = unit(members["m0"][0] + noise * rng.normal(size=SIZE))
    return Case(members, unit(rng.normal(size=(draw(st.integers(3, 20)), SIZE))), probe)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_another_decoy_never_turns_a_rejection_into_a_match(case: Case, seed: int, near: float) -> None:
    rng = np.random.default_rng(seed)
    extra = unit((1 - near) * rng.normal(size=SIZE) + near * 4 * case.probe)
    before = Gallery(case.members, RULE, case.decoys).decide(case.probe)
    after = Gallery(case.members, RULE, np.concatenate([case.decoys, extra[None]])).decide(case.probe)
    if before.outcome == "nothing":
        assert after.outcome == "nothing"
    assert after.ratio >= before.ratio - 1e-6 or after.member is None


@settings(max_examples=40, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_members_and_decoys_decides_nothing(case: Case, random: Random) -> None:
    names = list(case.members)
    random.shuffle(names)
    other = Gallery({name: case.members[name] for name in names}, RULE, case.decoys[::-1])
    here, there = Gallery(case.members, RULE, case.decoys).decide(case.probe), other.decide(case.probe)
    assert (here.outcome, here.member, here.runner_up) == (there.outcome, there.member, there.runner_up)
    assert here.distance == pytest.approx(there.distance, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 40))
def test_taps_of_wrong_person_never_make_a_match(case: Case, taps: int) -> None:
    before = Gallery(case.members, RULE, case.decoys).decide(case.probe)
    after = Gallery(case.members, RULE, case.decoys, {name: taps for name in case.members}).decide(case.probe)
    if before.outcome == "nothing":
        assert after.outcome == "nothing"
    if after.outcome == "match":
        assert before.member == after.member


@settings(max_examples=40, deadline=None)
@given(cases(), st.floats(0.3, 0.74), st.floats(0.2, 0.89))
def test_a_stricter_rule_accepts_no_more(case: Case, ratio: float, cap: float) -> None:
    strict = dataclasses.replace(RULE, ratio=ratio, cap=cap)
    before = Gallery(case.members, RULE, case.decoys).decide(case.probe)
    after = Gallery(case.members, strict, case.decoys).decide(case.probe)
    if after.outcome == "match":
        assert before.outcome == "match"
        assert before.member == after.member


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 2**32 - 1))
def test_turning_the_whole_space_changes_no_decision(case: Case, seed: int) -> None:
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(SIZE, SIZE)))[0].astype(np.float32)
    here = Gallery(case.members, RULE, case.decoys).decide(case.probe)
    assume(abs(here.ratio - RULE.ratio) > 1e-3 and abs(here.distance - RULE.cap) > 1e-3)
    members = {name: unit(rows @ turn) for name, rows in case.members.items()}
    there = Gallery(members, RULE, unit(case.decoys @ turn)).decide(unit(case.probe @ turn))
    assert there.distance == pytest.approx(here.distance, abs=2e-3)
    assert there.ratio == pytest.approx(here.ratio, abs=2e-2) or here.distance < 1e-2


def test_a_face_between_two_members_and_far_from_others_names_both() -> None:
    rng = np.random.default_rng(5)
    first = unit(rng.normal(size=64))
    second = unit(first + 0.05 * rng.normal(size=64))
    crowd = unit(rng.normal(size=(100, 64)))
    said = Gallery({"ann": first, "bea": second}, RULE, crowd).decide(unit(0.5 * first + 0.5 * second))
    assert said.outcome == "ambiguous"
    assert {said.member, said.runner_up} == {"ann", "bea"}


@settings(max_examples=40, deadline=None)
@given(cases(), st.floats(1, 2))
def test_whoever_is_far_from_every_member_would_not_be_named(case: Case, caps: float) -> None:
    gallery = Gallery(case.members, RULE, case.decoys)
    nearest = min(float(np.linalg.norm(rows - case.probe, axis=1).min()) for rows in case.members.values())
    if gallery.far(case.probe, caps):
        assert gallery.decide(case.probe).outcome == "nothing"
        assert nearest > caps * RULE.cap - 1e-3
    else:
        # Only decoys that are nearer than the cap hide how far a member is.
        assert nearest <= caps * RULE.cap + 1e-3 or gallery.decide(case.probe).outcome == "nothing"


def test_nobody_is_named_when_a_stranger_resembles_a_member() -> None:
    rng = np.random.default_rng(6)
    member, crowd = unit(rng.normal(size=64)), unit(rng.normal(size=(100, 64)))
    said = Gallery({"ann": member}, RULE, crowd).decide(unit(member + 0.2 * rng.normal(size=64)))
    assert (said.outcome, said.member, said.runner_up) == ("nothing", None, None)


def test_a_gallery_without_members_says_nothing() -> None:
    crowd = unit(np.random.default_rng(7).normal(size=(100, 64)))
    said = Gallery({}, RULE, crowd).decide(crowd[0])
    assert said.outcome == "nothing"


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_bounds_of_a_large_gallery_find_the_same_as_the_whole_product(seed: int, isotropic: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.normal(size=(3000, 256))) if isotropic else POPULATION.draw(3000, seed % 1000)
    gallery = Gallery({str(k): row for k, row in enumerate(rows)}, RULE, POPULATION.draw(100, 1))
    probe = unit(rows[seed % 3000] + rng.uniform(0, 0.1) * rng.normal(size=256))
    said = gallery.decide(probe)
    distances = np.sort(np.linalg.norm(np.concatenate([rows, POPULATION.draw(100, 1)]) - probe, axis=1))
    assert said.distance == pytest.approx(distances[0], abs=1e-3)
    assert said.second == pytest.approx(distances[1], abs=1e-3)


POPULATION = Population.shipped("face-reidentification-retail-0095")


def test_somebody_who_is_enrolled_already_is_noticed() -> None:
    rng = np.random.default_rng(8)
    members = {name: unit(rng.normal(size=64)) for name in ("ann", "bea", "cem")}
    gallery = Gallery(members, RULE, unit(rng.normal(size=(10, 64))))
    assert gallery.near(unit(members["bea"] + 0.05 * rng.normal(size=64))) == ["bea"]
    assert gallery.near(unit(rng.normal(size=64))) == []


def test_a_template_is_made_of_three_pictures_at_least() -> None:
    rows = unit(np.random.default_rng(9).normal(size=(3, 8)))
    assert np.linalg.norm(template(rows)) == pytest.approx(1, abs=1e-6)
    with pytest.raises(ModelError, match="too few"):
        template(rows[:2])
    with pytest.raises(ModelError, match="unit length"):
        template(rows * 2)


@pytest.mark.parametrize("bad", [np.zeros(SIZE), np.full(SIZE, np.nan), np.ones(SIZE + 1), np.ones((2, SIZE))])
def test_a_vector_of_another_encoder_is_refused(bad: npt.NDArray[np.float64]) -> None:
    crowd = unit(np.random.default_rng(1).normal(size=(3, SIZE)))
    with pytest.raises(ModelError, match="does not belong"):
        Gallery({"ann": crowd[0]}, RULE, crowd).decide(bad.astype(np.float32))


def test_a_gallery_without_its_decoys_is_refused() -> None:
    with pytest.raises(ModelError, match="fewer than"):
        Gallery({"ann": unit(np.ones(SIZE))}, RULE, np.empty((0, SIZE), np.float32))


def test_decoys_are_nobody_alike_and_the_same_each_time() -> None:
    for encoder in ("face-reidentification-retail-0095", "dlib-resnet-v1"):
        drawn = decoys(encoder)
        assert drawn.shape[0] == 100
        assert np.abs(np.linalg.norm(drawn, axis=1) - 1).max() < 1e-5
        assert (decoys(encoder) == drawn).all()
        assert (decoys(encoder, seed=1) != drawn).any()
    with pytest.raises(ModelError, match="no decoys ship"):
        decoys("somebody-elses")


def test_a_face_that_matches_nobody_is_not_kept_by_the_gallery() -> None:
    rng = np.random.default_rng(10)
    gallery = Gallery({"ann": unit(rng.normal(size=64))}, RULE, unit(rng.normal(size=(100, 64))))
    probe = unit(rng.normal(size=64))
    references, watch = sys.getrefcount(probe), weakref.ref(probe)
    assert gallery.decide(probe).outcome == "nothing"
    assert sys.getrefcount(probe) == references
    content = probe.tobytes()
    del probe
    assert watch() is None
    gc.collect()
    assert content not in b"".join(item.tobytes() for item in gc.get_objects() if type(item) is np.ndarray)
    assert all(
        content not in np.asarray(value).tobytes() for value in vars(gallery).values() if hasattr(value, "shape")
    )


def test_the_mean_of_a_visit_starts_again_when_another_face_appears() -> None:
    rng = np.random.default_rng(11)
    ann, bea = unit(rng.normal(size=(2, 64)))
    visit = VisitFace(jump=1.1)
    for _ in range(3):
        assert not visit.add(unit(ann + 0.03 * rng.normal(size=64)))
    assert visit.add(bea)
    assert len(visit) == 1
    assert np.linalg.norm(visit.probe - bea) < 1e-3


def test_a_visit_is_the_mean_of_its_last_frames_and_is_overwritten_when_forgotten() -> None:
    rng = np.random.default_rng(12)
    ann = unit(rng.normal(size=64))
    visit = VisitFace(jump=1.1, frames=5)
    rows = [unit(ann + 0.05 * rng.normal(size=64)) for _ in range(7)]
    for row in rows:
        visit.add(row)
    assert len(visit) == 5
    assert np.linalg.norm(visit.probe - unit(np.mean(rows[2:], axis=0))) < 1e-3
    held = list(visit._rows)
    visit.forget()
    assert all(not row.any() for row in held)
    with pytest.raises(ModelError, match="no face yet"):
        _ = visit.probe
