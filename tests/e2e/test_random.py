"""The service asked at random, from its own description; and what it took is what training can
encode.

A thousand cases; `SLUICE_CASES=10000 .venv/bin/pytest tests/e2e/test_random.py` asks ten thousand.
"""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.model_artifacts import MODEL

from flows.adapters.image import bento
from flows.adapters.process import run
from models.attrition import sample
from sluice.model.data.table import read_table, typed
from sluice.served.contract import Column, Contract, load_contract
from sluice.served.encoding import encode
from sluice.served.scoring import load_model, score_matrix

CASES = int(os.environ.get("SLUICE_CASES", "1000"))
PAGE = "^/(rows|people|opinion|rows.csv|people.csv|quality)?$"
# Of columns neither does a schema say that they have the same number of rows, and each name once.
LOOSE = f"{PAGE}|/infer$"
# A form of the page means more than a schema says: what is accepted there, tests of the page say.
ANY = "not_a_server_error,status_code_conformance,unsupported_method,allow_header_conformance"


def asked(url: str, folder: Path, examples: int, *flags: str) -> int:
    """How many cases Schemathesis made up and found nothing wrong with."""
    tool = str(Path(sys.executable).parent / "schemathesis")
    words = [
        "--max-examples",
        str(examples),
        "--seed",
        "1",
        "--request-timeout",
        "30",
        "--no-color",
        *flags,
    ]
    env = {
        "SCHEMATHESIS_HOOKS": "one_row",
        "PYTHONPATH": str(Path(__file__).parents[1] / "support"),
    }
    done = run(
        [tool, "run", f"{url}/docs.json", *words], cwd=folder, env=env, check=False, timeout=3600
    )
    print(done.stdout[-6000:])
    assert done.code == 0
    [count] = re.findall(r"(?m)^ *([\d,]+) generated", done.stdout)
    return int(count.replace(",", ""))


@pytest.fixture(scope="module")
def log(made: Path, work: Path) -> Path:
    """The prediction log of a service that was asked at random."""
    with bento.serve(
        made, work / "bentoml", env={"SLUICE_PREDICTION_LOG": str(work / "log")}
    ) as url:
        count = asked(url, work, CASES // 4, "--checks", "all", "--exclude-path-regex", LOOSE)
        forms = asked(url, work, CASES // 20, "--checks", ANY, "--include-path-regex", LOOSE)
    print(f"{count} cases, and {forms} of the page")
    assert count + forms >= CASES
    return work / "log"


def csv_of(contract: Contract, rows: list[dict[str, Any]]) -> bytes:
    """A table for training with these values in its columns, as JSON wrote them; the rest is of no
    real person.
    """
    given = next(csv.DictReader(io.StringIO(sample.to_csv(sample.generate(1)).decode())))
    text = io.StringIO()
    table = csv.DictWriter(text, list(given))
    table.writeheader()
    table.writerows(
        {**given, **{c.name: cell(c, row[c.key]) for c in contract.features}} for row in rows
    )
    return text.getvalue().encode()


def cell(column: Column, value: Any) -> str:
    """A value of JSON as people write it into a table."""
    if isinstance(value, bool):
        return column.values[value]
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def test_what_was_accepted_at_random_can_be_trained_on(log: Path, artifact: Path) -> None:
    lines = [
        json.loads(line)
        for path in sorted(log.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    answers = [line for line in lines if line["kind"] == "prediction"]
    assert len(answers) > CASES // 10
    contract = load_contract((MODEL / "contract.toml").read_text())
    table = read_table(
        csv_of(contract, [line["inputs"] for line in answers]), contract, "accepted.csv"
    )
    scores = score_matrix(load_model(artifact).session, encode(contract, typed(table, contract)))
    print(f"{len(answers)} accepted records")
    assert np.abs(scores - [line["probability"] for line in answers]).max() < 1e-6
