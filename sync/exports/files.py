"""Rows to a CSV or Parquet file, whole or not at all. The columns and their types are the same in both."""

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from sync.exports.runs import ExportError

Form = Literal["csv", "parquet"]
Columns = Sequence[tuple[str, str]]
"""Name and SQL type: VARCHAR, BIGINT, INTEGER, DOUBLE, TIMESTAMPTZ."""


def write(path: Path, form: Form, columns: Columns, rows: Iterable[Sequence[object]]) -> None:
    """Replace ``path``. Raises ``ExportError``."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            made = Path(folder) / "rows.csv"
            with made.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([name for name, _ in columns])
                writer.writerows(rows)
            if form == "parquet":
                made = _parquet(made, columns)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            made.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}", "choose another file with --out") from error


def _parquet(source: Path, columns: Columns) -> Path:
    try:
        import duckdb
    except ImportError as error:
        raise ExportError("Parquet needs DuckDB, which is not installed", "pip install 'yingke[parquet]'") from error
    target = source.with_suffix(".parquet")
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns)
    # An empty cell is unknown; no text column here is ever empty. Files hold moments in UTC.
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"COPY (FROM read_csv(?, header = true, nullstr = '', quote = '\"', columns = {{{types}}})) "
            f"TO '{str(target).replace(chr(39), chr(39) * 2)}' (FORMAT parquet, COMPRESSION zstd)",
            [str(source)],
        )
    return target
