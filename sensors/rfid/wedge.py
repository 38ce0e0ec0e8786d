"""Scanners that type: a line for each tag or bar code, from a pipe, a serial device, a file or standard input.

A line is an EPC in hex, or what a GS1 bar code says: ``(01)09521141123454(21)123``, the same as the scanner sends it
(``01…21…``, perhaps after a symbology identifier such as ``]d2``), or a GS1 Digital Link. Checked against the vectors
of the Tag Data Standard and through a pipe and a pseudo-terminal; no scanner has been tried.
"""

import os
import re
import select
import stat
import termios
import tty
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from sensors.errors import FormatError, SourceError
from sensors.readings import Silence, TagRead
from sensors.rfid.epc import Identity, encode
from sensors.rfid.epc.identity import check_digit
from sensors.rfid.heard import Heard, Timing, epc_of

_LONGEST: Final = 512
"""Bytes of a line: a Digital Link with a long domain is under 200."""
_WAKE: Final = 1.0
_CHUNK: Final = 4096
_BRACKETS: Final = re.compile(
    r"\(01\)([0-9]{14})(?:\([0-9]{2,4}\)[^()]*)*?\(21\)([^()]{1,20})(?:\([0-9]{2,4}\)[^()]*)*"
)
_PLAIN: Final = re.compile(r"(?:\][A-Za-z][0-9])?\x1d?01([0-9]{14})(?:1[1-7][0-9]{6})*21([^\x1d]{1,20})(?:\x1d.*)?")
"""Dates (11 to 17) have a fixed length and may stand between; what follows a serial does so behind a separator."""
_LINK: Final = re.compile(r"https?://[^?#]*/01/([0-9]{14})(?:/(?!21/)[0-9]{2}/[^/?#]+)*/21/([^/?#]{1,60})(?:[?#].*)?")

_PRODUCT: Final = re.compile(r"01([0-9]{14})")
"""A bar code of a product without a serial; no scheme of EPCs has the header 01."""
_SHORTEST: Final = 16
"""Hex digits, 64 bits: shorter is a bar code of digits only, such as a UPC of 12."""


def epc_of_line(line: str, company_digits: int | None = None, filter_value: int = 1) -> str:
    """The EPC (hex) that a scanned line names. Raises ``FormatError``.

    A bar code does not tell how long the company prefix in its GTIN is. With ``company_digits`` the EPC is an SGTIN-96
    (or SGTIN-198, where the serial asks for it), the same as on the tag of that piece when ``filter_value`` is the
    tag's, too; without, it is an SGTIN+.
    """
    text = line.strip(" \t\0")
    for form in (_BRACKETS, _PLAIN, _LINK):
        if (match := form.fullmatch(text)) is not None and check_digit(match[1][:-1]) == match[1][-1]:
            return _sgtin(match[1], unquote(match[2]) if form is _LINK else match[2], company_digits, filter_value)
    product = _PRODUCT.match(text)
    if len(text) < _SHORTEST or (product is not None and check_digit(product[1][:-1]) == product[1][-1]):
        raise FormatError("a scanned line names no single piece", "scan a GS1 bar code with (01) and (21)")
    return epc_of(text)


def _sgtin(gtin: str, serial: str, company_digits: int | None, filter_value: int) -> str:
    schemes = ("SGTIN-96", "SGTIN-198") if company_digits is not None else ("SGTIN+",)
    for scheme in schemes:
        try:
            return encode(Identity(scheme, (("01", gtin), ("21", serial)), "", filter_value, company_digits or 0))
        except ValueError:
            continue  # a serial that this scheme does not hold: the next one
    raise FormatError("a scanned serial is none that an EPC holds", "scan a GS1 bar code with (01) and (21)")


class WedgeSource:
    """The lines of the file at ``path``, ``-`` for standard input. ``dropped`` counts the lines that name no piece.

    A pipe (``mkfifo``) and a device are live; a file, and standard input, end.
    """

    def __init__(
        self,
        path: str,
        timing: Timing,
        *,
        antenna: int = 1,
        baud: int | None = None,
        company_digits: int | None = None,
        filter_value: int = 1,
    ) -> None:
        self._path = path
        self._timing = timing
        self._antenna = antenna
        self._baud = baud
        self._company_digits, self._filter = company_digits, filter_value
        self._file = -1
        self._ends = False
        self.dropped = 0

    def __enter__(self) -> Self:
        try:
            if self._path == "-":
                self._file, self._ends = os.dup(0), True
            else:
                kind = os.stat(self._path).st_mode  # noqa: PTH116  # beside os.open
                # A pipe that is open for writing, too, does not end when the scanner's program does.
                how = os.O_RDWR if stat.S_ISFIFO(kind) else os.O_RDONLY
                self._file = os.open(self._path, how | os.O_NONBLOCK | os.O_NOCTTY)
                self._ends = stat.S_ISREG(kind)
            if self._baud is not None and os.isatty(self._file):
                _set_line(self._file, self._baud)
        except (OSError, termios.error) as error:
            self._close()
            said = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"{self._path}: {said}", "plug in the scanner, or correct path") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __iter__(self) -> Iterator[TagRead | Silence]:
        rest, skipping = b"", False
        while self._file >= 0:
            data = self._receive()
            if data is None:
                yield Silence(self._timing.now())
                continue
            *lines, rest = re.split(rb"[\r\n]+", rest + data) if data else [rest, b""]
            if lines and skipping:
                del lines[0]
                skipping = False
            if len(rest) > _LONGEST:
                self.dropped += not skipping
                rest, skipping = b"", True
            for line in lines:
                read = self._read(line)
                if read is not None:
                    yield read
            if not data:
                return
            if lines:
                yield Silence(self._timing.now())

    def _read(self, line: bytes) -> TagRead | None:
        if not line.strip():
            return None
        try:
            if len(line) > _LONGEST:
                raise FormatError("too long", "scan a GS1 bar code")
            epc = epc_of_line(line.decode("ascii"), self._company_digits, self._filter)
        except (FormatError, UnicodeDecodeError):
            self.dropped += 1
            return None
        return self._timing.timed(Heard(None, epc, self._antenna, None))

    def _receive(self) -> bytes | None:
        """The next bytes, None after a second without any, and nothing at the end of what ends."""
        try:
            ready, _, _ = select.select([self._file], [], [], _WAKE)
            if not ready:
                return None
            data = os.read(self._file, _CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror}", "plug in the scanner") from error
        if not data and not self._ends:
            raise SourceError(f"{self._path}: the scanner hung up", "plug in the scanner")
        return data


def _set_line(file: int, baud: int) -> None:
    """Bytes as they come, at ``baud``, 8N1."""
    tty.setraw(file)
    attributes = termios.tcgetattr(file)
    speed = getattr(termios, f"B{baud}")
    attributes[4] = attributes[5] = speed
    termios.tcsetattr(file, termios.TCSANOW, attributes)
