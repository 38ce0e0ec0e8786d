"""The next purchase on CDNOW: fitted on the first 39 weeks, judged on the next 39, beside two naive rules.

``python -m bench.next_purchase`` for the whole file, ``--sample`` for the tenth of it that the literature uses.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from sync.crm.segments.next_purchase import History, Model, fit

CDNOW = Path(__file__).resolve().parents[2] / "shared/data/retail/cdnow_purchases.txt"
FITTED = date(1997, 9, 30)
"""The last day of the first 39 weeks."""
JUDGED = date(1998, 6, 30)
"""The last day of the file, 39 weeks later."""
WEEKS = (JUDGED - FITTED).days / 7

Days = Mapping[int, Sequence[date]]
"""The days on which each customer bought, in order, each once."""


def read(path: Path) -> dict[int, list[date]]:
    """CDNOW's file: customer, day, units, dollars."""
    found: dict[int, set[date]] = {}
    for line in path.read_text(encoding="ascii").splitlines()[1:]:
        if cells := line.split():
            found.setdefault(int(cells[0]), set()).add(date(int(cells[1][:4]), int(cells[1][4:6]), int(cells[1][6:])))
    return {customer: sorted(days) for customer, days in found.items()}


def sample(days: Days) -> dict[int, Sequence[date]]:
    """The 2,357 customers of the publication."""
    lines = Path(__file__).with_name("cdnow_sample.txt").read_text(encoding="ascii").splitlines()
    numbers = [int(word) for line in lines if not line.startswith("#") for word in line.split()]
    return {number: days[number] for number in numbers}


def history(days: Sequence[date], until: date = FITTED) -> History:
    """What is known of a customer at the end of the day ``until``."""
    seen = [day for day in days if day <= until]
    return History(len(seen) - 1, (seen[-1] - seen[0]).days / 7, (until - seen[0]).days / 7)


def judge(days: Days, model: Model) -> dict[str, dict[str, float]]:
    """Errors per customer of the purchase days in the second 39 weeks, and how far the total is off, by rule."""
    histories = [history(each) for each in days.values()]
    real = np.array([sum(day > FITTED for day in each) for each in days.values()], float)
    rules: dict[str, Callable[[History], float]] = {
        "bg_nbd": lambda each: model.expected(each, WEEKS),
        "as_fast_as_so_far": lambda each: each.repeats / max(each.observed, 1.0) * WEEKS,
        "as_many_as_so_far": lambda each: float(each.repeats),
    }
    found = {}
    for name, rule in rules.items():
        guess = np.array([rule(each) for each in histories])
        found[name] = {
            "mae": float(np.abs(guess - real).mean()),
            "rmse": float(np.sqrt(((guess - real) ** 2).mean())),
            "total_off": float(guess.sum() / real.sum() - 1),
        }
    return found


def tracking(days: Days, model: Model) -> list[tuple[int, int, float]]:
    """Week since the first day, repeat purchase days of all customers until then, and what the model expects."""
    start = date(1997, 1, 1)
    rows = []
    for week in range(13, 79, 13):
        end = min(start + timedelta(weeks=week) - timedelta(days=1), JUDGED)
        real = sum(max(0, sum(day <= end for day in each) - 1) for each in days.values())
        ages = [(end - each[0]).days / 7 for each in days.values() if each[0] <= end]
        expected = {age: model.expected_of_new(age) for age in set(ages)}
        rows.append((week, real, sum(expected[age] for age in ages)))
    return rows


def main() -> int:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", action="store_true")
    days: Days = read(CDNOW)
    if parser.parse_args().sample:
        days = sample(days)
    began = time.perf_counter()
    model = fit([history(each) for each in days.values()])
    seconds = time.perf_counter() - began
    if model is None:
        print("no maximum was found")
        return 1
    document = {
        "customers": len(days),
        "fit_seconds": round(seconds, 2),
        "model": {name: getattr(model, name) for name in ("r", "alpha", "a", "b", "log_likelihood")},
        "judged": judge(days, model),
        "tracking": [
            {"week": week, "real": real, "expected": round(guess)} for week, real, guess in tracking(days, model)
        ],
    }
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
