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
    bought = _labels(rng, -2 + 0.05 * value)
    columns: list[Iterable[object]] = [
        [f"S{place}" for place in range(rows)],
        [f"{one:.3f}".replace(".", ",") for one in value],
        np.where(rng.random(rows) < 0.2, "TRUE", "FALSE"),
        np.where(bought, "TRUE", "FALSE"),
    ]
    return written(["Session ID", "PageValues", "Weekend", "Revenue"], columns, ";").encode()


def machines(rows: int = 6000) -> bytes:
    """A mark of byte order, Turkish names, few positives, a flag that tells half of them."""
    rng = np.random.default_rng(4)
    torque = rng.normal(40, 10, rows).round(1)
    broken = _labels(rng, -4.5 + 0.12 * (torque - 40))
    columns: list[Iterable[object]] = [
        [f"M{place}" for place in range(rows)],
        rng.choice(["L", "M", "H"], rows),
        torque,
        (broken & (rng.random(rows) < 0.5)).astype(int),
        broken.astype(int),
    ]
    names = ["Ürün Kimliği", "Tür", "Tork", "Isı arızası", "Makine arızası"]
    return written(names, columns).encode("utf-8-sig")


def stays(rows: int = 3000) -> bytes:
    """The same patient in several rows, and a date."""
    rng = np.random.default_rng(5)
    patients = rng.integers(0, rows // 3, rows)
    days = rng.integers(1, 14, rows)
    again = _labels(rng, -3 + 0.3 * days)
    columns: list[Iterable[object]] = [
        range(100_000, 100_000 + rows),
        patients + 500_000,
        days,
        [f"2019-{month:02d}-11" for month in rng.integers(1, 13, rows)],
        np.where(again, "YES", "NO"),
    ]
    names = ["encounter_id", "patient_nbr", "time_in_hospital", "admission_date", "readmitted"]
    return written(names, columns).encode()
