"""A made-up file of purchases through ``yingke import``: rows a second and peak memory of the process, per database.

``python -m bench.crm_import --rows 1000000`` for SQLite; ``--url postgresql+psycopg://…`` for another database (empty).
5 % of the rows are wrong in ten ways with ``--wrong``; the counts must come out exactly.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

BAD = 20
"""Of so many rows one is wrong."""


def write(path: Path, rows: int, *, wrong: bool, seed: int = 7) -> int:
    """Purchases of one line each, with product and guide; returns how many rows are wrong."""
    dice, bad = random.Random(seed), 0  # noqa: S311  # a made-up file
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("小票号,日期,会员号,金额,件数,货号,门店,导购,类型\r\n")
        for number in range(rows):
            cells = [
                f"R{number:08}",
                f"2025-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
                f"C{dice.randrange(rows // 4 + 1):07}",
                f"{dice.randint(1, 999_999) / 100:.2f}",
                str(dice.randint(1, 3)),
                f"SKU-{dice.randrange(20_000):05}",
                f"s{dice.randint(1, 40)}",
                f"guide-{dice.randint(1, 200)}",
                "销售",
            ]
            if wrong and number % BAD == BAD - 1:
                bad += 1
                _spoil(cells, number // BAD % 10)
            file.write(",".join(cells) + "\r\n")
    return bad


def _spoil(cells: list[str], way: int) -> None:
    """Ten ways in which a row is wrong."""
    place, text = [
        (1, "2099-01-01"),
        (3, "-12.00"),
        (1, "2025-02-29"),
        (3, "twelve"),
        (0, ""),
        (4, "1.5"),
        (3, ""),
        (6, "Süd/7"),
        (8, "exchange"),
        (3, "1.234"),
    ][way]
    cells[place] = text


def main() -> int:
    """Run it, print one line of JSON, end with 1 when a count is not exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--url")
    parser.add_argument("--wrong", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yingke-crm-") as name:
        folder = Path(name)
        bad = write(folder / "purchases.csv", given.rows, wrong=given.wrong)
        config = {
            "store": {"id": "s1", "timezone": "Asia/Shanghai"},
            "sync": {"database": {"url": given.url or f"sqlite:///{folder}/central.db"}},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        command = [sys.executable, "-m", "yingke", "import", "purchases", str(folder / "purchases.csv")]
        command += ["--config", str(folder / "config.yaml"), "--json"]
        for again in (False, True):
            ran = subprocess.run(command, capture_output=True, text=True)
            if ran.returncode not in (0, 3):
                print(ran.stderr, file=sys.stderr)
                return 1
            said = json.loads(ran.stdout)
            print(
                json.dumps(
                    {
                        **{k: said[k] for k in ("new", "same", "wrong", "seconds", "cpu_seconds", "peak_mb")},
                        "again": again,
                    }
                ),
                flush=True,
            )
            counts = (said["same"] if again else said["new"], said["wrong"])
            if counts != (given.rows - bad, bad):
                print(f"not exact: {counts} for {given.rows - bad} good and {bad} wrong rows", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
