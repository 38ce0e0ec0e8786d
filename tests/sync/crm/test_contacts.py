import pytest
from sqlalchemy import Engine

from sync.crm import contacts, merges
from sync.crm.contacts import Contact, Shared
from sync.store.database import reading, writing
from tests.sync.crm.making import NOW, known


@pytest.mark.parametrize(
    "text",
    [
        "13812345678",
        "138 1234 5678",
        "+86 138-1234-5678",
        "0086 13812345678",
        "１３８１２３４５６７８",
        "13812345678.0",
    ],
)
def test_one_phone_has_one_spelling_however_it_is_written(text: str) -> None:
    assert contacts.phone(text) == Contact("phone", "+8613812345678")


def test_phones_of_other_countries_are_known() -> None:
    assert contacts.phone("+44 20 7946 0958").value == "+442079460958"
    assert contacts.phone("020 7946 0958", "GB").value == "+442079460958"


@pytest.mark.parametrize("text", ["", "12345", "call me", "+86 1", "138123456789012345"])
def test_what_is_no_phone_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="phone number") as refused:
        contacts.phone(text)
    assert not text or text not in str(refused.value)


def test_a_mail_address_is_found_whatever_its_capitals() -> None:
    assert contacts.mail(" Wang.Fang@Example.COM ").value == "wang.fang@example.com"


@pytest.mark.parametrize("text", ["", "a@b", "a b@example.com", "a@@example.com", "<a@example.com>", "@example.com"])
def test_what_is_no_mail_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        contacts.mail(text)


def test_two_customers_with_one_phone_are_both_in_and_reported_until_they_are_merged(engine: Engine) -> None:
    phone = contacts.phone("13812345678")
    with writing(engine) as connection:
        one, two = known(connection, "1"), known(connection, "2")
        contacts.put(connection, one, [phone], NOW)
        contacts.put(connection, two, [phone, contacts.mail("two@example.com")], NOW)
        contacts.put(connection, two, [phone], NOW)
    with reading(engine) as connection:
        assert contacts.find(connection, phone) == sorted([one, two])
        assert contacts.shared(connection) == [Shared(phone, tuple(sorted([one, two])))]
        assert contacts.shared(connection, after=phone) == []
    with writing(engine) as connection:
        merges.merge(connection, two, one, NOW, "manager")
    with reading(engine) as connection:
        assert contacts.find(connection, phone) == [one]
        assert contacts.shared(connection) == []
