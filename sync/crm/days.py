"""Days and moments as files write them. What could be read in two ways is refused, unless the format is given."""

import re
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

_YMD = re.compile(r"^(\d{4})([-/.年])(\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+(.+))?$")
_COMPACT = re.compile(r"^\d{8}$")


def moment(value: object, zone: ZoneInfo, form: str | None = None) -> datetime:
    """An aware moment; a day without a time is its noon in the store's ``zone``, which is that day everywhere near.

    ``form`` is a ``strptime`` format for files that write days in another order. Raises ``ValueError``.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return datetime.combine(value, time(12), zone)
    return _read(str(value).strip(), zone, form)


@lru_cache(4096)
def _read(text: str, zone: ZoneInfo, form: str | None) -> datetime:
    """A file has few days and many rows."""
    try:
        if form is not None:
            read = datetime.strptime(text, form)
            return _aware(read, zone, "%H" in form or "%I" in form)
        if _COMPACT.match(text):
            return datetime.combine(date(int(text[:4]), int(text[4:6]), int(text[6:])), time(12), zone)
        match = _YMD.match(text)
        if match is not None:
            day = date(int(match[1]), int(match[3]), int(match[4]))
            if match[5] is None:
                return datetime.combine(day, time(12), zone)
            read_time = datetime.fromisoformat(f"{day.isoformat()}T{match[5].strip()}")
            return _aware(read_time, zone, True)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no day that there is") from error
    raise ValueError(f"{text[:40]!r} is no day such as 2026-11-25; for another order: --date-format")


def _aware(read: datetime, zone: ZoneInfo, timed: bool) -> datetime:
    if not timed:
        return datetime.combine(read.date(), time(12), zone)
    return read if read.tzinfo else read.replace(tzinfo=zone)
