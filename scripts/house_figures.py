"""Figures of the code of this project: how long, how dense, how typed, how documented it is.

    make house
    .venv/bin/python scripts/house_figures.py [ROOT] [--json]

It is a mirror and fails nothing. ROOT is a checkout of any version, so that two can be compared.
Counted are the packages that the wheel ships (pyproject.toml) and the folder `tests`, without
empty modules. A room is a folder; a room's own figures leave out the folders inside it. Shares
"a thousand lines" are of all lines: code, comments, docstrings and blank ones.
"""

import argparse
import ast
import io
import json
import re
import statistics
import sys
import tokenize
import tomllib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANY_MODULES = 25  # side by side in one folder
MANY_PARAMETERS = 6
_LAYOUT = {
    tokenize.ENCODING,
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
# Python 3.12 cuts an f-string into parts. It counts as one token in every version.
_FSTRING_START = getattr(tokenize, "FSTRING_START", -1)
_FSTRING_END = getattr(tokenize, "FSTRING_END", -1)
_MARK = re.compile(r"#\s*(noqa|fmt:|type:|pragma|!)")  # comments that are read by a tool
_FMT_SKIP = re.compile(r"#\s*fmt:\s*skip")
_PATCH = re.compile(
    r"monkeypatch\.set(attr|item)|(\w+\.)*(mock|mocker)\.patch(\.\w+)*|patch(\.\w+)*"
)
_RAISES = re.compile(r"\b[Rr]ais(e|es|ed|ing)\b")
# What the same counting gives for eight public Python projects (fmind's template, gto, pre-commit,
# httpx, svcs, python-tuf, tox, dvc), November 2026: from the lowest to the highest.
ELSEWHERE = {
    "module_lines": "79-274 median",
    "function_lines": "5-13 median",
    "function_tokens": "35-56 median",
    "tokens_per_line": "5.6-7.3",
    "fmt_skip": "0-1",
    "ternaries": "0-12",
    "comprehensions": "2-12",
    "lookups": "1-18",
    "any": "0-11",
    "parameters": "3-8 p90",
    "return_annotated": "34-100 %",
    "docstrings": "6-98 %",
    "docstrings_multi_line": "26-90 %",
    "docstrings_naming_errors": "0-48 %",
    "comments": "19-65",
    "tests_to_source": "0.56-1.60",
    "patches": "0.1-20",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file, its path from the root of the checkout. What is read from its text is read
    once, and only if a figure needs it.
    """

    path: Path
    text: str

    @property
    def room(self) -> str:
        """The folder, from the root of the checkout."""
        return self.path.parent.as_posix()

    @property
    def name(self) -> str:
        """The dotted name under which it is imported."""
        parts = self.path.with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        return ".".join(parts)

    @property
    def lines(self) -> int:
        """The number of its lines."""
        return len(self.text.splitlines())

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of its syntax tree."""
        return tuple(ast.walk(ast.parse(self.text)))

    @property
    def functions(self) -> list[Function]:
        """Its functions and methods, those inside others too."""
        return [node for node in self.nodes if isinstance(node, Function)]

    @property
    def tokens(self) -> tuple[int, ...]:
        """The lines on which its tokens start, in order, without layout and comments."""
        return self._scanned[0]

    @property
    def comments(self) -> tuple[str, ...]:
        """Its comments, those that a tool reads among them."""
        return self._scanned[1]

    @cached_property
    def _scanned(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        starts: list[int] = []
        comments: list[str] = []
        depth = 0  # of f-strings
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                comments.append(token.string)
            elif token.type == _FSTRING_END:
                depth -= 1
            elif depth == 0 and token.type not in _LAYOUT:
                starts.append(token.start[0])
            if token.type == _FSTRING_START:
                depth += 1
        return tuple(starts), tuple(comments)


@dataclass(frozen=True)
class Spread:
    """Median, ninth decile and maximum of a measure."""

    median: float
    p90: float
    max: float


@dataclass(frozen=True)
class Room:
    """The figures of one folder; `lookups` and `any` are a thousand lines."""

    modules: int
    lines: int
    lookups: float
    any: float


@dataclass(frozen=True)
class House:
    """All figures of a checkout. Names without a unit are counts; shares are from 0 to 1; the
    fields from `ternaries` to `comments` are a thousand source lines, `patches` a thousand test
    lines.
    """

    modules: int
    lines: int
    module_lines: Spread
    functions: int
    function_lines: Spread
    function_tokens: Spread
    tokens_per_line: float
    fmt_skip: int
    ternaries: float
    comprehensions: float
    lookups: float
    any: float
    comments: float
    parameters: Spread
    functions_with_many_parameters: int
    return_annotated: float
    docstrings: float
    docstrings_multi_line: float
    docstrings_with_a_body: float
    docstrings_naming_errors: float
    setattr_calls: int
    test_lines: int
    tests_to_source: float
    patches: float
    fmt_skip_in_tests: int
    crowded: dict[str, int] = field(default_factory=dict)
    circles: list[list[str]] = field(default_factory=list)
    rooms: dict[str, Room] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Print the figures of a checkout as a table, or as JSON with `--json`; return 0."""
    parser = argparse.ArgumentParser(description="Figures of the code of a checkout.")
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="this one by default")
    parser.add_argument("--json", action="store_true", help="for a program")
    chosen = parser.parse_args(arguments)
    house = measure(chosen.root)
    print(json.dumps(asdict(house), indent=2) if chosen.json else table(house))
    return 0


def measure(root: Path) -> House:
    """The figures of the checkout at `root`. Raises OSError without a pyproject.toml there."""
    manifest = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = manifest["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    source = [module for package in shipped for module in modules(root, package)]
    tests = modules(root, "tests")
    lines = _lines(source)
    functions = [function for module in source for function in module.functions]
    counts = [_parameters(function) for function in functions]
    docstrings = [ast.get_docstring(node) for node in _public_functions(functions)]
    written = [text for text in docstrings if text]
    code_lines = sum(len(set(module.tokens)) for module in source)
    return House(
        modules=len(source),
        lines=lines,
        module_lines=_spread(module.lines for module in source),
        functions=len(functions),
        function_lines=_spread(_span(function) for function in functions),
        function_tokens=_spread(_function_tokens(source)),
        tokens_per_line=_ratio(sum(len(module.tokens) for module in source), code_lines),
        fmt_skip=_fmt_skips(source),
        ternaries=_per_thousand(_count(source, _is_ternary), lines),
        comprehensions=_per_thousand(_count(source, _is_comprehension), lines),
        lookups=_per_thousand(_count(source, _is_lookup), lines),
        any=_per_thousand(_count(source, _is_any), lines),
        comments=_per_thousand(sum(_comments(module) for module in source), lines),
        parameters=_spread(counts),
        functions_with_many_parameters=sum(count >= MANY_PARAMETERS for count in counts),
        return_annotated=_share(function.returns is not None for function in functions),
        docstrings=_share(text is not None for text in docstrings),
        docstrings_multi_line=_share("\n" in text for text in written),
        docstrings_with_a_body=_share("\n\n" in text for text in written),
        docstrings_naming_errors=_share(bool(_RAISES.search(text)) for text in written),
        setattr_calls=_count(source, _is_setattr),
        test_lines=_lines(tests),
        tests_to_source=_ratio(_lines(tests), lines),
        patches=_per_thousand(_patches(tests), _lines(tests)),
        fmt_skip_in_tests=_fmt_skips(tests),
        crowded=crowded(source),
        circles=circles(arrows(source)),
        rooms=rooms(source),
    )


def modules(root: Path, package: str) -> list[Module]:
    """The modules of a folder that hold anything, by path."""
    paths = sorted((root / package).rglob("*.py"))
    read = [Module(path.relative_to(root), path.read_text(encoding="utf-8")) for path in paths]
    return [module for module in read if module.text.strip()]


def rooms(source: Sequence[Module]) -> dict[str, Room]:
    """The figures of each folder, by its path."""
    inside: defaultdict[str, list[Module]] = defaultdict(list)
    for module in source:
        inside[module.room].append(module)
    return {name: _room(members) for name, members in sorted(inside.items())}


def crowded(source: Sequence[Module]) -> dict[str, int]:
    """The folders with more than MANY_MODULES modules, with their number."""
    return {
        name: room.modules for name, room in rooms(source).items() if room.modules > MANY_MODULES
    }


def arrows(source: Sequence[Module]) -> dict[str, set[str]]:
    """Which folder imports which, late imports and those for types alone included."""
    room_of = {module.name: module.room for module in source}
    drawn: dict[str, set[str]] = {module.room: set() for module in source}
    for module in source:
        for name in _imported(module, room_of):
            drawn[module.room].add(room_of[name])
        drawn[module.room].discard(module.room)
    return drawn


def circles(drawn: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of folders that reach each other along the arrows, each group sorted."""
    reach = {name: _reachable(name, drawn) for name in drawn}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in drawn
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def table(house: House) -> str:
    """The figures as text of at most 80 columns."""
    lines = [f"{'figure':<38}{'here':>20}  {'elsewhere':<15}".rstrip(), "-" * 78]
    lines += [_row(label, value, ELSEWHERE.get(key, "")) for label, value, key in _figures(house)]
    lines += ["", f"{'room':<30}{'modules':>9}{'lines':>8}{'x[..] a kline':>16}{'Any a kline':>14}"]
    lines += ["-" * 78]
    for name, room in house.rooms.items():
        counts = f"{room.modules:>9}{room.lines:>8}{room.lookups:>16.1f}{room.any:>14.1f}"
        lines.append(f"{name:<30}{counts}")
    lines += ["", _listed(f"More than {MANY_MODULES} modules side by side", _crowds(house))]
    lines += [_listed("Import circles between rooms", [" <-> ".join(c) for c in house.circles])]
    return "\n".join(lines)


def _figures(house: House) -> Iterator[tuple[str, str, str]]:
    """Label, value and key of each row of the first table."""
    yield "modules / lines", f"{house.modules} / {house.lines:,}", ""
    yield "module lines, median / p90 / max", _three(house.module_lines), "module_lines"
    yield "functions", f"{house.functions:,}", ""
    yield "function lines, median / p90 / max", _three(house.function_lines), "function_lines"
    yield "function tokens, median / p90 / max", _three(house.function_tokens), "function_tokens"
    yield "tokens a code line", f"{house.tokens_per_line:.1f}", "tokens_per_line"
    yield "fmt: skip in source / in tests", _skips(house), "fmt_skip"
    yield "ternaries a thousand lines", f"{house.ternaries:.1f}", "ternaries"
    yield "comprehensions a thousand lines", f"{house.comprehensions:.1f}", "comprehensions"
    yield 'x["word"], .get("word") a thousand l.', f"{house.lookups:.1f}", "lookups"
    yield "Any a thousand lines", f"{house.any:.1f}", "any"
    yield "parameters, median / p90 / max", _three(house.parameters), "parameters"
    many = f"functions with {MANY_PARAMETERS} or more"
    yield many, str(house.functions_with_many_parameters), ""
    yield "return type annotated", f"{house.return_annotated:.0%}", "return_annotated"
    yield "public functions with a docstring", f"{house.docstrings:.0%}", "docstrings"
    multi_line = f"{house.docstrings_multi_line:.0%}"
    yield "  of these over several lines", multi_line, "docstrings_multi_line"
    yield "  of these with a second paragraph", f"{house.docstrings_with_a_body:.0%}", ""
    errors = f"{house.docstrings_naming_errors:.0%}"
    yield "  of these naming errors", errors, "docstrings_naming_errors"
    yield "comments a thousand lines", f"{house.comments:.1f}", "comments"
    yield "setattr() in source", str(house.setattr_calls), ""
    yield "test lines", f"{house.test_lines:,}", ""
    yield "test lines a source line", f"{house.tests_to_source:.2f}", "tests_to_source"
    yield "patches a thousand test lines", f"{house.patches:.1f}", "patches"


def _row(label: str, value: str, elsewhere: str) -> str:
    return f"{label:<38}{value:>20}  {elsewhere}".rstrip()


def _three(spread: Spread) -> str:
    return f"{spread.median:g} / {spread.p90:g} / {spread.max:g}"


def _skips(house: House) -> str:
    return f"{house.fmt_skip} / {house.fmt_skip_in_tests}"


def _crowds(house: House) -> list[str]:
    return [f"{name} ({count})" for name, count in house.crowded.items()]


def _listed(title: str, entries: Sequence[str]) -> str:
    if not entries:
        return f"{title}: none"
    return "\n".join([f"{title}:", *(_wrapped(entry) for entry in entries)])


def _wrapped(entry: str, width: int = 76) -> str:
    """The entry, indented by two, its words on as many lines as they need."""
    lines = [""]
    for word in entry.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += f" {word}"
    return "\n".join(f" {line}" for line in lines)


def _room(members: Sequence[Module]) -> Room:
    lines = _lines(members)
    return Room(
        modules=len(members),
        lines=lines,
        lookups=_per_thousand(_count(members, _is_lookup), lines),
        any=_per_thousand(_count(members, _is_any), lines),
    )


def _function_tokens(source: Sequence[Module]) -> Iterator[int]:
    """The number of tokens of each function: signature, docstring (as one token) and body, without
    decorators. Those of a function inside are counted in both.
    """
    for module in source:
        for function in module.functions:
            last = function.end_lineno or function.lineno
            first, after = function.lineno, last + 1
            yield bisect_left(module.tokens, after) - bisect_left(module.tokens, first)


def _public_functions(functions: Sequence[Function]) -> list[Function]:
    return [function for function in functions if not function.name.startswith("_")]


def _span(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _parameters(function: Function) -> int:
    """The number of parameters, without self and cls."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    starred = [one for one in (given.vararg, given.kwarg) if one]
    return sum(one.arg not in ("self", "cls") for one in [*named, *starred])


def _comments(module: Module) -> int:
    return sum(not _MARK.match(text) for text in module.comments)


def _fmt_skips(chosen: Sequence[Module]) -> int:
    return sum(len(_FMT_SKIP.findall(module.text)) for module in chosen)


def _is_ternary(node: ast.AST) -> bool:
    return isinstance(node, ast.IfExp)


def _is_comprehension(node: ast.AST) -> bool:
    return isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)


def _is_any(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "Any"


def _is_lookup(node: ast.AST) -> bool:
    """Whether it reads a value by a key that is written there: `x["word"]` or `x.get("word")`."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Load) and _is_word(node.slice)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "get" and bool(node.args) and _is_word(node.args[0])
    return False


def _is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_setattr(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr"
    )


def _patches(tests: Sequence[Module]) -> int:
    """How often a test replaces an attribute or an item of something that exists."""
    suspected = [module for module in tests if "patch" in module.text]
    return _count(suspected, _is_patch)


def _is_patch(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and bool(_PATCH.fullmatch(ast.unparse(node.func)))


def _imported(module: Module, known: Mapping[str, str]) -> Iterator[str]:
    """The names of the modules of the house that it imports."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from [name for name in (inner, node.module) if name in known][:1]


def _reachable(start: str, drawn: Mapping[str, set[str]]) -> set[str]:
    """Every folder to which a way of at least one arrow leads."""
    reached: set[str] = set()
    ahead = list(drawn[start])
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += drawn[name]
    return reached


def _count(chosen: Sequence[Module], rule: Callable[[ast.AST], bool]) -> int:
    return sum(rule(node) for module in chosen for node in module.nodes)


def _lines(chosen: Sequence[Module]) -> int:
    return sum(module.lines for module in chosen)


def _spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread(0, 0, 0)
    return Spread(statistics.median(ordered), ordered[int(0.9 * len(ordered))], ordered[-1])


def _share(answers: Iterable[bool]) -> float:
    known = list(answers)
    return _ratio(sum(known), len(known))


def _per_thousand(count: int, lines: int) -> float:
    return _ratio(1000 * count, lines)


def _ratio(part: float, whole: float) -> float:
    if not whole:
        return 0.0
    return round(part / whole, 3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
