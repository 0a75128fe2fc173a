"""The documents: what they name is there, what they link to exists, and the column docs follow the
contract.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from flows.adapters.process import run
from flows.project.models import model_folder, models
from flows.project.root import ROOT
from scripts import column_docs
from sluice.model.artifact.model_artifact import segment_groups
from sluice.served.contract import Contract, load_contract

PAGES = [ROOT / name for name in run(["git", "ls-files", "*.md"], cwd=ROOT).stdout.split()]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def shipped() -> Contract:
    return load_contract(
        (model_folder("attrition", ROOT) / "contract.toml").read_text(encoding="utf-8")
    )


def code(text: str) -> str:
    """What a page shows as code: indented blocks, fences and spans."""
    parts = [*re.findall(r"^```.*?^```", text, re.M | re.S), *re.findall(r"^ {4}.*$", text, re.M)]
    return "\n".join([*parts, *re.findall(r"`[^`\n]+`", text)])


def test_the_column_docs_are_up_to_date() -> None:
    assert column_docs.main(["--check"]) == 0


def test_a_stale_page_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(column_docs, "ROOT", tmp_path)
    monkeypatch.setattr(column_docs, "PAGE", tmp_path / "docs" / "columns.md")
    monkeypatch.setattr(column_docs, "page", lambda: "new\n")
    assert column_docs.main(["--check"]) == 1
    assert "Run: python -m scripts.column_docs" in capsys.readouterr().err
    assert column_docs.main([]) == 0
    assert capsys.readouterr().out == "wrote docs/columns.md\n"
    assert column_docs.PAGE.read_text() == "new\n"
    assert column_docs.main(["--check"]) == 0
    column_docs.PAGE.write_text("old\n")
    assert column_docs.main(["--check"]) == 1


def test_another_argument_is_a_usage_error() -> None:
    assert column_docs.main(["--chek"]) == 2


WORDS = {
    "attrition": ("one employee", "Protected columns", "whether Attrition is Left.", "recall,"),
    "pumps": ("one pump", "", "whether Found is sound, worn bearing or blocked.", "mean recall"),
}


@pytest.mark.parametrize("model", WORDS)
def test_rows_roles_and_outcomes_are_named_as_the_contract_names_them(model: str) -> None:
    row, protected, outcome, measure = WORDS[model]
    _, _, rest = column_docs.page().partition(f"models/{model}/contract.toml`]")
    section = rest.partition("\n## ")[0]
    assert f"Each row is {row}." in section
    assert ("Protected columns serve" in section) == bool(protected)
    assert outcome in section
    assert f"s whose {measure}" in section


@pytest.mark.parametrize("model", models(ROOT))
def test_every_column_stands_there_once(model: str) -> None:
    contract = load_contract(
        (model_folder(model, ROOT) / "contract.toml").read_text(encoding="utf-8")
    )
    cells = [
        line.split(" | ")[0].strip("| ")
        for line in column_docs._section(model, contract).splitlines()
        if line.startswith("| ")
    ]
    assert column_docs._section(model, contract) in column_docs.page()
    for name in (*(c.name for c in contract.columns), *(f"`{d.name}`" for d in contract.derived)):
        assert cells.count(name) == 1, name


def test_the_groups_are_named_as_the_metrics_name_them() -> None:
    contract = shipped()
    age = contract.find("Age")
    assert age is not None
    groups = segment_groups(
        contract,
        {
            column.key: np.arange(18.0, 66.0)
            if column is age
            else np.full(48, (column.values or (0.0,))[0], dtype=object)
            for column in contract.columns
        },
    )
    for name in np.unique(groups["age_band"]):
        assert name in column_docs.page()


def test_a_cell_never_breaks_its_table() -> None:
    assert column_docs._table(["a"], [["x|y"]]).splitlines()[-1] == "| x&#124;y |"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            place = page.parent / path if path else page
            assert place.exists(), target
            assert not anchor or anchor in headings(place), target


def headings(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_is_there(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.M)
    for target in re.findall(
        r"\bmake (?:PYTHON=\S+ )?([a-z][\w-]*)", code(page.read_text(encoding="utf-8"))
    ):
        assert target in phony.split(), target


def test_every_target_has_a_recipe() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.M)
    assert sorted(phony.split()) == sorted(re.findall(r"^([\w-]+):", makefile, re.M))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_module_that_is_run_is_there(page: Path) -> None:
    for name in re.findall(
        r"\bpython -m ((?:benchmarks|flows)[\w.]*)", code(page.read_text(encoding="utf-8"))
    ):
        place = ROOT / name.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_sluice_command_is_there(page: Path) -> None:
    from typer.main import get_command

    from flows.cli.main import app

    group = get_command(app)
    for name, rest in re.findall(
        r"\bsluice ([a-z][\w-]*)([^`\n|;]*)", code(page.read_text(encoding="utf-8"))
    ):
        command = group.commands.get(name)  # type: ignore[attr-defined]
        assert command is not None, f"sluice {name}"
        parts = getattr(command, "commands", {})
        command = parts.get(rest.split()[0], command) if rest.split() else command
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<!\S)--[\w-]+", rest)) <= known | {"--help"}, (
            f"sluice {name}{rest}"
        )


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_setting_is_there(page: Path) -> None:
    from bento.ops.settings import Settings as OfTheService
    from flows.project.settings import Settings

    known = {
        f"SLUICE_{name.upper()}"
        for name in (*Settings.model_fields, *OfTheService.__dataclass_fields__)
    }
    known |= {"SLUICE_NO_APT", "SLUICE_REAL_DATA", "SLUICE_CRDS", "SLUICE_CASES"}
    assert set(re.findall(r"\bSLUICE_[A-Z_]+\b", page.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_path_in_code_exists(page: Path) -> None:
    rooms = "sluice|models|gx|bento|flows|deploy|tests|benchmarks|docs|data"
    for path in re.findall(rf"`((?:{rooms})/[\w./-]+)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists() or (page.parent / path).exists(), path
