from typing import Any

import pytest
from pydantic import ValidationError

from edge.processors.recognition_config import RecognitionConfig

SPOT = {"camera": "door", "polygon": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.9]]}
SIGNED: dict[str, Any] = {
    "jurisdiction": "Singapore",
    "legal_basis": "consent of members; deletion of all others within 500 ms",
    "dpia": "DPIA-2026-03",
    "signage_confirmed": True,
    "signed_by": "Lin Wei, data protection officer",
    "date": "2026-11-20",
}
ENTRANCE: dict[str, Any] = {
    "mode": "entrance",
    "profile": "other",
    "attestation": SIGNED,
    "cameras": ["door"],
    "site_check": "check.json",
}
OVERRIDE = {"reason": "approved by the works council on 2 November", "signed_by": "Lin Wei, DPO", "date": "2026-11-20"}


def test_rule_1_recognition_is_off_by_default_and_watches_no_camera() -> None:
    assert RecognitionConfig().mode == "off"
    assert RecognitionConfig().watched == frozenset()


def test_rule_1_a_check_in_needs_its_marked_spot() -> None:
    with pytest.raises(ValidationError, match="needs spots"):
        RecognitionConfig.model_validate({"mode": "check_in", "profile": "eu"})
    checked = RecognitionConfig.model_validate({"mode": "check_in", "profile": "eu", "spots": [SPOT]})
    assert checked.watched == {"door"}


def test_rule_1_entrance_starts_with_a_whole_attestation_only() -> None:
    assert RecognitionConfig.model_validate(ENTRANCE).watched == {"door"}
    with pytest.raises(ValidationError, match="starts only with an attestation"):
        RecognitionConfig.model_validate({**ENTRANCE, "attestation": None})
    for name in SIGNED:
        with pytest.raises(ValidationError, match=name):
            RecognitionConfig.model_validate(
                {**ENTRANCE, "attestation": {key: value for key, value in SIGNED.items() if key != name}}
            )
    with pytest.raises(ValidationError, match="signage_confirmed"):
        RecognitionConfig.model_validate({**ENTRANCE, "attestation": {**SIGNED, "signage_confirmed": False}})


@pytest.mark.parametrize("profile", ["eu", "uk", "cn"])
def test_rule_1_eu_uk_and_cn_refuse_entrance_without_an_override(profile: str) -> None:
    with pytest.raises(ValidationError, match=f"profile {profile} refuses mode entrance"):
        RecognitionConfig.model_validate({**ENTRANCE, "profile": profile})
    RecognitionConfig.model_validate({**ENTRANCE, "profile": profile, "override": OVERRIDE})
    with pytest.raises(ValidationError, match="reason"):
        RecognitionConfig.model_validate({**ENTRANCE, "profile": profile, "override": {**OVERRIDE, "reason": "ok"}})


def test_entrance_needs_the_false_alert_rate_that_was_measured_here() -> None:
    with pytest.raises(ValidationError, match="needs site_check"):
        RecognitionConfig.model_validate({**ENTRANCE, "site_check": None})


def test_a_mode_without_a_profile_says_which_there_are() -> None:
    with pytest.raises(ValidationError, match="eu, uk, cn or other"):
        RecognitionConfig.model_validate({"mode": "check_in", "spots": [SPOT]})
