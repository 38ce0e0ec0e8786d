from datetime import date

import pytest
from pydantic import ValidationError

from sync.members.cards import CustomerCard, next_occasion


def card(*occasions: tuple[str, int, int]) -> CustomerCard:
    return CustomerCard.model_validate(
        {
            "member": "M-0417",
            "occasions": [{"kind": kind, "month": month, "day": day} for kind, month, day in occasions],
        }
    )


def test_the_nearest_occasion_is_shown_also_over_the_turn_of_the_year() -> None:
    both = card(("birthday", 6, 1), ("anniversary", 1, 2))
    nearest = next_occasion(both, date(2026, 12, 27))
    assert nearest is not None
    assert (nearest[0].kind, nearest[1]) == ("anniversary", 6)


def test_a_birthday_on_29_february_is_kept_on_1_march_in_other_years() -> None:
    born = card(("birthday", 2, 29))
    assert next_occasion(born, date(2027, 2, 27)) == (born.occasions[0], 2)
    assert next_occasion(born, date(2028, 2, 27)) == (born.occasions[0], 2)


@pytest.mark.parametrize("field", ["phone", "address", "photo", "email"])
def test_a_card_cannot_hold_what_would_carry_a_customer_away(field: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        CustomerCard.model_validate({"member": "M-0417", field: "13800138000"})
