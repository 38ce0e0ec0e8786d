"""Rows of a file as a stream: CSV in the encodings of spreadsheets, Excel workbooks, the CDNOW text. One row at a time.

The only module that knows the library for workbooks.
"""

import codecs
import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from sync.crm.errors import CrmError

Format = Literal["csv", "xlsx", "cdnow"]
Cells = Sequence[object]
LONGEST_CELL = 64 * 1024
_CHUNK = 1 << 20
CDNOW_COLUMNS = ("customer", "day", "units", "amount", "receipt")


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` counts as a spreadsheet does, the header being 1; ``fault`` says why it could not be read."""

    number: int
    cells: Cells
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass over a file tells: ``digest`` is SHA-256, ``encoding`` is None for a workbook."""

    format: Format
    digest: str
    size: int
    encoding: str | None


class Table:
    """An open file: its header, its rows, and how many of its ``size`` bytes are read (0 where that is not known)."""

    def __init__(self, header: Sequence[str], rows: Iterator[Row], position: "_Counted | None", size: int) -> None:
        self.header = tuple(header)
        self.rows = rows
        self.size = size
        self._position = position

    @property
    def read(self) -> int:
        """Bytes so far."""
        return 0 if self._position is None else self._position.count


def look(path: Path, form: Format | None = None, encoding: str | None = None) -> Look:
    """Read a file once, for its digest and its encoding. Raises ``CrmError`` (``file``)."""
    digest, size = sha256(), 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8 = True
    head = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                head = head or chunk[:8]
                digest.update(chunk)
                size += len(chunk)
                try:
                    if utf8:
                        decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
    except OSError as error:
        raise CrmError("file", f"{path} cannot be read: {error.strerror}", "check the path") from error
    if form is None:
        form = "xlsx" if head.startswith(b"PK\x03\x04") else "csv"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise CrmError("file", f"{path} is a workbook of before 2007", "save it as .xlsx or as CSV")
    if form == "xlsx":
        encoding = None
    elif encoding is None and head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif encoding is None:
        # What Excel writes in China when it is not asked for UTF-8.
        encoding = "utf-8-sig" if utf8 else "gb18030"
    return Look(form, digest.hexdigest(), size, encoding)


@contextmanager
def open_table(path: Path, seen: Look, sheet: str | None = None) -> Iterator[Table]:
    """The rows of a file that was looked at. Raises ``CrmError`` (``file``), also while rows are read."""
    if seen.format == "xlsx":
        with _workbook(path, sheet) as table:
            yield table
        return
    assert seen.encoding is not None
    try:
        codecs.lookup(seen.encoding)
        with path.open("rb") as raw:
            counted = _Counted(raw)
            buffered = io.BufferedReader(counted, _CHUNK)
            text = io.TextIOWrapper(buffered, encoding=seen.encoding, errors="replace", newline="")
            make = _cdnow if seen.format == "cdnow" else _csv
            header, rows = make(text)
            yield Table(header, rows, counted, seen.size)
    except LookupError as error:
        raise CrmError("file", f"there is no encoding {seen.encoding}", "such as utf-8 or gb18030") from error
    except OSError as error:
        raise CrmError("file", f"{path} cannot be read: {error.strerror}", "check the disk") from error


class _Counted(io.RawIOBase):
    """Counts what is read of a file."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        got = self._raw.readinto(buffer)
        self.count += got
        return got


def _csv(text: io.TextIOWrapper) -> tuple[list[str], Iterator[Row]]:
    csv.field_size_limit(LONGEST_CELL)
    first = text.readline()
    delimiter = max(",;\t|", key=first.count) if first else ","
    reader = csv.reader(_again(first, text), delimiter=delimiter)
    header = [str(cell).strip() for cell in next(reader, [])]
    return header, _csv_rows(reader, len(header))


def _csv_rows(reader: Iterator[list[str]], width: int) -> Iterator[Row]:
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, (), f"this row cannot be read ({error}); a quotation mark that is not closed?")
            continue
        if not any(cells):
            continue
        if len(cells) > width and any(cells[width:]):
            yield Row(number, cells, f"{len(cells)} cells where the header has {width}")
        else:
            yield Row(number, cells)


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _cdnow(text: io.TextIOWrapper) -> tuple[list[str], Iterator[Row]]:
    return list(CDNOW_COLUMNS), _cdnow_rows(text)


def _cdnow_rows(lines: Iterator[str]) -> Iterator[Row]:
    """Customer, day, units, dollars between spaces. The file has no receipts: a customer's n-th row of a day is one."""
    before, times = ("", ""), 0
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells or (number == 1 and not cells[0].isdecimal()):
            continue
        if len(cells) != 4:
            yield Row(number, cells, f"{len(cells)} columns where CDNOW has 4")
            continue
        times = times + 1 if before == (cells[0], cells[1]) else 1
        before = cells[0], cells[1]
        yield Row(number, (*cells, f"{cells[0]}-{cells[1]}-{times}"))


@contextmanager
def _workbook(path: Path, sheet: str | None) -> Iterator[Table]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, InvalidFileException) as error:
        raise CrmError("file", f"{path} is no workbook that can be read", "save it as .xlsx or as CSV") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            named = ", ".join(book.sheetnames[:8])
            raise CrmError("file", f"{path} has no sheet {sheet}", f"one of {named}")
        page = book[sheet] if sheet is not None else book[book.sheetnames[0]]
        # What a workbook says of its own size may be wrong, and cuts its rows off.
        page.reset_dimensions()
        rows = page.iter_rows(values_only=True)
        header = ["" if cell is None else str(cell).strip() for cell in next(rows, ())]
        yield Table(header, _sheet_rows(rows, path), None, 0)
    finally:
        book.close()


def _sheet_rows(rows: Iterator[Cells], path: Path) -> Iterator[Row]:
    try:
        for number, cells in enumerate(rows, 2):
            if any(cell is not None and cell != "" for cell in cells):
                yield Row(number, cells)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise CrmError("file", f"{path} is damaged", "save it again as .xlsx or as CSV") from error
