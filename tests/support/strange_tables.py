"""Tables with the peculiarities of tables that people bring, made by chance from a seed."""

import csv
import io
from collections.abc import Iterable

import numpy as np


def written(
    names: list[str], columns: list[Iterable[object]], separator: str = ",", blank: str = ""
) -> str:
    """A CSV; `blank` stands behind each separator."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().replace(separator, separator + blank)


def _labels(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    return np.asarray(rng.random(len(logits)) < 1 / (1 + np.exp(-logits)))


def churn(rows: int = 1500) -> bytes:
    """String ids, names in CamelCase, a blank where a number is missing."""
    rng = np.random.default_rng(1)
    months = rng.integers(0, 72, rows)
    charges = rng.uniform(20, 120, rows).round(2)
    left = _labels(rng, -1.5 - 0.06 * months + 0.04 * charges)
    totals = [" " if m == 0 else f"{m * c:.2f}" for m, c in zip(months, charges, strict=True)]
    names = ["customerID", "gender", "SeniorCitizen", "tenure", "TotalCharges", "Charges", "Churn"]
    columns: list[Iterable[object]] = [
        [f"{place:04d}-KX" for place in range(rows)],
        rng.choice(["Female", "Male"], rows),
        rng.integers(0, 2, rows),
        months,
        totals,
        charges,
        np.where(left, "Yes", "No"),
    ]
    return written(names, columns).encode()


def incomes(rows: int = 1500) -> bytes:
    """A question mark for missing, a blank behind each comma, no id."""
    rng = np.random.default_rng(2)
    years = rng.integers(1, 16, rows)
    hours = rng.integers(10, 70, rows)
    rich = _labels(rng, -5 + 0.4 * years + 0.03 * hours)
    columns: list[Iterable[object]] = [
        rng.choice(["Private", "Public", "?"], rows, p=[0.7, 0.25, 0.05]),
        rng.choice(["Female", "Male", "?"], rows, p=[0.5, 0.45, 0.05]),
        years,
        hours,
        np.where(rich, ">50K", "<=50K"),
    ]
    names = ["workclass", "sex", "education-num", "hours-per-week", "income"]
    return written(names, columns, blank=" ").encode()


def sessions(rows: int = 1500) -> bytes:
    """Semicolons, decimal commas, TRUE and FALSE."""
    rng = np.random.default_rng(3)
    value = np.where(rng.random(rows) < 0.3, rng.gamma(2, 20, rows), 0)
    pages = rng.poisson(8, rows)
    bought = _labels(rng, -4 + 0.05 * value + 0.25 * pages)
    columns: list[Iterable[object]] = [
        [f"S{place}" for place in range(rows)],
        [f"{one:.3f}".replace(".", ",") for one in value],
        pages,
        np.where(rng.random(rows) < 0.2, "TRUE", "FALSE"),
        np.where(bought, "TRUE", "FALSE"),
    ]
    return written(
        ["Session ID", "PageValues", "Pages", "Weekend", "Revenue"], columns, ";"
    ).encode()


def machines(rows: int = 6000) -> bytes:
    """A mark of byte order, Turkish names, few positives, a flag that tells half of them."""
    rng = np.random.default_rng(4)
    torque = rng.normal(40, 10, rows).round(1)
    speed = rng.normal(1500, 150, rows).round()
    broken = _labels(rng, -4.8 + 0.12 * (torque - 40) + (speed - 1500) / 150)
    columns: list[Iterable[object]] = [
        [f"M{place}" for place in range(rows)],
        rng.choice(["L", "M", "H"], rows),
        torque,
        speed,
        (broken & (rng.random(rows) < 0.5)).astype(int),
        broken.astype(int),
    ]
    names = ["Ürün Kimliği", "Tür", "Tork", "Hız", "Isı arızası", "Makine arızası"]
    return written(names, columns).encode("utf-8-sig")


def stays(rows: int = 3000) -> bytes:
    """The same patient in several rows, and a date."""
    rng = np.random.default_rng(5)
    patients = rng.integers(0, rows // 3, rows)
    days = rng.integers(1, 14, rows)
    drugs = rng.integers(1, 40, rows)
    age = rng.integers(18, 95, rows)
    again = _labels(rng, -6 + 0.25 * days + 0.06 * drugs + 0.03 * age)
    columns: list[Iterable[object]] = [
        range(100_000, 100_000 + rows),
        patients + 500_000,
        days,
        drugs,
        age,
        [f"2019-{month:02d}-11" for month in rng.integers(1, 13, rows)],
        np.where(again, "YES", "NO"),
    ]
    names = [
        "encounter_id",
        "patient_nbr",
        "time_in_hospital",
        "drugs",
        "years",
        "admission_date",
        "readmitted",
    ]
    return written(names, columns).encode()


def _orders(rows: int, seed: int) -> dict[str, list[object]]:
    """Orders of a shop by column, of which some are sent back: the later the likelier."""
    rng = np.random.default_rng(seed)
    days = rng.integers(1, 30, rows)
    amount = rng.gamma(3, 40, rows).round(2)
    back = _labels(rng, -4.2 + 0.15 * days + 0.014 * amount)
    return {
        "order_id": [f"B-{place:06d}" for place in range(rows)],
        "days": days.tolist(),
        "amount": amount.tolist(),
        "channel": rng.choice(["web", "shop", "phone"], rows).tolist(),
        "returned": np.where(back, "yes", "no").tolist(),
    }


def _written_orders(columns: dict[str, list[object]], separator: str = ",") -> str:
    return written(list(columns), list(columns.values()), separator)


def same_name_twice(rows: int = 1200) -> bytes:
    """Two columns of one name."""
    return _written_orders(_orders(rows, 11)).replace("days,", "amount,", 1).encode()


def titled(rows: int = 1200) -> bytes:
    """A title and an empty line above the names, as a report has."""
    return b"Orders of 2025,,,,\n\n" + _written_orders(_orders(rows, 12)).encode()


def totalled(rows: int = 1200) -> bytes:
    """A row of totals below the rows."""
    return _written_orders(_orders(rows, 13)).encode() + b"Total,18000,144000.00,,\n"


def from_excel(rows: int = 1200) -> bytes:
    """Cells that were too narrow, an error of a formula, and line ends within cells."""
    columns = _orders(rows, 14)
    columns["amount"][5] = "#####"
    columns["amount"][7] = "#DIV/0!"
    columns["note"] = [f"left at\nthe door {place}" for place in range(rows)]
    return _written_orders(columns).encode()


def tabbed_utf16(rows: int = 1200) -> bytes:
    """What Excel calls Unicode text: tabs, and UTF-16 with its mark."""
    return _written_orders(_orders(rows, 15), "\t").encode("utf-16")


def with_signs(rows: int = 1200) -> bytes:
    """Percent signs, currencies and separators of thousands in numbers."""
    columns = _orders(rows, 16)
    columns["amount"] = [f"€{1000 * float(str(one)):,.2f}" for one in columns["amount"]]
    columns["discount"] = [f"{place % 40}%" for place in range(rows)]
    return _written_orders(columns).encode()


def spelled_three_ways(rows: int = 1200) -> bytes:
    """Yes, yes and YES, with and without a blank behind."""
    columns = _orders(rows, 17)
    ways = {"yes": ("Yes ", "yes", "YES"), "no": ("No", "no ", "NO")}
    columns["returned"] = [
        ways[str(one)][place % 3] for place, one in enumerate(columns["returned"])
    ]
    return _written_orders(columns).encode()


def dated_two_ways(rows: int = 1200) -> bytes:
    """Dates in two orders, times, and a column of nothing but blanks."""
    columns = _orders(rows, 18)
    columns["sent"] = [
        f"{1 + place % 28}.3.2025" if place % 2 else f"2025-03-{1 + place % 28:02d} 08:15"
        for place in range(rows)
    ]
    columns["comment"] = ["  "] * rows
    return _written_orders(columns).encode()


def three_classes(rows: int = 1200) -> bytes:
    """A target of three classes, and no column of two values."""
    columns = _orders(rows, 19)
    columns["returned"] = [
        "part" if place % 9 == 0 else one for place, one in enumerate(columns["returned"])
    ]
    return _written_orders(columns).encode()


def a_number(rows: int = 1200) -> bytes:
    """A number as the target, and no column of two values."""
    columns = _orders(rows, 20)
    columns["returned"] = columns.pop("amount")
    return _written_orders(columns).encode()
