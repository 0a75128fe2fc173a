"""How a picture is drawn: the same bytes twice, ids of its own, and nothing that leaks out."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from flows.evidence.drawing import FIRST, INK, blank, canvas, few_ticks, percent, picture, short

TITLE = 'Recall <by "group">'


@picture(TITLE)
def line(values: list[float]) -> Figure:
    figure, axes = canvas(2.0, "share", "rows")
    axes.plot(values, color=FIRST)
    axes.fill_between(range(len(values)), values, color=INK, alpha=0.2)
    percent(axes.yaxis)
    axes.text(0.0, 0.5, "A < B & $x$")
    return figure


@picture("Other")
def other() -> Figure:
    return blank(1.0)


SVG = line([0.1, 0.523456789, 1.0])


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert line([0.1, 0.523456789, 1.0]) == SVG
    assert line([0.1, 0.6, 1.0]) != SVG


def test_a_picture_is_one_element_with_its_title() -> None:
    root = ElementTree.fromstring(SVG)
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert root.get("aria-label") == TITLE
    assert root[0].text == TITLE
    assert root.get("width") is None  # it scales
    assert root.get("viewBox")


def test_no_style_no_date_and_no_program_leak_out() -> None:
    for word in ("<style", "<metadata", "<!--", "<?xml", "<!DOCTYPE", "matplotlib.org"):
        assert word not in SVG


def test_ids_begin_with_the_name_of_the_picture_and_every_link_has_its_target() -> None:
    ids = re.findall(r'\bid="([^"]*)"', SVG)
    assert all(each.startswith("line-") for each in ids)
    assert len(ids) == len(set(ids))
    links = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', SVG)
    assert {one or two for one, two in links} <= set(ids)
    assert not set(ids) & set(re.findall(r'\bid="([^"]*)"', other()))


def test_colours_are_variables_with_a_fallback() -> None:
    assert f"var(--first, {FIRST})" in SVG
    assert not re.findall(rf"(?<!, ){FIRST}", SVG)


def test_text_stays_text() -> None:
    texts = [element.text for element in ElementTree.fromstring(SVG).iter() if element.text]
    assert "A < B & $x$" in texts
    assert "share" in texts
    assert "100 %" in texts


def test_numbers_have_two_digits() -> None:
    tags = re.findall(r"<[^>]*>", SVG)
    assert not [tag for tag in tags if re.search(r"\d\.\d{3}", tag)]


@given(st.text(max_size=80), st.integers(1, 40))
def test_a_short_text_is_on_one_line_and_no_longer_than_wanted(text: str, most: int) -> None:
    shortened = short(text, most)
    assert len(shortened) <= most
    assert shortened == " ".join(shortened.split()) or shortened.endswith("…")
    if len(" ".join(text.split())) <= most:
        assert shortened == " ".join(text.split())
    else:
        assert shortened.endswith("…")


def test_ticks_are_few_and_whole() -> None:
    ticks = few_ticks(4).tick_values(0, 97)
    assert len(ticks) <= 6
    assert all(float(tick).is_integer() for tick in ticks)
