"""No line outside models/<name>/ knows what a model is about: its words come from its contract."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

from flows.project.models import models

ROOMS = ("sluice", "sluice_command", "gx", "bento", "flows", "deploy", "scripts", ".github")
FILES = ("Makefile", "pyproject.toml", "renovate.json")
KINDS = {".py", ".html", ".css", ".js", ".toml", ".yaml", ".yml", ".cfg", ".json", ".md"}
WORDS = re.compile(
    r"leavers?\b|\bleaving\b|always leave|employee|attrition|\bstaff\b|\bHR\b|dismissal|hiring",
    re.IGNORECASE,
)
# Each model of the repository, whatever it is called.
NAMES = re.compile(rf"\b(?:{'|'.join(map(re.escape, models(PROJECT)))})\b", re.IGNORECASE)
# Where a word may stand: (files, what is allowed in them, why).
EXCEPTIONS = (
    (
        "flows/cli/*/*.py",
        r"Example: sluice .*employees\.csv",
        "an example of a file that people bring",
    ),
    (
        "flows/gitops/manifest_repo.py",
        r'TEMPLATE_MODEL = "attrition"',
        "the model of the template, deploy/argocd",
    ),
    (
        "sluice/draft/column_words.py",
        r'"(attrition|cancellation|dismissal|employee)"',
        "what columns are often called, in tables about anything",
    ),
    (
        "sluice/draft/domains.py",
        r'"(employees?|attrition|hiring)"|about dismissal, promotion, pay, tasks or hiring',
        "what a draft says by domain: it is written into the contract of a model",
    ),
    (
        "flows/views/templates/evidence.html",
        r'>Leaving \{\{ e\.excluded\|join\(" and "\) \}\} out costs',
        "the verb: to leave columns out",
    ),
    (
        "flows/drills/gate/candidates.py",
        r'"(nearly )?always leave',
        "names of faults that reports of drills have used since the first",
    ),
    ("deploy/argocd/**/*", r"\battrition\b", "the template is that of the one model's repo"),
    ("deploy/haproxy/haproxy.cfg", r"attrition|user hr", "the example of one service and a user"),
)
# A word where it would be found: the test must be able to fail.
PLANTED = (
    ("sluice/gate/rules.py", 'needed = f"{more:,} more leavers found"'),
    ("sluice/served/statements.py", '"Deciding on its own about dismissal, promotion, pay."'),
    ("gx/advice.py", "# every Employee ID"),
    ("flows/cli/main.py", 'rows: str = "employees"'),
    ("Makefile", "\t@$(BIN)/sluice serve attrition"),
    (".github/workflows/release.yml", "run: .venv/bin/sluice release attrition"),
    ("flows/orchestration/deployments.py", 'parameters={"model": "attrition"}'),
    ("scripts/column_docs.py", 'page("cancellation")'),
    ("bento/page/one.html", "<h1>Is this employee leaving?</h1>"),
)


@cache
def allowed(name: str) -> list[str]:
    """The patterns that may stand in a file."""
    return [pattern for files, pattern, _ in EXCEPTIONS if Path(name) in excepted(files)]


@cache
def excepted(files: str) -> set[Path]:
    """The files of an exception, from the root of the project."""
    return {path.relative_to(PROJECT) for path in PROJECT.glob(files)}


def known(name: str, line: str) -> list[str]:
    """The words of a use case, and the names of models, that a line of this file holds beside what
    is allowed in it.
    """
    for pattern in allowed(name):
        line = re.sub(pattern, "", line)
    return [*WORDS.findall(line), *NAMES.findall(line)]


def lines() -> Iterator[tuple[str, int, str]]:
    """Every line of these rooms: its file, its number, its text."""
    inside = [path for room in ROOMS for path in sorted((PROJECT / room).rglob("*"))]
    files = [path for path in inside if path.suffix in KINDS and path.is_file()]
    for path in [*files, *(PROJECT / name for name in FILES)]:
        name = path.relative_to(PROJECT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield name, number, line


def test_no_room_knows_what_a_model_is_about() -> None:
    found = [
        f"{name}:{number}: {line.strip()}" for name, number, line in lines() if known(name, line)
    ]
    assert found == []


@pytest.mark.parametrize(("name", "line"), PLANTED)
def test_a_word_of_a_use_case_would_be_found(name: str, line: str) -> None:
    assert known(name, line)


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda exception: exception[0])
def test_every_exception_is_still_needed(exception: tuple[str, str, str]) -> None:
    files, pattern, why = exception
    texts = [
        (PROJECT / path).read_text(encoding="utf-8")
        for path in excepted(files)
        if (PROJECT / path).is_file()
    ]
    assert why
    assert any(re.search(pattern, text) for text in texts)
