"""XML from strangers: no document type, so no entities; bounded in size; text cut and without control characters."""

from xml.etree import ElementTree

from sensors.errors import FormatError

LARGEST = 1 << 20
"""Bytes of a document that is read."""
_LONGEST_TEXT = 4096


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Entities are declared in a document type: who sends one is not answered (RFC 7303 has no need for it)."""
        raise FormatError("the answer declares a document type", "this is no ONVIF camera")


def parse(content: bytes) -> ElementTree.Element:
    """The root element. Raises ``FormatError``."""
    if len(content) > LARGEST:
        raise FormatError("the answer is too large", "this is no ONVIF camera")
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=_NoDoctype()))  # noqa: S314  # see above
    except (ElementTree.ParseError, ValueError, LookupError):
        raise FormatError("the answer is not XML", "this is no ONVIF camera") from None


def find_all(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Every element of this local name, whatever its namespace: cameras differ in their versions of them."""
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]


def text(root: ElementTree.Element, *path: str) -> str:
    """The text of the first element down this path of local names; empty where there is none."""
    for name in path:
        found = find_all(root, name)
        if not found:
            return ""
        root = found[0]
    return clean(root.text or "")


def clean(words: str) -> str:
    """For people and terminals: one line, printable, not too long."""
    return "".join(letter if letter.isprintable() else " " for letter in words[:_LONGEST_TEXT]).strip()
