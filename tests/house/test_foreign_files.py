"""What somebody else may have written, JSON, YAML or TOML, is read at places that know how a parser
fails: nested too deeply, it ends in a sentence.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

from bento.answers import _document
from flows.adapters import dsse
from flows.adapters.image import image_contents
from flows.adapters.registry import layout, oci, referrers
from flows.decision.seals import _seals_in
from flows.engine import outcome, store
from sluice.errors import SluiceError
from sluice.gitops import kustomization, state, statement
from sluice.gitops.evidence import read_evidence
from sluice.model.artifact.model_artifact import Golden
from sluice.model.artifact.reference import read_reference
from sluice.model.json_file import Unreadable, decode_json, parse_json, read_json
from sluice.model.quality.metrics_file import Metrics
from sluice.policy import load_policy
from sluice.served.contract import load_contract
from sluice.served.predictions import without

ROOMS = ("sluice", "sluice_command", "gx", "bento", "flows", "models")
PARSERS = {
    "loads",
    "load",
    "load_all",
    "compose",
    "compose_all",
    "safe_load",
    "decode",
    "raw_decode",
}
MODULES = {"json", "yaml", "tomllib", "DECODER", "_DECODER"}
# Where the text is this process's own, or that of the program that is asked.
OWN = {
    "bento/ops/metrics.py",  # what the workers of a service hand each other in a folder of theirs
    "bento/http/wrong_body.py",  # one part asks another, which takes it: tests/bento/http
    "flows/drills",  # they write what they read
}


def parsing(node: ast.AST) -> bool:
    """Whether this is a call of a parser: `json.loads(...)`, `msgspec.json.decode(...)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = node.func.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return node.func.attr in PARSERS and name in MODULES


def prepared(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes what is nested too deeply."""
    taken = ast.unparse(handler.type) if handler.type else ""
    return "RecursionError" in taken or "UNREADABLE" in taken


def unprepared(tree: ast.AST) -> Iterator[int]:
    """The lines of a module on which a parser is called and nobody takes its RecursionError."""
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    guarded = {
        id(node)
        for one in tries
        if any(prepared(handler) for handler in one.handlers)
        for statement_ in one.body
        for node in ast.walk(statement_)
    }
    for node in ast.walk(tree):
        if parsing(node) and id(node) not in guarded:
            yield node.lineno


def modules() -> Iterator[tuple[str, ast.AST]]:
    for room in ROOMS:
        for path in sorted((PROJECT / room).rglob("*.py")):
            name = path.relative_to(PROJECT).as_posix()
            if not any(name.startswith(own) for own in OWN):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_whoever_parses_is_prepared_for_what_is_nested_too_deeply() -> None:
    found = [f"{name}:{line}" for name, tree in modules() for line in unprepared(tree)]
    assert found == []


def test_the_look_finds_a_parser_that_nobody_watches() -> None:
    watched = "try:\n    json.loads(a)\nexcept (ValueError, RecursionError):\n    pass\n"
    for call in ("json.loads(a)", "msgspec.json.decode(a, type=b)", "yaml.load_all(a, c)"):
        assert list(unprepared(ast.parse(call))) == [1]
        assert list(unprepared(ast.parse(watched.replace("json.loads(a)", call)))) == []
        careless = watched.replace("json.loads(a)", call).replace(", RecursionError", "")
        assert list(unprepared(ast.parse(careless))) == [2]


DEEP = 20_000
LISTS, OBJECTS = b"[" * DEEP, b'{"a":' * DEEP
CLOSED = LISTS + b"]" * DEEP
MIXED = b'{"a":[' * DEEP + b"1" + b"]}" * DEEP


def in_file(read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """What reads a file, for its bytes."""

    def reader(content: bytes, folder: Path) -> object:
        path = folder / "file.json"
        path.write_bytes(content)
        return read(path)

    return reader


def recorded(content: bytes, folder: Path) -> object:
    path = folder / "outcomes" / "m" / "last.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return outcome.recorded(folder, "m", "last")


def stored(content: bytes, folder: Path) -> object:
    path = folder / "store" / "train" / "key" / store.RECORD
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return store.is_outdated(folder, "train", "key")


def laid_out(content: bytes, folder: Path) -> object:
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_bytes(content)
    return layout.check_index(folder, ["a"])


def is_toml(load: Callable[[str, str], object]) -> Callable[[bytes, Path], object]:
    return lambda content, _: load(f"a = {content.decode()}", "file.toml")


READERS: dict[str, Callable[[bytes, Path], object]] = {
    "metrics.json": lambda content, _: read_json(content, Metrics, "metrics.json"),
    "golden.json": lambda content, _: read_json(content, Golden, "golden.json"),
    "reference.json": lambda content, _: read_reference(content),
    "evidence.json": lambda content, _: read_evidence(content),
    "seals": in_file(_seals_in),
    "champion.json": lambda content, _: state.decode(content.decode(), state.Champion, "state/x"),
    "anchor.json": lambda content, _: state.decode(content.decode(), state.Anchor, "state/x"),
    "a statement": lambda content, _: statement.decode(content),
    "an envelope": lambda content, _: dsse.opened(content, "a", "ed25519:" + "00" * 32),
    "a manifest": lambda content, _: oci.parse_manifest(content),
    "a list of referrers": lambda content, _: referrers.listed(content),
    "a referrer": lambda content, _: referrers.subject_of(content),
    "a configuration": lambda content, _: image_contents.started(content),
    "index.json": laid_out,
    "an outcome": recorded,
    "a record of the store": stored,
    "values": lambda content, _: parse_json(content, "file.json"),
    "a small file": lambda content, _: decode_json(content, dict[str, str], "file.json"),
    "what is served": in_file(lambda path: _document(path, dict[str, object])),
    "kustomization.yaml": lambda content, _: kustomization.read(content.decode(), "a", "file"),
    "policy.toml": is_toml(lambda text, _: load_policy(text)),
    "contract.toml": is_toml(load_contract),
}


@pytest.mark.parametrize("content", [LISTS, CLOSED, OBJECTS, MIXED], ids="abcd")
@pytest.mark.parametrize("name", READERS)
def test_what_is_nested_without_end_ends_in_a_sentence(
    name: str, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(
        (SluiceError, dsse.BadEnvelope, dsse.BadKey, statement.Unreadable)
    ) as caught:
        READERS[name](content, tmp_path)
    assert len(str(caught.value)) < 1_000


def test_a_line_of_a_log_that_is_nested_without_end_is_nobodys() -> None:
    assert without([CLOSED.decode()], "1", set()) == [CLOSED.decode()]


def test_an_error_names_the_file() -> None:
    with pytest.raises(Unreadable, match=r"metrics\.json is not JSON: it is nested too deeply"):
        parse_json(CLOSED, "metrics.json")
