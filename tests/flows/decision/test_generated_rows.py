"""A comparison between generated rows and somebody's data is told; any other is not."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from support.git_repos import ONE, promotion

from flows.adapters.registry import registry
from flows.decision.generated_rows import warning
from flows.project.data_source import Data
from flows.project.settings import Settings
from sluice.identity import sha256

SAMPLE, OWN = "sample:models.attrition.sample", "people.csv"
ROWS = b"made,up\n"
LITTLE = "says little"


def asked(folder: Path, reference: str, champion: str | None, evidence: str = "") -> Any:
    """A request for a table, beside a champion that was trained on another one."""
    (folder / "models" / "attrition").mkdir(parents=True)
    (folder / "models" / "attrition" / "contract.toml").write_text("")
    (folder / "data").mkdir()
    pointer = f'reference = "{SAMPLE}"\nsha256 = "{sha256(ROWS)}"\nrows = 1\n'
    (folder / "data" / "attrition.toml").write_text(pointer)
    place = registry.place("sluice.local/attrition", folder / "registry", 1.0)
    text = json.dumps({"data": {"source": champion}})
    kept = registry.push_files(place, "one", {"evidence.json": text.encode()}, "a/b", {})
    live = msgspec.structs.replace(
        promotion(ONE, 7).champion, data="1" * 64, evidence=evidence or kept
    )
    table = folder / "people.csv"
    table.write_bytes(b"others\n")
    return SimpleNamespace(
        champion=live if champion is not None else None,
        data=Data(reference, table, "2" * 64),
        settings=Settings(home=folder, project=folder),
        model="attrition",
        place=place,
    )


@pytest.mark.parametrize(
    ("reference", "champion", "told"),
    [
        (OWN, SAMPLE, "release 7, the champion, was trained on generated rows"),
        ("file:data/people.csv", SAMPLE, "release 7, the champion, was trained on generated rows"),
        (SAMPLE, OWN, "these rows are generated, and release 7, the champion, was trained on"),
        (SAMPLE, SAMPLE, ""),
        (OWN, OWN, ""),
        (OWN, "file:data/people.csv", ""),
        (OWN, None, ""),
        (SAMPLE, None, ""),
    ],
)
def test_what_is_told(tmp_path: Path, reference: str, champion: str | None, told: str) -> None:
    said = warning(asked(tmp_path, reference, champion))
    assert said.startswith(told)
    assert (LITTLE in said) == bool(told)


def test_a_file_of_the_generated_rows_is_generated(tmp_path: Path) -> None:
    request = asked(tmp_path, OWN, SAMPLE)
    request.data.path.write_bytes(ROWS)
    assert warning(request) == ""


def test_of_what_the_registry_does_not_have_nothing_is_said(tmp_path: Path) -> None:
    for reference in (OWN, SAMPLE):
        folder = tmp_path / reference.partition(":")[0]
        assert warning(asked(folder, reference, SAMPLE, evidence="sha256:" + "3" * 64)) == ""


def test_of_the_same_table_nothing_is_said(tmp_path: Path) -> None:
    request = asked(tmp_path, OWN, SAMPLE)
    request.champion = msgspec.structs.replace(request.champion, data="2" * 64)
    assert warning(request) == ""


def test_where_no_pointer_is_a_file_is_somebodys(tmp_path: Path) -> None:
    request = asked(tmp_path, OWN, SAMPLE)
    (tmp_path / "data" / "attrition.toml").unlink()
    assert LITTLE in warning(request)
