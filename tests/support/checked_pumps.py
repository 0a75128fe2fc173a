"""A table of pumps and what an inspection found of each, made by chance from a seed.

What `sluice init` made of it is `models/pumps`. The table is in no commit.
"""

from collections.abc import Iterable

import numpy as np

from support.strange_tables import written

ROWS = 7000
FOUND = ("sound", "worn bearing", "blocked")


def table(rows: int = ROWS, seed: int = 43) -> bytes:
    """Semicolons and decimal commas, nothing where a sensor was silent, and parts that are ordered
    once an inspection has found what is wrong.
    """
    rng = np.random.default_rng(seed)
    hours = rng.integers(50, 30_000, rows)
    make = rng.choice(["A20", "A40", "B10"], rows, p=[0.5, 0.3, 0.2])
    water = rng.choice(["clean", "sandy", "salt"], rows, p=[0.6, 0.25, 0.15])
    worn = -3.4 + 0.00011 * hours + 0.9 * (make == "B10") + 0.7 * (water == "salt")
    blocked = -3.6 + 1.9 * (water == "sandy") + 0.00004 * hours
    leans = np.column_stack([np.zeros(rows), worn, blocked])
    leans += rng.normal(0, 0.4, leans.shape)
    shares = np.exp(leans) / np.exp(leans).sum(axis=1, keepdims=True)
    place = (shares.cumsum(axis=1) > rng.random(rows)[:, None]).argmax(axis=1)
    shaken = rng.gamma(4, 0.5, rows) + np.where(place == 1, 1.4, 0)
    pressure = rng.normal(6.0, 0.7, rows) - np.where(place == 2, 1.1, 0)
    warm = rng.normal(48, 6, rows) + np.select([place == 1, place == 2], [5, 3], 0)
    parts = np.array(["none", "bearing", "filter"])[place]
    columns: dict[str, Iterable[object]] = {
        "Pump": [f"P-{place:05d}" for place in range(rows)],
        "Make": make,
        "Water": water,
        "Running hours": hours,
        "Vibration mm/s": [
            "" if silent else f"{one:.2f}".replace(".", ",")
            for one, silent in zip(shaken, rng.random(rows) < 0.04, strict=True)
        ],
        "Pressure bar": [f"{one:.1f}".replace(".", ",") for one in np.clip(pressure, 0.5, 12)],
        "Motor °C": np.clip(warm, 15, 110).round().astype(int),
        "Parts ordered": np.where(rng.random(rows) < 0.95, parts, "none"),
        "Found": np.array(FOUND)[place],
    }
    return written(list(columns), list(columns.values()), ";").encode()
