"""The figures of the house, counted on small projects whose figures are known by hand."""

import json
from pathlib import Path

import pytest
from support.model_artifacts import PROJECT

from scripts.house_figures import House, Spread, main, measure, table

MANIFEST = '[tool.hatch.build.targets.wheel]\npackages = ["rooms"]\n'
SKIP = "# fmt" + ": skip"
DENSE = f'''"""A module."""

from typing import Any

# Why it is so.
LIMIT = 3  # noqa: X


def public(a: int, *rest: int, b: Any = None) -> int:
    """Do it.

    Raises ValueError.
    """
    c = {{"x": a}}; return c["x"] if a else c.get("x", 0)  {SKIP}


class Thing:
    def _hidden(self, a, b, c, d, e, f):
        self.words["x"] = [word for word in a]
        setattr(self, "y", f"{{a}}{{b}}")
'''


def project(root: Path, **texts: str) -> House:
    """The figures of a project with these modules; `a__b` is a/b.py."""
    (root / "pyproject.toml").write_text(MANIFEST)
    for name, text in texts.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return measure(root)


def test_each_figure_is_what_a_person_counts(tmp_path: Path) -> None:
    tests = "def test_it(monkeypatch):\n    monkeypatch.setattr(x, 'y', 1)\n"
    house = project(tmp_path, rooms__dense=DENSE, rooms__empty="\n", tests__test_dense=tests)
    lines = len(DENSE.splitlines())
    assert (house.modules, house.lines, house.functions) == (1, lines, 2)
    assert house.function_lines == Spread(median=4.5, p90=6, max=6)
    assert house.parameters == Spread(median=4.5, p90=6, max=6)
    assert house.functions_with_many_parameters == 1
    assert house.fmt_skip == 1
    assert house.setattr_calls == 1
    assert house.lookups == pytest.approx(2000 / lines, abs=1e-3)  # storing is no look-up
    assert house.any == pytest.approx(1000 / lines, abs=1e-3)  # the import is none
    assert house.ternaries == pytest.approx(1000 / lines, abs=1e-3)
    assert house.comprehensions == pytest.approx(1000 / lines, abs=1e-3)
    assert house.comments == pytest.approx(1000 / lines, abs=1e-3)  # marks for tools are none
    assert house.return_annotated == 0.5
    assert house.docstrings == 1
    assert house.docstrings_with_a_body == 1
    assert house.docstrings_naming_errors == 1
    assert house.test_lines == 2
    assert house.patches == 500


def test_tokens_are_those_of_the_language_without_layout_and_comments(tmp_path: Path) -> None:
    house = project(
        tmp_path, rooms__one='# Why.\ndef one() -> str:\n    return (\n        f"{1}"\n    )\n'
    )
    assert house.function_tokens == Spread(median=11, p90=11, max=11)
    assert house.tokens_per_line == 2.75


@pytest.mark.parametrize(
    "back",
    [
        "import rooms.left.one\n",
        "def late():\n    from rooms.left import one\n",
        "if TYPE_CHECKING:\n    from rooms.left.one import Something\n",
    ],
)
def test_circles_are_found_between_folders_by_every_kind_of_import(
    tmp_path: Path, back: str
) -> None:
    top = "import rooms.left.one\n"
    house = project(
        tmp_path,
        rooms__left__one="from rooms.right import two\n",
        rooms__right__two="from elsewhere import three\n",
        rooms__top=top,
    )
    assert house.circles == []
    assert project(tmp_path, rooms__right__two=back).circles == [["rooms/left", "rooms/right"]]


def test_a_room_is_crowded_with_more_than_25_modules(tmp_path: Path) -> None:
    many = {f"rooms__full__m{number}": "X = 1\n" for number in range(25)}
    assert project(tmp_path, **many).crowded == {}
    assert project(tmp_path, rooms__full__last="X = 1\n").crowded == {"rooms/full": 26}


def test_the_table_of_this_project_fits_in_80_columns() -> None:
    house = measure(PROJECT)
    text = table(house)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert house.modules > 150
    assert f" / {house.lines:,}\n" in text
    assert set(house.rooms) >= {"sluice/gate", "flows/steps", "bento/http"}


def test_json_has_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house = project(tmp_path, rooms__dense=DENSE)
    assert main([str(tmp_path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["lookups"] == house.lookups
    assert printed["rooms"]["rooms"]["modules"] == 1


def test_nothing_to_count_gives_zeros(tmp_path: Path) -> None:
    house = project(tmp_path)
    assert house.modules == 0
    assert "modules / lines" in table(house)
