"""The embedded default data: a made-up company in the shape of the published attrition table.

    python -m models.attrition.sample employees.csv

The tables hold shares and effects of whole groups, and no row of a real person. All arithmetic is
on integers, fed by a generator whose raw words numpy promises to keep, so the bytes are the same on
every machine.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

Table = Mapping[str | int, tuple[int, int]]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Column = NDArray[np.int64] | NDArray[np.str_]
Columns = dict[str, Column]

ROWS = 74_498
SEED = 3  # of the first eight, the draw nearest to the published table in ROC-AUC and recall

# As published, and in that order.
NAMES = (
    "Employee ID",
    "Age",
    "Gender",
    "Years at Company",
    "Job Role",
    "Monthly Income",
    "Work-Life Balance",
    "Job Satisfaction",
    "Performance Rating",
    "Number of Promotions",
    "Overtime",
    "Distance from Home",
    "Education Level",
    "Marital Status",
    "Number of Dependents",
    "Job Level",
    "Company Size",
    "Company Tenure",
    "Remote Work",
    "Leadership Opportunities",
    "Innovation Opportunities",
    "Company Reputation",
    "Employee Recognition",
    "Attrition",
)

# value: (share of the rows, points on the chance of leaving), both in thousandths. These columns
# depend on no other.
CHOICES: Mapping[str, Table] = {
    "Gender": {"Female": (451, 121), "Male": (549, 0)},
    "Job Role": {
        "Education": (209, 0),
        "Finance": (141, 0),
        "Healthcare": (229, 0),
        "Media": (161, 0),
        "Technology": (260, 0),
    },
    "Work-Life Balance": {
        "Poor": (139, 232),
        "Fair": (303, 200),
        "Good": (378, 0),
        "Excellent": (180, -56),
    },
    "Job Satisfaction": {
        "Low": (99, 93),
        "Medium": (198, 0),
        "High": (500, 0),
        "Very High": (203, 93),
    },
    "Performance Rating": {
        "Low": (50, 114),
        "Below Average": (150, 63),
        "Average": (601, 0),
        "High": (199, 0),
    },
    "Number of Promotions": {0: (499, 0), 1: (251, 0), 2: (183, 0), 3: (54, -307), 4: (13, -307)},
    "Overtime": {"Yes": (326, 69), "No": (674, 0)},
    "Education Level": {
        "High School": (197, 0),
        "Associate Degree": (250, 0),
        "Bachelor’s Degree": (299, 0),
        "Master’s Degree": (202, 0),
        "PhD": (52, -303),
    },
    "Marital Status": {"Single": (350, 300), "Married": (502, -50), "Divorced": (148, 0)},
    "Number of Dependents": {
        0: (299, 0),
        1: (260, 0),
        2: (149, 0),
        3: (139, 0),
        4: (102, -180),
        5: (40, -180),
        6: (11, -180),
    },
    "Job Level": {"Entry": (400, 195), "Mid": (399, 0), "Senior": (201, -304)},
    "Company Size": {"Small": (301, 38), "Medium": (499, 0), "Large": (200, 0)},
    "Remote Work": {"Yes": (191, -341), "No": (809, 0)},
    "Leadership Opportunities": {"Yes": (49, -31), "No": (951, 0)},
    "Innovation Opportunities": {"Yes": (163, -26), "No": (837, 0)},
    "Company Reputation": {
        "Poor": (202, 156),
        "Fair": (198, 100),
        "Good": (500, 0),
        "Excellent": (100, 0),
    },
    "Employee Recognition": {
        "Low": (398, 0),
        "Medium": (303, 0),
        "High": (249, 0),
        "Very High": (50, -25),
    },
}

# Job Role: mean and standard deviation of the monthly income, which is normal within a role.
INCOME: Mapping[str, tuple[int, int]] = {
    "Education": (4500, 805),
    "Finance": (8500, 1970),
    "Healthcare": (8000, 1010),
    "Media": (5990, 498),
    "Technology": (9110, 1502),
}
INCOME_RANGE = (1300, 16200)

# column: (threshold, points on the chance of leaving for the rows below it).
STEPS: Mapping[str, tuple[int, int]] = {
    "Age": (29, 50),
    "Years at Company": (10, 88),
    "Monthly Income": (5000, 38),
    "Distance from Home": (50, -122),
}
BASE = 248  # points of a row to which no other points apply; a distance from 50 on counts as such

# Uniform 16-bit numbers whose sum has a standard deviation of exactly 2**16: the sum is a normal
# number in integers.
LANES = 12


def generate(rows: int = ROWS, seed: int = SEED) -> Columns:
    """The table as a column per published name, in published order, each of shape (rows,).

    Another seed is a fresh draw of the same world; fewer rows are the first rows of more. Numbers
    are int64, the rest str. Raises ValueError for a negative number of rows.
    """
    # Words of 64 bits for a row: the income takes its lanes, every other draw one word.
    width = len(CHOICES) + 4 + LANES // 4 + 1
    words = np.random.PCG64(seed).random_raw(rows * width).reshape(rows, width)
    normal = words[:, : LANES // 4]
    single = iter(words[:, LANES // 4 :].T)
    drawn: Columns = {name: _choose(next(single), table) for name, table in CHOICES.items()}
    drawn["Employee ID"] = np.arange(1, rows + 1, dtype=np.int64)
    drawn |= _ages_and_tenures(single)
    drawn["Distance from Home"] = 1 + _below(next(single), 99)
    drawn["Monthly Income"] = _income(normal, cast("NDArray[np.str_]", drawn["Job Role"]))
    leaves = _below(next(single), 1000) < _points(drawn)
    drawn["Attrition"] = np.where(leaves, "Left", "Stayed")
    return {name: drawn[name] for name in NAMES}


def to_csv(columns: Mapping[str, Column]) -> bytes:
    """The columns as CSV in UTF-8: a header, then a line for each row.

    Nothing is quoted: no value holds a comma or a quote.
    """
    texts = [[str(value) for value in column.tolist()] for column in columns.values()]
    lines = [",".join(cells) for cells in zip(*texts, strict=True)]
    return "\n".join([",".join(columns), *lines, ""]).encode()


def _ages_and_tenures(words: Iterator[Words]) -> Columns:
    """Age, years at the company, and the age of the company, in years.

    As in the published table nobody joined before the age of eight, and every company is older than
    the service of its people.
    """
    age = 18 + _below(next(words), 42)
    years = 1 + _below(next(words), age - 8)
    return {
        "Age": age,
        "Years at Company": years,
        "Company Tenure": years + 1 + _below(next(words), 79),
    }


def _income(words: Words, role: NDArray[np.str_]) -> Integers:
    """Monthly incomes, normal within each role and cut off at the limits, int64, shape (rows,).

    `words` has the shape (rows, LANES / 4), with four lanes in each word.
    """
    lanes = np.ascontiguousarray(words).view(np.uint16).sum(axis=1, dtype=np.int64)
    income = np.zeros(len(role), dtype=np.int64)
    for name, (mean, deviation) in INCOME.items():
        rows = role == name
        # The mean of a lane is 2**15; dividing by 2**16 makes the standard deviation 1.
        income[rows] = mean + (deviation * (lanes[rows] - LANES * 2**15) >> 16)
    return income.clip(*INCOME_RANGE)


def _points(columns: Columns) -> Integers:
    """The chance of leaving in thousandths, int64, shape (rows,).

    At or below 0 nobody leaves, from 1000 on everybody does. The published
    table is like that too: effects add up on the chance itself, without interactions
    or a logistic curve.
    """
    points = np.full(len(columns["Employee ID"]), BASE, dtype=np.int64)
    for name, table in CHOICES.items():
        for value, (_, change) in table.items():
            points += change * (columns[name] == value)
    for name, (threshold, change) in STEPS.items():
        points += change * (cast(Integers, columns[name]) < threshold)
    return points


def _choose(words: Words, table: Table) -> Column:
    """A value of the table for each word, as often as its share says, shape (rows,)."""
    limits = np.cumsum([share for share, _ in table.values()])
    places = np.searchsorted(limits, _below(words, int(limits[-1])), side="right")
    return np.array(list(table))[places]


def _below(words: Words, limit: int | Integers) -> Integers:
    """Uniform integers from 0 to limit - 1, from the upper half of each word, shape (rows,)."""
    scaled = (words >> np.uint64(32)) * np.asarray(limit, dtype=np.uint64)
    return (scaled >> np.uint64(32)).astype(np.int64)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing: a temporary file in the same folder, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> None:
    """Write the table to a file. Exits with 2 where the file cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m models.attrition.sample",
        description="Write the generated attrition table as CSV.",
        epilog="example: python -m models.attrition.sample employees.csv --rows 5000",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="the file to write")
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="how many rows (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help="another one draws fresh rows (default: %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    if chosen.rows < 1 or chosen.seed < 0:
        parser.error(
            f"--rows {chosen.rows} --seed {chosen.seed}: give at least one row, and no negative"
            " seed"
        )
    try:
        _write(chosen.path, to_csv(generate(chosen.rows, chosen.seed)))
    except OSError as error:
        parser.error(
            f"cannot write {chosen.path}: {error.strerror}; name a file in a folder that exists"
        )
    print(f"{chosen.path}: {chosen.rows} rows")


if __name__ == "__main__":
    main()
