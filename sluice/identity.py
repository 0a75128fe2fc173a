"""Identity by content: hashes of bytes, of values and of code. Never of a path, a time or a run
id.
"""

import ast
import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOMS = ("sluice", "models", "gx", "bento", "flows")
Inputs = Mapping[str, str]
# The fields of a syntax tree that hold statements, or what holds statements.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def sha256(data: bytes) -> str:
    """The SHA-256 of these bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def value_hash(value: Any) -> str:
    """The hash of a JSON-able value."""
    return sha256(canonical(value))


def key(step: str, inputs: Inputs) -> str:
    """The key of a step: a hash of its name and of what each of its inputs is."""
    return value_hash({"step": step, "inputs": dict(inputs)})[:32]


def folder_hash(folder: Path) -> str:
    """The hash of a folder: of every file's place in it and of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return value_hash({path.relative_to(folder).as_posix(): file_sha256(path) for path in files})


@dataclass(frozen=True)
class Source:
    """A module of ours: its file, the SHA-256 of its bytes, and the modules it may import."""

    path: Path
    sha256: str
    imports: tuple[str, ...]


class Sources:
    """The modules of ours below a folder. Each file is read once, when it is first asked for.

    Whoever keeps one for a whole process sees the code as it was then.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths = _module_paths(root)
        self._read: dict[str, Source] = {}

    def hash(self, modules: Iterable[str]) -> str:
        """The hash of the code that these modules run: theirs and what they import of ours."""
        files = {
            source.path.relative_to(self._root).as_posix(): source.sha256
            for source in self.reached(modules)
        }
        return value_hash(files)

    def reached(self, modules: Iterable[str]) -> list[Source]:
        """These modules (`sluice.gate.decide`) and every module of ours that they import."""
        reached: dict[str, Source] = {}
        waiting = list(modules)
        while waiting:
            module = waiting.pop()
            if module in reached or module not in self._paths:
                continue
            source = self._source(module)
            reached[module] = source
            # a package runs before its parts
            waiting += [*source.imports, module.rpartition(".")[0]]
        return list(reached.values())

    def _source(self, module: str) -> Source:
        if module not in self._read:
            path = self._paths[module]
            content = path.read_bytes()
            self._read[module] = Source(path, sha256(content), _imports(content))
        return self._read[module]


def code_files(root: Path, modules: Iterable[str]) -> tuple[Path, ...]:
    """The files of these modules (`sluice.gate.decide`) and of every module of ours that they
    import, sorted.
    """
    return tuple(sorted({source.path for source in Sources(root).reached(modules)}))


def code_hash(root: Path, modules: Iterable[str]) -> str:
    """The hash of the code that these modules run: theirs and what they import of ours."""
    return Sources(root).hash(modules)


def _module_paths(root: Path) -> dict[str, Path]:
    """The file of each module of ours, by the name that an import has for it."""
    paths: dict[str, Path] = {}
    for room in ROOMS:
        for path in (root / room).rglob("*.py"):
            words = path.relative_to(root).parts
            if path.name == "__init__.py":
                paths.setdefault(".".join(words[:-1]), path)
            paths[".".join((*words[:-1], path.stem))] = path
    return paths


# by content: to parse takes most of the time, and the files of two checkouts are mostly the same
@cache
def _imports(source: bytes) -> tuple[str, ...]:
    names: list[str] = []
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += node.orelse  # what is imported for annotations alone never runs
            continue
        waiting += _statements(node)
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _statements(node: ast.AST) -> list[ast.AST]:
    """The statements within a node: an import is one, so no expression is walked through."""
    within: list[ast.AST] = []
    for field in _BLOCKS:
        within += getattr(node, field, ())
    return within


def interpreter() -> str:
    """Such as `cpython-3.11.7`."""
    return f"{sys.implementation.name}-{platform.python_version()}"


def machine() -> str:
    """Such as `linux-x86_64`."""
    return f"{sys.platform}-{platform.machine()}"
