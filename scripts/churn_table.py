"""A table of customers who stay or leave, made up, for the tutorial.

    python3 -m scripts.churn_table churn.csv

It has what tables of people's own have: ids that are texts, a blank where a number is missing, an
attribute of people, and a column that is known only after a customer has left. No row is anybody's,
and the bytes are the same on every machine.
"""

import argparse
import csv
import io
import math
import random
from pathlib import Path

ROWS = 6000
_SEED = 12
_NAMES = (
    "customerID",
    "gender",
    "tenure",
    "Contract",
    "PaymentMethod",
    "PaperlessBilling",
    "SupportCalls",
    "MonthlyCharges",
    "TotalCharges",
    "CancellationFee",
    "Churn",
)
# What a contract and a way of paying add to the log odds of a Yes.
_CONTRACTS = {"Month-to-month": 0.9, "One year": -0.6, "Two years": -1.6}
_PAYMENTS = {"Card": -0.3, "Bank transfer": -0.2, "Mailed check": 0.1, "Electronic check": 0.6}


def table(rows: int = ROWS) -> str:
    """The table as CSV; fewer rows are the first rows of more."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_NAMES)
    chance = random.Random(_SEED)  # noqa: S311  # it hides nothing
    writer.writerows(_customer(number, chance) for number in range(rows))
    return text.getvalue()


def _customer(number: int, chance: random.Random) -> list[object]:
    """A row, in the order of the names."""
    months = int(73 * chance.random())
    contract = _one_of(tuple(_CONTRACTS), chance)
    payment = _one_of(tuple(_PAYMENTS), chance)
    charges = round(20 + 100 * chance.random(), 2)
    calls = int(9 * chance.random() ** 2)
    odds = -2.6 - 0.04 * months + 0.025 * charges + 0.45 * calls
    odds += _CONTRACTS[contract] + _PAYMENTS[payment]
    left = chance.random() < 1 / (1 + math.exp(-odds))
    fee = _one_of(("25", "40", "60"), chance) if left and chance.random() < 0.8 else "0"
    return [
        f"{number:05d}-{_one_of('ABCDEFGH', chance)}X",
        _one_of(("Female", "Male"), chance),
        months,
        contract,
        payment,
        _one_of(("Yes", "No"), chance),
        calls,
        charges,
        f"{months * charges:.2f}" if months else " ",
        fee,
        "Yes" if left else "No",
    ]


def _one_of(values: tuple[str, ...] | str, chance: random.Random) -> str:
    """One of them, by a draw that every version of Python makes alike."""
    return values[int(len(values) * chance.random())]


def main(arguments: list[str] | None = None) -> None:
    """Write the table to a file. Exits with 2 where the file is there or cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python3 -m scripts.churn_table", description="Write a made-up table of customers."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="the file to write; a new one")
    path: Path = parser.parse_args(arguments).path
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(table())
    except FileExistsError:
        parser.error(f"{path} is there already; name a new file")
    except OSError as error:
        parser.error(f"{path} cannot be written: {error.strerror}; name a file in another folder")
    print(f"{path}: {ROWS:,} rows")


if __name__ == "__main__":
    main()
