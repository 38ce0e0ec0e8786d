"""What an EPC identifies, and the three ways to write it down: element string, EPC URI, GS1 Digital Link."""

from dataclasses import dataclass
from urllib.parse import quote

from sensors.rfid.epc.tables import ESCAPED


@dataclass(frozen=True, slots=True)
class Identity:
    """A GS1 key: ``keys`` are pairs of application identifier and value, the identifying ones first.

    ``company_digits`` is the length of the company prefix, 0 where the scheme does not tell it (the plus schemes).
    ``uri`` is the pure identity, e.g. ``urn:epc:id:sgtin:0614141.812345.6789``; empty where it takes that length.
    """

    scheme: str
    keys: tuple[tuple[str, str], ...]
    uri: str
    filter: int
    company_digits: int

    @property
    def gtin(self) -> str | None:
        """The product, 14 digits with a correct check digit."""
        return next((value for key, value in self.keys if key == "01"), None)

    @property
    def serial(self) -> str | None:
        """Of this one piece, for an SGTIN."""
        return next((value for key, value in self.keys if key == "21"), None)

    @property
    def element_string(self) -> str:
        """As printed beside a bar code, e.g. ``(01)80614141123458(21)6789``."""
        return "".join(f"({key}){value}" for key, value in self.keys)

    @property
    def digital_link_path(self) -> str:
        """Path and query of the GS1 Digital Link (1.1): key and qualifiers in the path, dates in the query."""
        path = "".join(f"/{key}/{quote(value, safe='')}" for key, value in self.keys if not _is_date(key))
        query = "&".join(f"{key}={value}" for key, value in self.keys if _is_date(key))
        return f"{path}?{query}" if query else path

    def digital_link(self, domain: str = "https://id.gs1.org") -> str:
        """The Digital Link below ``domain``."""
        return domain.rstrip("/") + self.digital_link_path


@dataclass(frozen=True, slots=True)
class Unidentified:
    """An EPC that names nothing here: ``scheme`` as far as its header tells, and ``reason`` in plain words."""

    scheme: str
    reason: str


def _is_date(key: str) -> bool:
    return key in ("11", "13", "15", "16", "17", "7006", "7007")


def check_digit(digits: str) -> str:
    """Of the digits before it (GS1 General Specifications, 7.9): weights 3 and 1 from the right."""
    total = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-total % 10)


def escaped(text: str) -> str:
    """``text`` as an EPC URI has it."""
    return text if text.isalnum() else "".join(ESCAPED.get(character, character) for character in text)
