"""A lineage on the terminal: what is not on record is left out, and the last line is the answer."""

import io

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from flows.audit.lineage import (
    Approved,
    Brief,
    Candidate,
    Code,
    Data,
    Deployment,
    Judged,
    Lineage,
    Live,
    Metric,
    Runs,
    Span,
    Touched,
    Unknown,
)
from flows.views.past import lineage as view

SHA = "0123456789abcdef" * 4
DIGEST = f"sha256:{SHA}"
EMPTY = Lineage(
    schema=1,
    model="attrition",
    release=0,
    image="",
    tag="1" * 16,
    digest=DIGEST,
    live=False,
    spells=[],
    data=Data("", 0, "", {}),
    made_of={},
    code=Code("", ""),
    lock="",
    interpreter="",
    platform="",
    system="",
    hardware="",
    blas=[],
    versions={},
    seeds={},
    metrics={},
    verdict={},
    approved=Approved("", "", {}, None, None),
    runs=Runs("", ""),
    commit="",
    evidence="",
    previous=None,
    next=None,
    contradictions=[],
    missing=[],
)
RULES = [
    {"rule": "recall_floor", "sentence": "recall is 0.75", "passed": True},
    {"rule": "no_leak", "sentence": "[red]a column[/] tells the answer", "passed": False},
    {"rule": "groups", "sentence": "not decided", "passed": None},
]
FULL = msgspec.structs.replace(
    EMPTY,
    release=3,
    image=f"registry.example/attrition:{'1' * 16}@{DIGEST}",
    live=True,
    spells=[Live("2026-11-20T13:24:07", "", "release", "c" * 40, "")],
    data=Data(SHA, 74498, "https://example.com/attrition", {"train": 52000, "holdout": 14900}),
    made_of={"training-data": SHA, "lock": "f" * 64, "policy": "e" * 64, "model": "d" * 64},
    code=Code("a" * 40, "b" * 40),
    lock="c" * 64,
    interpreter="CPython 3.11",
    platform="linux-x86_64",
    hardware="2 cores",
    blas=["OpenBLAS 0.3"],
    seeds={"search": 7, "split": "abc"},
    metrics={
        "recall": Metric(0.75, (0.74, 0.76)),
        "brier": Metric(0.1, None),
        "roc_auc": Metric(None, None),
        "one nobody shows": Metric(1.0, None),
    },
    verdict={"verdict": "PROMOTE", "sentence": "better", "rules": RULES},
    approved=Approved(
        "Anna", "2026-11-20T13:24", {"Reviewed-By": "Ben"}, "no_leak until 2099", None
    ),
    runs=Runs("none", "k"),
    commit="9" * 40,
    evidence=DIGEST,
    previous=Brief("release", "8" * 40, "2026-10-01T00:00", 2, "t2", DIGEST),
)


def full(**changed: object) -> Lineage:
    return msgspec.structs.replace(FULL, **changed)


def printed(seen: Lineage | Touched) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, highlight=False, soft_wrap=True)
    if isinstance(seen, Lineage):
        view.lineage(console, seen)
    else:
        view.touched(console, seen)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    return [line for line in lines if line]


def test_everything_on_record_is_told_in_four_answers() -> None:
    assert printed(FULL) == [
        "Release 3 of attrition",
        f"registry.example/attrition:{'1' * 16}@{DIGEST}",
        "What it is made of",
        "Data 0123456789ab, 74,498 rows, https://example.com/attrition",
        "Split train 52,000, holdout 14,900, training rows 0123456789ab",
        f"Policy {'e' * 12}",
        f"Source {'a' * 12}, code {'b' * 12}",
        f"Lock {'c' * 12}, served part {'f' * 12}",
        f"Model {'d' * 12}",
        "Trained on CPython 3.11, linux-x86_64",
        "OpenBLAS 0.3",
        "Hardware 2 cores",
        "Seeds search 7, split abc",
        "How good it was",
        "Verdict PROMOTE: better",
        "Rules 2 of 3 met",
        "[red]a column[/] tells the answer",
        "Recall 0.7500 0.7400 to 0.7600",
        "Brier score 0.1000",
        "Who approved it",
        "Committed 2026-11-20 13:24 UTC, by Anna",
        f"Commit {'9' * 12}",
        "Reviewed-By Ben",
        "Override no_leak until 2099",
        "Evidence 0123456789ab",
        "MLflow run the one tagged sluice.key = k",
        "What came before and after",
        "Before it release 2, t2, 0123456789ab, 2026-10-01 00:00 UTC",
        "After it nothing yet",
        "Live 2026-11-20 13:24 UTC to now",
        "Live: release 3 of attrition, since 2026-11-20 13:24 UTC.",
    ]


def test_of_an_image_that_nobody_released_only_what_is_known_is_told() -> None:
    assert printed(EMPTY) == [
        "An image of attrition",
        "Who approved it",
        "Override none",
        "What came before and after",
        "Before it nothing: it is the first release",
        "After it nothing yet",
        f"Never released: the registry has {'1' * 16}, and no commit names it.",
    ]


