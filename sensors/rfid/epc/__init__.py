"""What an EPC says, by the GS1 EPC Tag Data Standard: ``identify`` names everything, ``decode`` gives products only.

SGTIN-96/198, SGTIN+, DSGTIN+ and their ++ forms, SSCC-96, SGLN-96, GRAI-96 and GIAI-96. Any other header is named,
never guessed at: such tags are tags all the same, without a product.
"""

from functools import lru_cache

from sensors.rfid.epc import partitioned, plus
from sensors.rfid.epc.identity import Identity, Unidentified
from sensors.rfid.epc.tables import NAMED, PARTITIONED, PLUS

__all__ = ["Identity", "Unidentified", "decode", "encode", "identify", "is_blank"]


@lru_cache(maxsize=65536)
def identify(epc: str) -> Identity | Unidentified:
    """What ``epc`` (hex, as a reader reports it) identifies, or what it is instead. Never raises."""
    try:
        # The standard prints EPCs of variable length in half bytes; what follows is zero.
        raw = bytes.fromhex(epc if len(epc) % 2 == 0 else epc + "0")
    except ValueError:
        return Unidentified("none", "not hexadecimal")
    if not raw:
        return Unidentified("none", "empty: the tag holds no EPC")
    if not any(raw):
        return Unidentified("all zeros", "a tag that was never written, or a failed read")
    header, value = raw[0], int.from_bytes(raw, "big")
    found: Identity | str
    if (scheme := PARTITIONED.get(header)) is not None:
        name = scheme.name
        # 198 bits come as 25 bytes, or as the 13 words of memory that they take.
        if not 0 <= len(raw) * 8 - scheme.bits < 16 or (scheme.bits == 96 and len(raw) != 12):
            return Unidentified(name, f"{len(raw)} bytes do not hold {scheme.bits} bits")
        found = partitioned.read(value >> len(raw) * 8 - scheme.bits, scheme)
    elif (longer := PLUS.get(header)) is not None:
        name = longer.name
        found = plus.read(value, len(raw) * 8, longer)
    elif header in NAMED:
        return Unidentified(NAMED[header], "named, not taken apart")
    elif header == 0:
        return Unidentified("unprogrammed", "its header is 00, of a tag that was not written")
    else:
        return Unidentified(f"unknown header {header:02X}", "the standard assigns it to no scheme known here")
    return Unidentified(name, found) if isinstance(found, str) else found


def decode(epc: str) -> Identity | None:
    """The product item (one with a GTIN) in ``epc``, or ``None`` if it holds none or an invalid one."""
    found = identify(epc)
    return found if isinstance(found, Identity) and found.gtin is not None else None


def is_blank(epc: str) -> bool:
    """Whether it is all zeros: many tags share that, so that nobody can tell which item was seen."""
    return not epc.strip("0")


def encode(identity: Identity) -> str:
    """The EPC (upper-case hex, in whole 16-bit words as tags store it) that holds ``identity`` in its scheme.

    Raises ``ValueError`` where the scheme is not one that is written here, or cannot hold it.
    """
    if not 0 <= identity.filter <= 7:
        raise ValueError(f"a filter is 0 to 7, not {identity.filter}")
    for header, scheme in PARTITIONED.items():
        if scheme.name == identity.scheme:
            return _hex(partitioned.write(identity, header, scheme), scheme.bits)
    for header, longer in PLUS.items():
        if longer.name == identity.scheme:
            return _hex(*plus.write(identity, header, longer))
    raise ValueError(f"{identity.scheme} is not written here")


def _hex(value: int, bits: int) -> str:
    words = -(-bits // 16)
    return f"{value << words * 16 - bits:0{words * 4}X}"
