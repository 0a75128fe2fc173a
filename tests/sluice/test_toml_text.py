"""TOML that is broken, hostile or merely long ends in a sentence, in each file of people."""

import datetime
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.decision import override
from flows.project.data_source import read_pointer
from flows.project.root import ROOT
from sluice.errors import UsageError
from sluice.policy import load_policy
from sluice.served.contract import load_contract
from sluice.toml_text import read_toml

HOSTILE = {
    "brackets": "a = " + "[" * 20_000 + "]" * 20_000,
    "open brackets": "a = " + "[" * 20_000,
    "tables": "a = " + "{a = " * 20_000,
    "brackets and tables": "a = " + "[{a = " * 10_000,
    "a dotted key": ".".join("a" * 20_000) + " = 1",
    "a dotted header": "[" + ".".join("a" * 20_000) + "]",
    "a dotted header of arrays": "[[" + ".".join("a" * 20_000) + "]]",
    "a dotted key with blanks": " . ".join("a" * 20_000) + " = 1",
    "a quoted dotted key": ".".join(['"a"'] * 20_000) + " = 1",
    "many dotted headers": "\n".join(f"[{'.'.join('a' * long)}]" for long in range(1, 600)),
    "a megabyte": "a = 1\n" * 10**6,
    "an open text": "a = '''" + "x" * 1000,
    "a NUL": "a = \0",
    "nothing of it": "\x1b]0;x\x07",
}
READERS: dict[str, Callable[[str], object]] = {
    "policy": load_policy,
    "contract": load_contract,
    "pointer": lambda text: read_pointer(text, "data/attrition.toml"),
    "override": lambda text: override._read("x.toml", text, "c", datetime.date(2026, 1, 1)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_ends_in_a_sentence(kind: str, reader: str) -> None:
    with pytest.raises(UsageError) as refused:
        READERS[reader](HOSTILE[kind])
    assert refused.value.fix
    assert len(str(refused.value)) < 500


@given(st.text(st.sampled_from("a.=[]{}\"' \n#1-_")) | st.text(st.characters(), max_size=50))
def test_every_text_is_read_as_by_the_library_or_refused(text: str) -> None:
    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(UsageError, match="is not TOML"):
            read_toml(text, "x.toml")
    else:
        assert read_toml(text, "x.toml") == wanted


def test_the_files_of_this_project_are_read() -> None:
    files = [path for room in ("models", "data") for path in (ROOT / room).rglob("*.toml")]
    assert len(files) > 2
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert read_toml(text, path.name) == tomllib.loads(text)


def test_no_file_that_people_write_is_read_in_another_way() -> None:
    """Left are what a machine wrote, a look at the user's own files, and drills on our own."""
    rooms = [ROOT / room for room in ("sluice", "flows", "bento", "gx", "models")]
    files = [path for room in rooms for path in room.rglob("*.py") if "drills" not in path.parts]
    used = {_name(path) for path in files if "tomllib.load" in path.read_text(encoding="utf-8")}
    assert used == {
        "sluice/toml_text.py",
        "flows/adapters/package_index.py",  # uv.toml, before anything is installed
        "flows/orchestration/doctor.py",  # uv.lock
        "flows/orchestration/temporary_server.py",
    }


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
