"""What a step tells: its names as people write them, what it found as it is."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from flows.engine.outcome import EXIT, Outcome
from flows.views import terminal
from flows.views.escape import escape


def test_text_of_others_sets_no_colour_and_steers_no_terminal() -> None:
    assert escape("[red]a[/]\x1b[2J\u202eb\nc") == "\\[red]a\\[/]\\x1b\\[2J\\u202eb\nc"


@pytest.mark.parametrize(
    ("outcome", "overlay", "said"),
    [
        ("promoted", "", "Promoted: release 3 of attrition is committed, Argo CD can sync it."),
        (
            "promoted",
            "staging",
            "Promoted: release 3 of attrition to staging is committed, Argo CD can sync it.",
        ),
        (
            "nothing to do",
            "staging",
            "Nothing to do: release 3 of attrition is live in staging already.",
        ),
        (
            "hold",
            "staging",
            "Hold: the champion of attrition in staging stays; nothing was committed.",
        ),
    ],
)
def test_the_last_line_says_where_beside_production(
    outcome: str, overlay: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.summary(Outcome(outcome, "why", "attrition", release=3, overlay=overlay))
    assert capsys.readouterr().out.splitlines()[-1] == said


def test_the_first_line_says_what_is_released_and_from_which_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.begun("attrition", "[red]rows.csv[/]")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Release   attrition from [red]rows.csv[/]\n")


@pytest.mark.parametrize(
    ("address", "line"), [("", ""), ("http://127.0.0.1:4200", "Watch     http://127.0.0.1:4200\n")]
)
def test_an_address_is_shown_where_there_is_one(
    address: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.link("Watch", address)
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("done", "● Train                   3.1s  14,900 rows\n"),
        ("hit", "○ Train                    HIT  14,900 rows\n"),
        ("refused", "✕ Train                   3.1s  14,900 rows\n"),
    ],
)
def test_a_step_is_a_line_on_standard_error(
    state: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.step("Train", state, 3.14, "14,900 rows")
    assert capsys.readouterr() == ("", line)


def on_a_terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


WORDS = st.lists(st.text("ab[]\\/0.7é", min_size=1, max_size=30), min_size=1, max_size=40)


@given(WORDS, st.integers(60, 200), st.sampled_from([0, 10, 32]))
@settings(deadline=None)
def test_text_is_broken_between_words_alone(words: list[str], width: int, indent: int) -> None:
    out = on_a_terminal(width)
    out.print(" " * indent + terminal.wrapped(out, " ".join(words), indent), soft_wrap=True)
    printed = out.file.getvalue()  # type: ignore[attr-defined]
    assert printed.split() == words
    for line in printed.splitlines():
        assert len(line) <= width or len(line.split()) == 1


def test_where_there_is_no_terminal_a_text_is_one_line() -> None:
    out = Console(file=io.StringIO(), width=40)
    assert terminal.wrapped(out, "word " * 40, 10) == "word " * 40


@pytest.mark.parametrize("seconds", [0.04, 9.96, 99.96, 1234.5])
def test_the_columns_of_steps_do_not_shift(
    seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.step("Validate data", "done", seconds, "Sentence")
    assert capsys.readouterr().err.index("Sentence") == 32


_ASK = "`sluice serve attrition` to ask it, `sluice status attrition` to see what is live"
ENDS = [
    ("promoted", _ASK),
    ("nothing to do", _ASK),
    ("proposed", "open a pull request: its title is the first line of the proposal, its text the"),
    ("refused", "open the evidence: it says which rule was broken, and by how much"),
    ("held for approval", "`sluice approvals attrition` to see what waits, and who approved it"),
]


@pytest.mark.parametrize(("ended", "advice"), ENDS)
def test_the_end_says_what_to_type_next(
    ended: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.summary(Outcome(ended, "why", "attrition", evidence="e.html"))
    assert f"Next      {advice}" in capsys.readouterr().out


@pytest.mark.parametrize("ended", sorted(set(EXIT) - {ended for ended, _ in ENDS}))
def test_where_nothing_is_to_be_typed_nothing_is_said(
    ended: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.summary(Outcome(ended, "why", "attrition", evidence="e.html"))
    assert "Next" not in capsys.readouterr().out


@pytest.mark.parametrize("ended", sorted(EXIT))
def test_every_end_has_a_last_line_of_its_own(
    ended: str, capsys: pytest.CaptureFixture[str]
) -> None:
    last = []
    for outcome in (ended, *sorted(set(EXIT) - {ended})):
        terminal.summary(Outcome(outcome, f"because it is {outcome}", "attrition"))
        last.append(capsys.readouterr().out.splitlines()[-1])
    assert last.count(last[0]) == 1
    word = last[0].partition(":")[0]
    assert (word == "Refused") == (EXIT[ended] == 3)


def test_what_was_set_aside_and_what_changed_is_told_before_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = Outcome(
        "promoted",
        "it is better",
        "attrition",
        verdict="PROMOTE",
        summary="PROMOTE: recall 0.75",
        override="no_leak until 2099-01-01",
        policy_changed="gate.recall_floor",
    )
    terminal.summary(outcome)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line][:4] == [
        "Verdict",
        "Override",
        "Policy",
        "Why",
    ]


@pytest.mark.parametrize(
    ("line", "colour"), [("-a", "red"), ("+a", "green"), (" a", "dim"), ("", "dim"), ("@@", "dim")]
)
def test_a_line_of_a_diff_has_the_colour_of_its_sign(line: str, colour: str) -> None:
    assert terminal.diff_line(line) == f"[{colour}]{line}[/]"


@pytest.mark.parametrize(
    "text",
    [
        "Nothing that is live was trained or judged on these data, as far as anybody can tell now.",
        "Refused: release 3 of attrition is not what was promoted: evidence.json, image, manifest.",
        f"Image https://registry.example.com/team/{'a' * 90} is live, and was started and asked.",
        "[bold]Promoted: release 3 of attrition[/] is committed to main, and Argo CD may sync it "
        "now.",
        "a-b-c " * 40,
    ],
)
def test_every_line_on_a_terminal_is_broken_between_words(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the door, so that no view has to think of it."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    terminal.console(stderr=False).print(text)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    words = re.sub(r"\[/?[a-z]*\]", "", text).split()
    assert out.split() == words
    assert all(len(line.rstrip()) <= 80 or " " not in line.strip() for line in out.splitlines())
    assert len(out.splitlines()) > 1


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Image         one two three four five six", "Image         one two"),
        ("  Policy      one two three four five six", "  Policy      one two"),
        ("2026-11-29  · start one two three four five", "2026-11-29  · start one two"),
        ("    indented one two three four five six", "    indented one two three"),
        ("no columns here one two three four five", "no columns here one two three"),
    ],
)
def test_what_stands_in_columns_goes_on_below_its_column(
    text: str, first: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    terminal.console(stderr=False).print(text)
    lines = capsys.readouterr().out.splitlines()
    label = re.match(r" *\S+ {2,}|  *", text)
    column = label.end() if label and text.strip() else 0
    assert lines[0].startswith(first[:20])
    assert all(line[:column] == " " * column and line[column] != " " for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert all(len(line) <= 30 for line in lines)
