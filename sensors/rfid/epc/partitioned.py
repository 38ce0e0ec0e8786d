"""The schemes with a company prefix: SGTIN-96/198, SSCC-96, SGLN-96, GRAI-96, GIAI-96, both ways."""

from sensors.rfid.epc.identity import Identity, check_digit, escaped
from sensors.rfid.epc.tables import COMPANY, SERIAL_CHARACTERS, Partitioned


def read(value: int, scheme: Partitioned) -> Identity | str:
    """The identity in the ``scheme.bits`` bits of ``value``, or why there is none."""
    left = scheme.bits - 14
    partition = value >> left & 7
    if partition == 7:
        return "partition 7 is none"
    company_bits, company_digits = COMPANY[partition]
    left -= company_bits
    company = value >> left & (1 << company_bits) - 1
    reference_bits = scheme.shared - company_bits
    left -= reference_bits
    reference = value >> left & (1 << reference_bits) - 1
    if company >= 10**company_digits:
        return f"company prefix of more than {company_digits} digits"
    reference_digits = scheme.digits - company_digits if scheme.digits else 0
    if scheme.digits and reference >= 10**reference_digits:
        return f"reference of more than {reference_digits} digits"
    left -= scheme.serial
    code = value >> left & (1 << scheme.serial) - 1
    serial = _text(code) if scheme.text else str(code)
    if not serial:
        return "its serial has characters that no serial may have, or none"
    if not scheme.text and value & (1 << left) - 1:
        return "bits are set where the standard wants zeros"
    prefix = f"{company:0{company_digits}d}"
    if scheme.digits:
        item = f"{reference:0{reference_digits}d}" if reference_digits else ""
    else:
        item = str(reference)
    keys, uri = _written(scheme.family, prefix, item, serial)
    return Identity(scheme.name, keys, uri, value >> scheme.bits - 11 & 7, company_digits)


def _written(family: str, prefix: str, item: str, serial: str) -> tuple[tuple[tuple[str, str], ...], str]:
    urn = f"urn:epc:id:{family}:{prefix}.{item}"
    match family:
        case "sgtin":
            digits = item[0] + prefix + item[1:]
            return (("01", digits + check_digit(digits)), ("21", serial)), f"{urn}.{escaped(serial)}"
        case "sscc":
            digits = item[0] + prefix + item[1:]
            return (("00", digits + check_digit(digits)),), urn
        case "sgln":
            key = (("414", prefix + item + check_digit(prefix + item)),)
            # The extension 0 says that there is none (TDS 6.3.3).
            return (key if serial == "0" else (*key, ("254", serial))), f"{urn}.{serial}"
        case "grai":
            return (("8003", "0" + prefix + item + check_digit(prefix + item) + serial),), f"{urn}.{serial}"
        case _:
            return (("8004", prefix + item),), urn


def write(identity: Identity, header: int, scheme: Partitioned) -> int:
    """The bits of ``identity``. Raises ``ValueError`` where the scheme cannot hold it."""
    partition = next((n for n, (_, digits) in enumerate(COMPANY) if digits == identity.company_digits), None)
    if partition is None:
        raise ValueError(f"a company prefix has 6 to 12 digits, not {identity.company_digits}")
    company_bits, company_digits = COMPANY[partition]
    prefix, item, serial = _taken_apart(scheme.family, identity, company_digits)
    reference_bits = scheme.shared - company_bits
    reference = int(item or "0")
    if not scheme.digits and str(reference) != item:
        raise ValueError(f"{scheme.name} holds no reference like {item!r}")
    code = _code(serial) if scheme.text else int(serial)
    if not scheme.text and str(code) != serial:
        raise ValueError(f"{scheme.name} holds no serial like {serial!r}")
    value = (header << 3 | identity.filter) << 3 | partition
    for number, bits in ((int(prefix), company_bits), (reference, reference_bits), (code, scheme.serial)):
        if number >> bits:
            raise ValueError(f"{scheme.name} holds {bits} bits, too few for {number}")
        value = value << bits | number
    return value << scheme.bits - 14 - scheme.shared - scheme.serial


def _taken_apart(family: str, identity: Identity, company_digits: int) -> tuple[str, str, str]:
    key = identity.keys[0][1]
    match family:
        case "sgtin" | "sscc":
            serial = identity.keys[1][1] if family == "sgtin" else "0"
            return key[1 : 1 + company_digits], key[0] + key[1 + company_digits : -1], serial
        case "sgln":
            serial = identity.keys[1][1] if len(identity.keys) > 1 else "0"
            return key[:company_digits], key[company_digits:-1], serial
        case "grai":
            return key[1 : 1 + company_digits], key[1 + company_digits : 13], key[14:]
        case _:
            return key[:company_digits], key[company_digits:], "0"


def _text(code: int) -> str:
    """Twenty 7-bit characters, the unused ones at the end zero; empty if that is not what is there."""
    characters = "".join(chr(code >> shift & 0x7F) for shift in range(133, -1, -7)).rstrip("\0")
    return characters if SERIAL_CHARACTERS.issuperset(characters) else ""


def _code(text: str) -> int:
    if not 1 <= len(text) <= 20 or not SERIAL_CHARACTERS.issuperset(text):
        raise ValueError(f"{text!r} is no serial of 1 to 20 characters")
    code = 0
    for character in text:
        code = code << 7 | ord(character)
    return code << 7 * (20 - len(text))
