"""The house rules: names, and what may stand in which room."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from support.model_artifacts import PROJECT

from flows.cli.main import app

ROOMS = ("sluice", "sluice_command", "gx", "bento", "flows", "models", "benchmarks", "scripts")
MEANINGLESS = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "lib",
    "manager",
    "managers",
    "misc",
    "shared",
    "stuff",
    "tools",
    "util",
    "utilities",
    "utils",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules(*rooms: str) -> dict[str, str]:
    """The source of every module of these rooms, by its place in the project."""
    found = {path for room in rooms or ROOMS for path in (PROJECT / room).rglob("*.py")}
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(found)
    }


@cache
def tree(source: str) -> tuple[ast.AST, ...]:
    """Every node of a syntax tree."""
    return tuple(ast.walk(ast.parse(source)))


def nodes(*rooms: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node of their syntax trees, with the module it is in."""
    return ((name, node) for name, source in modules(*rooms).items() for node in tree(source))


def imports(*rooms: str) -> dict[str, set[str]]:
    """What each module of these rooms imports, anywhere in it, as dotted names."""
    found: dict[str, set[str]] = {name: set() for name in modules(*rooms)}
    for name, node in nodes(*rooms):
        if isinstance(node, ast.Import):
            found[name] |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found[name] |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def importing(what: tuple[str, ...], *rooms: str) -> set[str]:
    """The modules that import one of these packages, or something of it."""
    return {
        name
        for name, found in imports(*rooms).items()
        if any(f"{i}.".startswith(f"{w}.") for i in found for w in what)
    }


def test_a_name_says_what_is_inside() -> None:
    named = {
        name: {Path(name).stem, *Path(name).parent.parts}
        for name in [*modules(), *modules("tests")]
    }
    assert {name for name, words in named.items() if words & MEANINGLESS} == set()


def test_every_module_says_what_it_is_for_in_its_first_line() -> None:
    sources = {
        name: source for name, source in (modules() | modules("tests")).items() if source.strip()
    }
    assert [
        name for name, source in sources.items() if not ast.get_docstring(ast.parse(source))
    ] == []


def test_the_room_of_great_expectations_holds_python_alone_and_tests_are_no_package() -> None:
    inside = [
        path
        for path in (PROJECT / "gx").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {path.suffix for path in inside} == {".py"}
    packages = [path.parent.name for path in (PROJECT / "tests").rglob("__init__.py")]
    assert packages == ["support"]


def test_nothing_is_pickled() -> None:
    assert (
        importing(
            ("pickle", "cloudpickle", "dill", "shelve", "marshal", "_pickle", "pandas.read_pickle")
        )
        == set()
    )
    joblib = {i for found in imports().values() for i in found if i.startswith("joblib")}
    assert joblib <= {"joblib.Parallel", "joblib.delayed"}  # threads, and no files
    pickled = re.compile(r"\.to_pickle\(|read_pickle\(|allow_pickle=True|joblib\.(dump|load)")
    assert [name for name, source in modules().items() if pickled.search(source)] == []


def test_nothing_is_evaluated_as_code() -> None:
    called = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile")
    ]
    assert called == []


DOORS = {
    "flows/adapters/process.py",  # for programs that end
    "flows/adapters/server.py",  # for those that stay
    "bento/model_trial.py",  # for the trial of a model: the image has no flows
    "scripts/release_sluice.py",  # git and uv, for a release of Sluice itself
    "scripts/environment.py",  # before anything is installed, on the standard library alone
}


def test_programs_are_started_through_few_doors() -> None:
    started = importing(
        ("subprocess", "os.system", "os.popen", "pty"),
        "sluice",
        "models",
        "gx",
        "bento",
        "flows",
        "scripts",
    )
    assert started == DOORS
    assert [name for name, source in modules().items() if "shell=True" in source] == []


@pytest.mark.parametrize(
    ("tool", "rooms"),
    [
        ("great_expectations", {"gx"}),
        ("prefect", {"flows"}),
        ("mlflow", {"flows"}),
        ("evidently", {"flows"}),
        ("bentoml", {"bento", "flows"}),
        ("flows", {"flows", "scripts", "sluice_command"}),
        ("hypothesis", set()),
        ("pytest", set()),
    ],
)
def test_a_tool_has_its_room(tool: str, rooms: set[str]) -> None:
    # what is compared with may be anything
    product = [room for room in ROOMS if room != "benchmarks"]
    assert {name.split("/")[0] for name in importing((tool,), *product)} <= rooms


def test_adapters_know_no_prefect() -> None:
    assert importing(("prefect",), "flows/adapters") == set()


def test_imports_are_absolute() -> None:
    """The key of a step follows them, and knows no others."""
    assert [name for name, node in nodes() if isinstance(node, ast.ImportFrom) and node.level] == []


def test_the_rules_read_no_clock_no_environment_and_no_chance() -> None:
    foreign = (
        "time",
        "random",
        "secrets",
        "uuid",
        "socket",
        "urllib",
        "http",
        "tempfile",
        "shutil",
    )
    assert importing(foreign, "sluice") == set()
    assert importing(("os",), "sluice") == set()
    # A date that is handed in may be counted with; what day it is, nobody there may ask.
    asking = re.compile(r"\b(?:date|datetime)\.(?:now|today|utcnow|fromtimestamp)\b")
    assert [
        name for name, source in modules("sluice", "models").items() if asking.search(source)
    ] == []
    loose = re.compile(r"np\.random\.(?!default_rng\(\S|PCG64\(\S|PCG64\b|Generator)")
    assert [
        name for name, source in modules("sluice", "models").items() if loose.search(source)
    ] == []
    assert [
        name for name, source in modules("sluice", "models").items() if "default_rng()" in source
    ] == []


COMMAND = re.compile(r"(?:^|[`$;&|(] ?)(make|sluice) ([a-z][a-z0-9-]*)", re.MULTILINE)


def commands(text: str) -> set[tuple[str, str]]:
    """The commands in the code of a Markdown text: `make ...` and `sluice ...`."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    return {found for part in code for found in COMMAND.findall(part)}


def known() -> set[tuple[str, str]]:
    """The targets of the Makefile, and the commands of the command line."""
    targets = re.findall(
        r"^([a-z][a-z0-9-]*):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {("make", target) for target in targets} | {("sluice", name) for name in written()}


def written() -> dict[str, str]:
    """The text of `--help` of every command, those of a group and their parts among them."""
    found: dict[str, str] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        found[name] = command.help or ""
        found |= {
            f"{name} {part}": of.help or "" for part, of in getattr(command, "commands", {}).items()
        }
    return found


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        *(path.relative_to(PROJECT).as_posix() for path in sorted((PROJECT / "docs").glob("*.md"))),
    ],
)
def test_the_commands_that_are_written_about_exist(page: str) -> None:
    assert commands((PROJECT / page).read_text(encoding="utf-8")) - known() == set()


def test_commands_are_found_in_code_and_nowhere_else() -> None:
    text = (
        "make up your mind, `make demo` or\n```sh\n$ sluice fly --x\nmake test && make"
        " e2e\n```\nthe sluice opens"
    )
    assert commands(text) == {
        ("make", "demo"),
        ("sluice", "fly"),
        ("make", "test"),
        ("make", "e2e"),
    }
    assert commands(text) - known() == {("sluice", "fly")}


def test_every_target_is_phony_and_every_command_has_an_example() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert {("make", target) for line in phony for target in line.split()} == {
        k for k in known() if k[0] == "make"
    }
    for name, text in written().items():
        assert f"Example: sluice {name}" in text, name
