"""The console script, where the environment of the user holds packages with the names of ours."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import hostile_machine

from flows.project.root import ROOT
from sluice_command import _whole as whole
from sluice_command import cleared, in_utf8

NAMESAKES = ("flows", "models", "gx", "bento", "sluice")
SCRIPT = "import sys\nfrom sluice_command import main\nsys.exit(main())\n"


def run_script(
    folder: Path, *words: str, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """The script as an installer writes it, with these folders before Sluice on PYTHONPATH."""
    script = folder / "bin" / "sluice"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    theirs = folder / "theirs"
    for name in (*NAMESAKES, "models/attrition"):
        (theirs / name).mkdir(parents=True)
        (theirs / name / "__init__.py").write_text("raise SystemExit('another package')\n")
    (theirs / "typer.py").write_text("raise SystemExit('another typer')\n")
    # The last one stands for the environment in which Sluice is installed.
    path = os.pathsep.join([str(theirs), str(ROOT)])
    return subprocess.run(
        [sys.executable, str(script), *words],
        cwd=theirs,
        env={**os.environ, "PYTHONPATH": path, "SLUICE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_is_found_beside_namesakes(tmp_path: Path) -> None:
    ended = run_script(tmp_path, "--help")
    assert ended.returncode == 0, ended.stderr
    assert "release" in ended.stdout


def test_a_model_generates_its_sample_beside_namesakes(tmp_path: Path) -> None:
    ended = run_script(tmp_path, "plan", "attrition")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "would run" in ended.stdout


def test_our_root_stands_first_and_nothing_installed_is_lost() -> None:
    installed = [sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]
    places = ["", "/theirs", "/lib/python", *installed]
    path = os.pathsep.join(["/theirs", "/theirs/./", "", *installed])
    found = cleared(places, path)
    assert found[0] == str(ROOT)
    assert "/theirs" not in found
    assert "" not in found
    assert [place for place in found if place in installed] == list(dict.fromkeys(installed))
    assert "/lib/python" in found


PLACES = st.lists(st.sampled_from(["/a", "/b/", "/c/../a", "d", "", "/site"]), max_size=6)


@given(PLACES, PLACES)
def test_no_place_of_pythonpath_is_imported_from(places: list[str], theirs: list[str]) -> None:
    found = cleared(places, os.pathsep.join(theirs))
    wanted = [str(ROOT), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]
    other = {whole(place) for place in found if place not in wanted}
    named = {whole(place) for place in theirs} if any(theirs) else set()
    assert not other & named
    kept = {whole(place) for place in places}
    assert kept - named - {str(Path.cwd())} - set(wanted) <= other | set(wanted)


@pytest.mark.parametrize("name", NAMESAKES)
def test_a_child_does_not_import_from_the_folder_it_is_started_in(
    name: str, tmp_path: Path
) -> None:
    from flows.adapters import python
    from flows.adapters.process import run

    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('another package')\n")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / f"{name}.py").write_text("raise SystemExit('another package')\n")
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "look.py").write_text(f"import {name}; print({name}.__path__[0])")
    env = {"PYTHONPATH": str(theirs)} | python.importing(ROOT, ours)
    assert run(python.module("look"), cwd=tmp_path, env=env).stdout.strip() == str(ROOT / name)


LATIN = """
import os, sys
from sluice_command import main
print(sys.getfilesystemencoding(), sys.stdout.encoding, ascii(sys.argv[1:]))
sys.stdout.flush()
main()
"""


@pytest.fixture
def latin(tmp_path: Path) -> dict[str, str]:
    """The variables of a locale that is not UTF-8, made from the sources that the system has, else
    by telling Python to speak ASCII.
    """
    given = hostile_machine.iso_locale(tmp_path / "locales")
    code = "import sys; print(sys.getfilesystemencoding())"
    spoken = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **given}, capture_output=True, text=True
    ).stdout.strip()
    if spoken != "utf-8":
        return dict(given)
    ascii_alone = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    return {**ascii_alone, "PYTHONIOENCODING": "ascii"}


def test_in_another_locale_the_command_begins_anew_in_utf8(
    tmp_path: Path, latin: dict[str, str]
) -> None:
    """Also below a folder whose name that locale would read as something else."""
    home = tmp_path / "Zoë"
    home.mkdir()
    script = home / "sluice"
    script.write_text(LATIN)
    env = {**os.environ, **latin, "PYTHONPATH": str(ROOT), "SLUICE_HOME": str(home / "größer")}
    ended = subprocess.run(
        [sys.executable, str(script), "status", "größe"],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    first, second, *_ = ended.stdout.splitlines()
    assert not first.startswith("utf-8")
    assert second.startswith("utf-8 ascii ")
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2  # there is no such model
    assert "gr\\xf6\\xdfe" in ended.stderr


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_is_typed_in_utf8_stays(word: str) -> None:
    assert in_utf8(word) == word.encode()


def test_what_was_typed_in_bytes_of_another_encoding_is_never_lost() -> None:
    assert in_utf8(os.fsdecode("größer".encode("latin-1"))) == "größer".encode("latin-1")
