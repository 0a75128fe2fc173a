"""A project with a model for each shop: a table of orders, and a world that changes in one shop."""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from flows.drills.crash import fake_images
from flows.engine.outcome import Outcome
from flows.engine.perform import Plainly
from flows.engine.request import Request, begin
from flows.fleet_release import carry_out
from flows.orchestration.real_tools import real_tools
from flows.project import settings
from flows.project.root import ROOT
from support.releases import WIDE

NAME = "shops"
COLUMN = "Shop"
FEATURES = 5
# The weights of the features in the world that a shop starts in, and in another one.
USUAL = np.array([1.6, -1.2, 0.9, 0.0, 0.5])
OTHER = np.array([0.5, -0.2, 1.6, 1.2, -0.9])


def contract(keys: list[str]) -> dict[str, Any]:
    """Five numbers, a kind that may be unknown, and the shop."""
    columns: dict[str, Any] = {
        "No": {"role": "id", "kind": "category", "text": "The order."},
        COLUMN: {
            "role": "feature",
            "kind": "category",
            "values": keys,
            "example": keys[0],
            "text": "Where it was ordered.",
        },
    }
    for number in range(FEATURES):
        columns[f"F{number}"] = {
            "role": "feature",
            "kind": "number",
            "minimum": -9.0,
            "maximum": 9.0,
            "example": 0.5,
            "text": f"Measure {number}.",
        }
    columns["F4"]["missing"] = "keep"
    columns["Way"] = {
        "role": "feature",
        "kind": "category",
        "values": ["post", "van"],
        "example": "van",
        "text": "How it was sent.",
    }
    columns["Returned"] = {
        "role": "target",
        "kind": "category",
        "values": ["no", "yes"],
        "text": "Whether it came back.",
    }
    return {
        "schema": 2,
        "title": "Orders that come back",
        "text": "Which orders are likely to come back.",
        "row": "order",
        "rows": "orders",
        "target": {
            "column": "Returned",
            "positive": "yes",
            "negative": "no",
            "positive_label": "Comes back",
            "negative_label": "Stays",
            "singular": "return",
            "plural": "returns",
        },
        "columns": columns,
    }


def table(
    rows: Mapping[str, int],
    worlds: Callable[[str], np.ndarray] = lambda _: USUAL,
    seed: int = 1,
) -> bytes:
    """So many orders of each shop, in the world that it is in; ids differ from seed to seed."""
    chance = np.random.default_rng(seed)
    names = ",".join(f"F{number}" for number in range(FEATURES))
    lines = [f"No,{COLUMN},{names},Way,Returned"]
    number = seed * 10_000_000
    for shop, count in rows.items():
        features = chance.normal(size=(count, FEATURES)).clip(-8, 8).round(4)
        van = chance.random(count) < 0.5
        logits = features @ worlds(shop) + 0.4 * van - 1.6
        returned = chance.random(count) < 1 / (1 + np.exp(-logits))
        missing = chance.random(count) < 0.05
        for row in range(count):
            number += 1
            cells = [f"{value:g}" for value in features[row]]
            if missing[row]:
                cells[-1] = ""
            way, label = "van" if van[row] else "post", "yes" if returned[row] else "no"
            lines.append(f"{number},{shop},{','.join(cells)},{way},{label}")
    return ("\n".join(lines) + "\n").encode()


def write(project: Path, content: bytes, keys: list[str], **gate: object) -> Path:
    """A project of shops whose pointer names this table."""
    model = project / "models" / NAME
    model.mkdir(parents=True, exist_ok=True)
    (project / "data").mkdir(exist_ok=True)
    (model / "contract.toml").write_text(tomli_w.dumps(contract(keys)), encoding="utf-8")
    shipped = ROOT / "models" / "attrition" / "policy.toml"
    policy = tomllib.loads(shipped.read_text(encoding="utf-8"))
    policy["data"]["minimum_rows"] = 100
    policy["gate"] |= {**WIDE, "recall_floor": 0.3, "precision_floor": 0.45, **gate}
    policy["operating_point"]["precision_slack"] = 0.2
    policy["search"] |= {"folds": 3}
    (model / "policy.toml").write_text(tomli_w.dumps(policy), encoding="utf-8")
    point(project, content)
    return project


def point(project: Path, content: bytes) -> None:
    """Let the pointer name this table."""
    (project / "orders.csv").write_bytes(content)
    pointer = {"reference": "file:orders.csv", "sha256": hashlib.sha256(content).hexdigest()}
    (project / "data" / f"{NAME}.toml").write_text(tomli_w.dumps(pointer), encoding="utf-8")


def asked() -> Request:
    """What is asked of a release here, on a machine with the drills' builder; a started image
    answers as its model does.
    """
    tools = real_tools()
    images = fake_images.images(tools.images.requirements(ROOT))
    tools = replace(tools, images=images, check_service=lambda _url, _golden: 0.0)
    return begin(settings.load(), tools, NAME)


def release() -> Outcome:
    """Release the fleet here, step by step."""
    request = asked()
    return carry_out(request, COLUMN, Plainly(request.settings.home, NAME))
