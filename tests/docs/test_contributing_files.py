"""The files that a hosting site and its tools read: valid, and about things that are there."""

import fnmatch
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.adapters.process import Result, run

PROJECT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
TOOLS = Path(sys.executable).parent
FORMS = PROJECT / ".github" / "ISSUE_TEMPLATE"
SCHEMAS = {
    "renovate.json": "vendor.renovate",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/idea.yml": "vendor.github-issue-forms",
}


def load_toml(name: str) -> dict[str, Any]:
    return tomllib.loads((PROJECT / name).read_text(encoding="utf-8"))


def required() -> set[str]:
    """The names of all packages that pyproject.toml asks for."""
    project = load_toml("pyproject.toml")
    lines = [
        line
        for group in project["dependency-groups"].values()
        for line in group
        if isinstance(line, str)
    ]
    names = (
        re.match(r"[A-Za-z0-9_.-]+", line)
        for line in [*lines, *project["build-system"]["requires"]]
    )
    return {name.group() for name in names if name}


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_valid(name: str) -> None:
    run([TOOLS / "check-jsonschema", "--builtin-schema", SCHEMAS[name], PROJECT / name])


def test_no_form_is_left_unchecked() -> None:
    assert {path.relative_to(PROJECT).as_posix() for path in FORMS.iterdir()} == set(SCHEMAS) - {
        "renovate.json"
    }


def test_a_wrong_form_would_be_found(tmp_path: Path) -> None:
    mutant = tmp_path / "bug.yml"
    mutant.write_text(
        (FORMS / "bug.yml").read_text(encoding="utf-8").replace("type: textarea", "type: novel")
    )
    command = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", mutant]
    assert run(command, check=False).code


def test_updates_name_packages_that_are_asked_for() -> None:
    rules = json.loads((PROJECT / "renovate.json").read_text(encoding="utf-8"))["packageRules"]
    for rule in rules:
        for pattern in rule.get("matchPackageNames", []):
            assert pattern == "python" or fnmatch.filter(required(), pattern), pattern


def test_updates_wait_and_stay_inside_their_ranges() -> None:
    config = json.loads((PROJECT / "renovate.json").read_text(encoding="utf-8"))
    assert config["minimumReleaseAge"] == "14 days"
    assert config["internalChecksFilter"] == "strict"
    assert config["lockFileMaintenance"]["enabled"] is False
    [inside] = [
        rule for rule in config["packageRules"] if rule.get("rangeStrategy") == "in-range-only"
    ]
    assert inside["matchManagers"] == ["pep621"]
    assert "matchPackageNames" not in inside


def test_what_decides_and_what_runs_has_an_owner_of_its_own() -> None:
    lines = (PROJECT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    owners = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    everyone = owners["*"]
    owned = (
        "/overrides/",
        "/overrides/allowed_signers",
        "/overrides/keys.asc",
        "/models/*/policy.toml",
        "/deploy/",
    )
    for path in owned:
        assert owners[path] != everyone, path
    for path in owners.keys() - {"*"}:
        assert path.startswith("/overrides/") or list(PROJECT.glob(path.strip("/"))), path


def test_hooks_call_the_makefile_and_nothing_else() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))[
        "repos"
    ]
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE)
    assert [repo["repo"] for repo in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        assert re.fullmatch(r"make (\w+)", hook["entry"])
        assert hook["entry"].removeprefix("make ") in targets


def demo(project: Path, files: list[str], words: list[str]) -> Result:
    """What `make demo` would type in a project with these files."""
    (project / "Makefile").write_bytes((PROJECT / "Makefile").read_bytes())
    for name in files:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    words = ["make", "--no-print-directory", "--dry-run", "demo", *words]
    return run(words, cwd=project, env={"SLUICE_MODEL": ""}, check=False)


CHURN = ["models/churn/contract.toml", "models/churn/sample.toml"]
BOTH = [*CHURN, "models/attrition/contract.toml", "models/attrition/sample.py"]


@pytest.mark.parametrize(
    ("files", "words", "typed"),
    [
        (BOTH, ["MODEL=churn"], "release churn --data models/churn/sample.toml"),
        (BOTH, ["MODEL=attrition"], "release attrition"),
        (CHURN, [], "release --data models/churn/sample.toml"),
    ],
)
def test_a_demo_takes_the_generated_rows_of_the_model(
    files: list[str], words: list[str], typed: str, tmp_path: Path
) -> None:
    said = demo(tmp_path, files, words).stdout
    assert " ".join(said.splitlines()[-1].partition(".venv/bin/sluice ")[2].split()) == typed


def test_of_two_models_a_demo_wants_one_named(tmp_path: Path) -> None:
    ended = demo(tmp_path, BOTH, [])
    assert (ended.code, ended.stdout) == (2, "")
    assert "2 models are there and none is named: attrition churn. Type make demo " in ended.stderr
