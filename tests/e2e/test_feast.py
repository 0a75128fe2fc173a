"""The real Feast, in an environment of its own: it takes the file of features as the docs say."""

import datetime
import textwrap
from pathlib import Path

import pytest
from support.installed_programs import environment

from flows.adapters.process import run
from flows.project.root import ROOT
from models.attrition import sample
from sluice.model.data.feature_table import feature_table
from sluice.model.data.table import to_parquet
from sluice.served.contract import load_contract

STORE = """
project: employees
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""
ASK = """
from feast import FeatureStore
found = FeatureStore(".").get_online_features(
    features=["attrition:tenure_gap"], entity_rows=[{"employee_id": EMPLOYEE}]
).to_dict()
print(found["tenure_gap"][0])
"""


@pytest.fixture(scope="session")
def program() -> Path:
    return environment("feast", "0.67.0") / "bin"


def documented() -> str:
    """The definitions that the page shows."""
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("    # features.py")
    block, _, _ = rest.partition("\n`feast apply`")
    return textwrap.dedent(block.partition("\n")[2])


def test_what_the_page_defines_is_applied_filled_and_answers(program: Path, tmp_path: Path) -> None:
    text = (ROOT / "models" / "attrition" / "contract.toml").read_text(encoding="utf-8")
    text = text.replace("schema = 1\n", 'schema = 1\nas_of = "Day"\n', 1)
    contract = load_contract(text + '\n[columns."Day"]\nrole = "ignored"\n')
    head, *lines = sample.to_csv(sample.generate(50)).decode().splitlines()
    rows = "\n".join([f"{head},Day", *(f"{line},2026-11-20" for line in lines)])
    columns = feature_table(rows.encode(), contract, "rows.csv")
    (tmp_path / "features.parquet").write_bytes(to_parquet(columns))
    (tmp_path / "feature_store.yaml").write_text(STORE, encoding="utf-8")
    (tmp_path / "features.py").write_text(documented(), encoding="utf-8")
    employee, gap = int(columns["employee_id"][7]), float(columns["tenure_gap"][7])
    env = {"FEAST_USAGE": "False", "PYTHONPATH": ""}
    run([program / "feast", "apply"], cwd=tmp_path, env=env)
    until = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC).isoformat()
    run(
        [program / "feast", "materialize", "2026-11-01T00:00:00", until[:19]], cwd=tmp_path, env=env
    )
    # Feast runs every file of its folder, so this one comes another way.
    ask = ASK.replace("EMPLOYEE", str(employee))
    told = run([program / "python", "-"], cwd=tmp_path, env=env, stdin=ask)
    assert float(told.stdout) == gap
