"""A prediction log of the past, as the service would have written it, and the labels to it."""

import datetime
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.attrition import sample
from sluice.model.data.table import read_table, typed
from sluice.served.scoring import Model

Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def write_days(
    folder: Path,
    model: Model,
    digest: str,
    days: list[datetime.date],
    rows: int,
    *,
    change: Change = lambda inputs: inputs,
    seed: int = 11,
) -> list[tuple[str, int, datetime.date]]:
    """Write the log of these days, `rows` a day, and return id, true outcome and day of each.

    `change` alters the inputs that the service gets, None where it refuses them; the outcomes stay
    those of the people.
    """
    contract = model.contract
    table = sample.to_csv(sample.generate(rows * len(days), seed))
    columns = typed(read_table(table, contract, "rows"), contract)
    truth = columns[contract.target.column] == 1.0
    folder.mkdir(parents=True, exist_ok=True)
    sent = [change(record) for record in _records(model, columns)]
    taken = [row for row, record in enumerate(sent) if record is not None]
    records = {row: record for row, record in enumerate(sent) if record is not None}
    scores = dict(zip(taken, model.score_records(list(records.values())), strict=True))
    known = []
    for at, day in enumerate(days):
        lines = []
        for row in range(at * rows, (at + 1) * rows):
            if row not in records:
                continue
            name = f"{day:%Y%m%d}-{row}"
            known.append((name, int(truth[row]), day))
            line = {
                "kind": "prediction",
                "time": f"{day}T12:00:00.000Z",
                "request": name,
                "id": name,
                "probability": float(scores[row]),
                "prediction": int(scores[row] >= model.threshold),
                "tier": "medium",
                "threshold": model.threshold,
                "model": "attrition:tag",
                "image": None,
                "inputs": records[row],
                "model_digest": digest,
                "contract_digest": "sha256:0",
            }
            lines.append(json.dumps(line) + "\n")
        path = folder / f"predictions-{day:%Y%m%d}-0badcafe-0.jsonl"
        path.write_text("".join(lines), encoding="utf-8")
    return known


def in_months(inputs: dict[str, Any]) -> dict[str, Any] | None:
    """As a client sends it that means months; the service refuses what is above 51."""
    months = inputs["years_at_company"] * 12 + inputs["monthly_income"] % 12
    return {**inputs, "years_at_company": months} if months <= 51 else None


def poorer(inputs: dict[str, Any]) -> dict[str, Any]:
    """Everybody earns a fifth less."""
    return {**inputs, "monthly_income": max(int(inputs["monthly_income"] * 0.8), 1000)}


def label_csv(path: Path, known: list[tuple[str, int, datetime.date]], days: int) -> Path:
    """A table of labels that are known so many days after the answer."""
    lines = ["id,outcome,known_at"]
    for name, outcome, day in known:
        when = day + datetime.timedelta(days=days)
        lines.append(f"{name},{'Left' if outcome else 'Stayed'},{when}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _records(model: Model, columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    features = [column.key for column in model.contract.features]
    whole = {column.key for column in model.contract.features if column.kind == "integer"}
    lists = [columns[key].tolist() for key in features]
    return [
        {
            key: int(value) if key in whole and value == value else value
            for key, value in zip(features, values, strict=True)
        }
        for values in zip(*lists, strict=True)
    ]
