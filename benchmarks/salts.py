"""How much the split decides, on the real file or the sample: `python -m benchmarks.salts`.

For each of several salts, the shipped one first, the rows are split, the operating point is chosen
on validation and the holdout is judged, by the rules of a release. The model has the family and the
parameters that the search finds with the shipped salt; with --full it is searched for anew with
each.
"""

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import structs

from benchmarks.release import case
from flows.project.models import model_folder
from flows.project.root import ROOT
from gx.validation import validate
from sluice.model.data.split import parts, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.model.fit.conversion import convert
from sluice.model.fit.training import fit, tune
from sluice.model.quality.metrics import measure
from sluice.model.quality.operating_point import threshold_for
from sluice.policy import Policy, load_policy
from sluice.served.contract import load_contract
from sluice.served.encoding import encode, feature_names, numeric_features
from sluice.served.scoring import open_session, score_matrix

FOLDER = model_folder("attrition", ROOT)
CONTRACT = load_contract((FOLDER / "contract.toml").read_text(encoding="utf-8"), "contract.toml")
GOALS = {"roc_auc": 0.795, "recall": 0.75, "precision": 0.675}
Columns = dict[str, Any]
Winner = tuple[str, dict[str, Any]]


def read(csv: Path, policy: Policy) -> Columns:
    """The typed columns of a file that passes validation."""
    frame = read_table(csv.read_bytes(), CONTRACT, csv.name)
    report = validate(CONTRACT, frame, minimum_rows=policy.data.minimum_rows, model="attrition")
    if report.refused:
        sys.exit(
            f"Error: {csv.name} is refused\n  Run: sluice validate attrition --data {csv.name}"
        )
    return typed(frame, CONTRACT)


def judge(columns: Columns, policy: Policy, salt: str, winner: Winner | None) -> dict[str, Any]:
    """The metrics of one salt; without a winner it is searched for."""
    target = CONTRACT.target.column
    hashes = row_hashes(salt, columns[CONTRACT.id.key])
    rows = parts(replace(policy.split, salt=salt), hashes, columns[target])
    part = {
        name: {key: values[chosen] for key, values in columns.items()}
        for name, chosen in rows.items()
    }
    matrix = {name: encode(CONTRACT, found) for name, found in part.items()}
    numeric = numeric_features(CONTRACT)
    if winner is None:
        found = tune(matrix["train"], part["train"][target], numeric, policy.search).winner
        winner = found.family, found.parameters
    family, parameters = winner
    estimator = fit(family, parameters, matrix["train"], part["train"][target], numeric)
    session = open_session(convert(estimator, len(feature_names(CONTRACT))))
    scores = {name: score_matrix(session, matrix[name]) for name in ("validation", "holdout")}
    threshold = threshold_for(policy, part["validation"][target], scores["validation"])
    return {
        "salt": salt,
        "family": family,
        "parameters": parameters,
        **structs.asdict(measure(part["holdout"][target], scores["holdout"], threshold)),
    }


def judged(csv: Path, count: int, full: bool) -> list[dict[str, Any]]:
    """The metrics of each salt, the shipped one first."""
    policy = load_policy((FOLDER / "policy.toml").read_text(encoding="utf-8"), "policy.toml")
    columns = read(csv, policy)
    found = [judge(columns, policy, policy.split.salt, None)]
    winner = None if full else (found[0]["family"], found[0]["parameters"])
    for number in range(1, count):
        found.append(judge(columns, policy, f"{policy.split.salt}-{number}", winner))
        print(f"  {number + 1} of {count}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Print the medians to standard error and everything as JSON to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.salts", description=__doc__)
    parser.add_argument("--rows", choices=("real", "sample"), default="real")
    parser.add_argument("--salts", type=int, default=10)
    parser.add_argument("--full", action="store_true", help="search anew for each salt")
    given = parser.parse_args()
    with TemporaryDirectory() as home:
        found = judged(case(given.rows, Path(home)).csv, given.salts, given.full)
    medians = {
        name: round(statistics.median(row[name] for row in found), 4)
        for name in found[0]
        if name in GOALS
    }
    for name, goal in GOALS.items():
        every = sorted(row[name] for row in found)
        said = (
            f"median {medians[name]:.4f} (goal {goal}), {every[0]:.4f} to {every[-1]:.4f}, shipped"
            f" {found[0][name]:.4f}"
        )
        print(f"  {name:<10} {said}", file=sys.stderr)
    print(
        json.dumps(
            {
                "schema": 1,
                "case": given.rows,
                "full": given.full,
                "medians": medians,
                "salts": found,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
