"""Identity by content: hashes of bytes, of values and of code. Never of a path, a time or a run
id.
"""

import ast
import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
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


def code_files(root: Path, modules: Iterable[str]) -> tuple[Path, ...]:
    """The files of these modules (`sluice.gate.decide`) and of every module of ours that they
    import, sorted.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        path = _module_path(root, module)
        if path is None or module in found:
            continue
        found[module] = path
        # a package runs before its parts
        waiting += [*_imports(path.read_text("utf-8")), module.rpartition(".")[0]]
    return tuple(sorted(set(found.values())))


def code_hash(root: Path, modules: Iterable[str]) -> str:
    """The hash of the code that these modules run: theirs and what they import of ours."""
    return value_hash(
        {path.relative_to(root).as_posix(): file_sha256(path) for path in code_files(root, modules)}
    )


def _module_path(root: Path, module: str) -> Path | None:
    if module.split(".")[0] not in ROOMS:
        return None
    path = root.joinpath(*module.split("."))
    return next(
        (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None
    )


# by content: every step of a release runs mostly the same files, and parsing them takes most of a
# cached one
@cache
def _imports(source: str) -> tuple[str, ...]:
    names: list[str] = []
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse  # what is imported for annotations alone never runs
            continue
        waiting += _statements(node)
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


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
