"""A table of customers of an internet provider, some of whom cancel, made by chance from a seed.

What `sluice init` made of it is `models/cancellation`. The table is in no commit.
"""

from collections.abc import Iterable

import numpy as np

from support.strange_tables import written

ROWS = 8000


def table(rows: int = ROWS, seed: int = 31) -> bytes:
    """Ids that are texts; a question mark, n/a or nothing where a value is missing; a letter that
    is known only after a customer has cancelled; what a customer was born as.
    """
    rng = np.random.default_rng(seed)
    months = rng.integers(1, 96, rows)
    speed = rng.choice([50, 100, 250, 1000], rows, p=[0.3, 0.4, 0.2, 0.1])
    price = (19 + 0.03 * speed + rng.gamma(2, 4, rows)).round(2)
    outages = rng.poisson(1.2, rows)
    term = rng.choice(["monthly", "12 months", "24 months"], rows, p=[0.4, 0.35, 0.25])
    paid = rng.choice(["direct debit", "card", "invoice"], rows, p=[0.5, 0.3, 0.2])
    logits = -3.3 - 0.03 * months + 0.05 * price + 0.5 * outages
    logits += np.select([term == "monthly", term == "24 months"], [1.4, -0.9], 0)
    logits += np.where(paid == "invoice", 0.6, 0)
    left = np.asarray(rng.random(rows) < 1 / (1 + np.exp(-logits)))
    columns: dict[str, Iterable[object]] = {
        "Customer No": [f"C-{place:06d}" for place in range(rows)],
        "Gender": rng.choice(["female", "male", "?"], rows, p=[0.48, 0.48, 0.04]),
        "Months as customer": months,
        "Term": term,
        "Speed Mbit": speed,
        "Monthly price": [
            "n/a" if gap else f"{one:.2f}"
            for one, gap in zip(price, rng.random(rows) < 0.03, strict=True)
        ],
        "Outages": outages,
        "Payment": np.where(rng.random(rows) < 0.04, "?", paid),
        "Own router": [("", "yes", "no")[one] for one in rng.choice(3, rows, p=[0.05, 0.35, 0.6])],
        "Farewell letter": np.where(left & (rng.random(rows) < 0.9), "sent", "none"),
        "Cancelled": np.where(left, "yes", "no"),
    }
    return written(list(columns), list(columns.values())).encode()
