"""What holds for each model of the repository, whatever it is about."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.git_repos import seeded

from flows.adapters.git import kustomize
from flows.gitops import deploy_files
from flows.project import data_source, new_folder
from flows.project.models import model_folder, models
from flows.project.root import ROOT
from flows.project.settings import Settings
from gx.validation import validate
from sluice.gitops.deploy_files import kubernetes_name
from sluice.model.data.split import deciding, parts, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.policy import Policy, load_policy
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import encode, feature_names, read_records
from sluice.served.statements import statements

EVERY = pytest.mark.parametrize("model", models(ROOT))


def contract(model: str) -> Contract:
    path = model_folder(model, ROOT) / "contract.toml"
    return load_contract(path.read_text(encoding="utf-8"), str(path))


def policy(model: str) -> Policy:
    path = model_folder(model, ROOT) / "policy.toml"
    return load_policy(path.read_text(encoding="utf-8"), str(path))


def test_there_are_several() -> None:
    assert len(models(ROOT)) > 1


@EVERY
def test_a_person_answers_for_its_policy(model: str) -> None:
    assert policy(model).reviewed


@EVERY
def test_its_pointer_names_rows_that_are_nobodys_and_that_a_release_would_take(
    model: str, tmp_path: Path
) -> None:
    """The whole way from the pointer to the parts of the split, without a model."""
    given = Settings(project=ROOT, home=tmp_path)
    data = data_source.from_pointer(given, model)
    assert data_source.generated(data.reference)
    read, rules = contract(model), policy(model)
    frame = read_table(data.path.read_bytes(), read, data.reference)
    report = validate(read, frame, minimum_rows=rules.data.minimum_rows, model=model)
    assert not report.refused
    columns = typed(frame, read)
    labels = columns[read.target.column]
    rows = parts(rules.split, row_hashes(rules.split.salt, deciding(read, columns)), labels)
    matrix = encode(read, columns)
    assert matrix.shape == (len(frame), len(feature_names(read)))
    kept = any(column.kept for column in read.features)
    assert (np.isfinite(matrix) | (kept & np.isnan(matrix))).all()
    counts = np.bincount(labels[rows["holdout"]], minlength=len(read.target.outcomes))
    fewest = counts.min() if read.target.several else counts[1]
    assert fewest >= rules.gate.least_positives


@EVERY
def test_its_example_is_a_record_that_it_takes(model: str) -> None:
    read = contract(model)
    record = {column.key: column.example for column in read.features}
    assert encode(read, read_records(read, [record])).shape == (1, len(feature_names(read)))


@EVERY
def test_it_has_words_of_its_own(model: str) -> None:
    read = contract(model)
    told = statements(read)
    assert read.title
    assert read.text
    assert told["use"]
    assert told["misuse"]
    others = {contract(other).rows for other in models(ROOT) if other != model} - {read.rows}
    text = (model_folder(model, ROOT) / "contract.toml").read_text(encoding="utf-8")
    assert not [word for word in others if re.search(rf"\b{re.escape(word)}\b", text)]


@EVERY
@pytest.mark.parametrize("overlay", ["production", "staging"])
def test_its_manifests_render_and_run_its_image(model: str, overlay: str, tmp_path: Path) -> None:
    files = deploy_files.files_of(seeded(tmp_path), model)
    new_folder.write(tmp_path / "there", files)
    rendered = kustomize.render(tmp_path / "there" / "overlays" / overlay / model)
    assert f"image: sluice.local/{model}:unreleased@sha256:" in rendered
    assert f"name: {kubernetes_name(model)}\n" in rendered
    for other in models(ROOT):
        assert other == model or not re.search(rf"\b{kubernetes_name(other)}\b", rendered)
