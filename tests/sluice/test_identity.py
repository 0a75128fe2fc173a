"""Identity by content: equal bytes, equal key; a changed byte, another one; paths and times do not
count.
"""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model_artifacts import PROJECT

from sluice.identity import (
    Sources,
    canonical,
    code_files,
    code_hash,
    file_sha256,
    folder_hash,
    interpreter,
    key,
    machine,
    sha256,
    value_hash,
)

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_hashes_are_sha256(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "a").write_bytes(data)
    assert sha256(data) == file_sha256(tmp_path / "a") == hashlib.sha256(data).hexdigest()
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.dictionaries(st.text(max_size=4), _JSON, max_size=5))
def test_equal_values_have_equal_bytes_in_whatever_order_they_were_put_in(
    value: dict[str, object],
) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(turned) == canonical(value)
    assert value_hash(turned) == value_hash(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        (["a", "b"], ["b", "a"]),
        ("1", 1),
        (None, {}),
        (True, 1),
        ("é", "e"),
    ],
)
def test_other_values_have_other_hashes(one: object, other: object) -> None:
    assert value_hash(one) != value_hash(other)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_does_not_know_has_no_hash(number: float) -> None:
    with pytest.raises(ValueError):
        value_hash({"a": number})


def test_a_key_is_step_and_inputs_and_nothing_else() -> None:
    first = key("train", {"rows": "aa", "policy": "bb"})
    assert first == key("train", {"policy": "bb", "rows": "aa"})
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")
    others = [
        key("tune", {"rows": "aa", "policy": "bb"}),
        key("train", {"rows": "ab", "policy": "bb"}),
        key("train", {"rows": "aa"}),
        key("train", {"rows": "bb", "policy": "aa"}),
        key("train", {"row": "saa", "policy": "bb"}),
    ]
    assert len({first, *others}) == 6


def test_the_hash_of_a_folder_is_that_of_its_files_and_their_places(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, str]) -> str:
        for place, text in files.items():
            path = tmp_path / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder_hash(tmp_path / name)

    first = folder("one", {"a": "1", "sub/b": "2"})
    assert folder("another-name", {"sub/b": "2", "a": "1"}) == first
    os.utime(tmp_path / "one" / "a", (0, 0))
    (tmp_path / "one" / "a").chmod(0o600)
    (tmp_path / "one" / "empty").mkdir()
    assert folder_hash(tmp_path / "one") == first
    assert folder("x", {"a": "1", "sub/b": "3"}) != first
    assert folder("y", {"a": "1", "b": "2"}) != first
    assert folder("z", {"a": "1", "sub/b": "2", "c": ""}) != first
    assert folder("w", {"a": "2", "sub/b": "1"}) != first


@pytest.fixture
def code(tmp_path: Path) -> Path:
    files = {
        "sluice/__init__.py": "",
        "sluice/one.py": "import os\nfrom sluice.two import x\n",
        "sluice/two.py": "def f():\n    import sluice.three as t\n    return t\n",
        "sluice/three.py": "import sluice.one  # a circle\n",
        "sluice/alone.py": "",
        "sluice/names.py": (
            "if TYPE_CHECKING:\n    import sluice.three\nelse:\n    import sluice.alone\n"
        ),
        "flows/__init__.py": "",
        "flows/parts/__init__.py": "from flows.late import y\n",
        "flows/parts/first.py": "from flows.parts import second\nfrom sluice import alone\n",
        "flows/parts/second.py": "",
        "flows/late.py": "",
        "other/thing.py": "",
        "flows/uses.py": "import other.thing\nimport numpy\nfrom . import late\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(code: Path, *modules: str) -> set[str]:
    return {path.relative_to(code).as_posix() for path in code_files(code, modules)}


def test_code_is_what_is_imported_from_here_however_deep(code: Path) -> None:
    assert names(code, "sluice.one") == {
        "sluice/__init__.py",
        "sluice/one.py",
        "sluice/two.py",
        "sluice/three.py",
    }
    assert names(code, "sluice.alone") == {"sluice/__init__.py", "sluice/alone.py"}
    assert names(code, "sluice.names") == {
        "sluice/__init__.py",
        "sluice/names.py",
        "sluice/alone.py",
    }
    assert names(code, "flows.uses") == {"flows/__init__.py", "flows/uses.py"}
    assert names(code, "flows.parts.first") == {
        "flows/__init__.py",
        "flows/parts/__init__.py",
        "flows/parts/first.py",
        "flows/parts/second.py",
        "flows/late.py",
        "sluice/__init__.py",
        "sluice/alone.py",
    }
    assert names(code, "numpy", "other.thing", "sluice.none") == set()


def test_the_hash_of_code_changes_with_what_it_runs_and_with_nothing_else(
    code: Path, tmp_path: Path
) -> None:
    first = code_hash(code, ["sluice.one"])
    (code / "sluice" / "alone.py").write_text("x = 1\n")
    (code / "other" / "thing.py").write_text("x = 1\n")
    assert code_hash(code, ["sluice.one"]) == first
    for name in ("one", "two", "three", "__init__"):
        path = code / "sluice" / f"{name}.py"
        before = path.read_text()
        path.write_text(before + "\ny = 2\n")
        assert code_hash(code, ["sluice.one"]) != first
        path.write_text(before)
    assert code_hash(code, ["sluice.one"]) == first
    moved = code.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert code_hash(moved, ["sluice.one"]) == first


def test_what_was_read_once_stays_as_it_was_and_is_read_anew_by_another(code: Path) -> None:
    kept, path = Sources(code), code / "sluice" / "two.py"
    first = kept.hash(["sluice.one"])
    path.write_text("import sluice.alone\n")
    assert kept.hash(["sluice.one"]) == first
    assert Sources(code).hash(["sluice.one"]) == code_hash(code, ["sluice.one"]) != first
    [source] = [source for source in kept.reached(["sluice.one"]) if source.path == path]
    assert (source.sha256, source.imports) != (file_sha256(path), ("sluice.alone",))


def test_sources_that_are_kept_hash_as_those_that_are_read_anew(code: Path) -> None:
    kept = Sources(code)
    for module in ("sluice.one", "sluice.names", "flows.uses", "flows.parts.first", "sluice.one"):
        assert kept.hash([module]) == code_hash(code, [module])


def test_the_gate_depends_on_its_rules_and_not_on_training() -> None:
    found = {
        path.relative_to(PROJECT).as_posix() for path in code_files(PROJECT, ["sluice.gate.decide"])
    }
    assert {
        "sluice/gate/decide.py",
        "sluice/model/quality/metrics.py",
        "sluice/model/quality/statistics.py",
        "sluice/policy.py",
    } <= found
    assert not found & {
        "sluice/model/fit/training.py",
        "sluice/model/data/table.py",
        "flows/release.py",
    }
    assert code_files(PROJECT, ["sluice.gate.decide"]) == tuple(
        sorted(code_files(PROJECT, ["sluice.gate.decide"]))
    )


def test_interpreter_and_machine_are_words() -> None:
    assert interpreter().startswith(("cpython-3.", "pypy-3."))
    assert interpreter().count(".") == 2
    assert len(machine().split("-")) == 2