@pytest.mark.parametrize("code_commit", ["", "none", "a" * 40])
def test_the_code_is_told_only_where_it_is_of_another_commit(code_commit: str) -> None:
    assert f"Source {'a' * 12}" in printed(full(code=Code("a" * 40, code_commit)))


SPELL = Live("2026-11-20T13:24", "2026-11-22T08:00", "release", "c" * 40, "rollback")


@pytest.mark.parametrize(
    ("changed", "last"),
    [
        (
            {"live": False, "spells": [SPELL]},
            "Not live: release 3 of attrition, since 2026-11-22 08:00 UTC.",
        ),
        ({"live": False, "spells": []}, "Not live: release 3 of attrition."),
        (
            {"missing": ["the image: it is not there"]},
            "Incomplete: of release 3 of attrition only the commit is known; the registry lacks"
            " the rest.",
        ),
        (
            {"contradictions": ["a"], "missing": ["b"]},
            "Disagreement: commit, image and evidence of release 3 of attrition differ in 1 point.",
        ),
        (
            {"contradictions": ["a", "b"]},
            "Disagreement: commit, image and evidence of release 3 of attrition differ in 2"
            " points.",
        ),
        ({"commit": ""}, "Never released: the registry has release 3 of attrition, and no commit"),
    ],
)
def test_the_last_line_says_the_worst_that_is_known(changed: dict[str, object], last: str) -> None:
    assert printed(full(**changed))[-1].startswith(last)


def test_every_time_in_which_it_was_live_is_told() -> None:
    again = full(spells=[SPELL, *FULL.spells])
    assert (
        "Live 2026-11-20 13:24 UTC to 2026-11-22 08:00 UTC, 2026-11-20 13:24 UTC to now"
        in printed(again)
    )


def test_what_is_missing_what_disagrees_and_where_it_was_written_is_told_before_the_end() -> None:
    lines = printed(full(missing=["[b]image"], contradictions=["[i]tag"], written="folder"))
    assert lines[-4:-1] == ["Not found [b]image", "Disagrees [i]tag", "Written to folder"]


@given(st.sampled_from(["[red]", "[/]", "\x1b[31m", "[bold"]))
@settings(deadline=None)
def test_no_text_of_others_sets_a_colour_or_ends_the_view(text: str) -> None:
    odd = full(
        model=text,
        image=text,
        data=Data(text, 1, text, {text: 1}),
        code=Code(text, text),
        lock=text,
        interpreter=text,
        blas=[text],
        hardware=text,
        seeds={text: text},
        verdict={"verdict": text, "sentence": text},
        approved=Approved(text, text, {text: text}, text, text),
        runs=Runs(text, text),
        missing=[text],
        contradictions=[text],
        written=text,
        next=Brief("release", "", text, 4, text, text),
    )
    seen = text.replace("\x1b", "\\x1b")
    lines = printed(odd)
    assert lines[0] == f"Release 3 of {seen}"
    assert f"After it release 4, {seen}, {seen}, {seen}" in lines
    assert f"Verdict {seen}: {seen}" in lines


def deployed(release: int, live: bool) -> Deployment:
    until = "" if live else "2026-11-22T08:00"
    spells = [Span("2026-11-20T13:24", until)]
    return Deployment("release", "c", "d", release, "tag", DIGEST, "attrition", live, spells)


NOTHING = Touched(1, SHA, [], [], [], [])


def test_data_that_led_to_nothing() -> None:
    assert printed(NOTHING) == [
        f"Data {SHA}",
        "Nothing that is live was trained or judged on these data.",
    ]


def test_what_data_led_to_is_told_by_deployment_candidate_and_machine() -> None:
    sentence = "Recall 0.7 [0.6, 0.8].\nNot better. And not fresh."
    candidate = Candidate(
        "verdict", "c", "2026-11-21T00:00", 4, "tag", "", "attrition", "HOLD", "hold", sentence
    )
    judged = Judged("attrition", SHA, "REJECT", "The first. The second.")
    seen = Touched(
        1,
        SHA,
        [deployed(2, live=False), deployed(3, live=True)],
        [candidate],
        [judged],
        [Unknown("attrition", 5, "d"), Unknown("other", 6, "d")],
    )
    assert printed(seen) == [
        f"Data {SHA}",
        "Deployments",
        "release 2 attrition tag 2026-11-20 13:24 UTC to 2026-11-22 08:00 UTC",
        "release 3 attrition tag 2026-11-20 13:24 UTC to now live",
        "Candidates that were not released",
        "release 4 attrition tag HOLD, hold 2026-11-21 00:00 UTC Not better",
        "Judged on this machine",
        "REJECT attrition 0123456789ab The first",
        "Cannot be known releases that took a number and left no verdict: 5 of attrition,"
        " 6 of other",
        "Live from these data: release 3 of attrition. 2 deployments in all.",
    ]


@pytest.mark.parametrize(
    ("length", "shown"), [(99, "x" * 99), (100, "x" * 100), (101, "x" * 100 + "...")]
)
def test_a_sentence_is_cut_at_a_hundred_characters(length: int, shown: str) -> None:
    seen = msgspec.structs.replace(NOTHING, here=[Judged("m", SHA, "HOLD", "x" * length)])
    assert f"HOLD m 0123456789ab {shown}" in printed(seen)
