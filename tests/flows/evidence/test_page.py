"""The page: verdict first, everything that is there and nothing that is not, safe, self-contained
and small.
"""

import math
import pickle
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from msgspec import structs

from flows.evidence.drawn_parts import PICTURES, draw, floors
from flows.evidence.identity import Identity
from flows.evidence.page import (
    MEANING,
    AtEqual,
    FamilyBudget,
    at_equal,
    blocks,
    budget,
    choices,
    in_order,
    points,
    render,
    summary_markdown,
)
from flows.evidence.pictures import Floors
from sluice.gitops.evidence import (
    BesideOther,
    Checks,
    ColumnDrift,
    Data,
    Difference,
    Drift,
    Evidence,
    GroupRow,
    Rule,
    Warned,
    Words,
)
from sluice.model.fit.training import trial_of, tuning_of
from sluice.model.quality.diagnostics import curve_points
from sluice.model.quality.diagnostics_file import (
    Diagnostics,
    Importance,
    LearningPoint,
    ProtectedCost,
    RankingQuality,
)
from sluice.model.quality.metrics_file import (
    Confusion,
    CrossValidation,
    Group,
    Intervals,
    Measures,
    Metrics,
    ScoredRows,
    Spread,
)

IDENTITY = Identity("1" * 16, release=7, day="2026-11-29")
EVIL = "<script>alert(1)</script>"
BARE = Evidence(
    model="attrition", verdict={"verdict": "HOLD", "sentence": "No difference.", "rules": []}
)
MEASURED = Measures(
    accuracy=0.7,
    precision=0.6871,
    recall=0.7631,
    f1=0.72,
    share_flagged=0.52,
    roc_auc=0.8012,
    average_precision=0.79,
    brier=0.18,
)


def full(verdict: str = "PROMOTE", name: str = "Left") -> Evidence:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 2000)
    curves = curve_points(labels, np.clip(0.3 * labels + 0.7 * random.random(2000), 0, 1), 0.9)
    trials = [
        trial_of(n, "logistic_regression", {"C": 0.25, name: 1}, [(0.8 - n / 1000, 0.8)])
        for n in range(35)
    ]
    return Evidence(
        model=name,
        title=name,
        words=Words(positive=name, negative="Stayed", rows="employees"),
        verdict=judged(verdict, name),
        metrics=metrics(name),
        champion_metrics=MEASURED,
        tuning=tuning_of(trials),
        diagnostics=Diagnostics(
            candidate=curves,
            champion=curves,
            importance=(Importance(name, 0.1, 0.01),),
            learning=tuple(LearningPoint(rows, 0.8, 0.7) for rows in (100, 1000)),
        ),
        data=Data(
            source=name,
            sha256="ab" * 32,
            rows=74498,
            columns=24,
            classes={name: 3},
            checks=Checks(passed=58, failed=1),
            warnings=(Warned(name, "range", 12),),
        ),
        drift=Drift(
            verdict="some",
            share=0.05,
            columns=(ColumnDrift(name, "number", 0.14, drifted=True),) * 9,
            sentence=f"1 column {name}",
        ),
        lineage={"Source commit": name},
        statements={
            "use": ["A person decides."],
            "misuse": [],
            "limits": [name],
            "duties": ["Inform."],
        },
        excluded=(name,),
        protected_cost=ProtectedCost(
            columns=(name,),
            without=RankingQuality(roc_auc=0.8, recall=0.75),
            with_them=RankingQuality(roc_auc=0.81, recall=0.76),
        ),
    )


def judged(verdict: str, name: str) -> dict[str, object]:
    rules = [
        {
            "rule": "recall_floor",
            "passed": True,
            "sentence": "recall 0.7631",
            "value": 0.7631,
            "limit": 0.72,
        },
        {"rule": "precision_floor", "passed": False, "sentence": name, "value": 0.5, "limit": 0.66},
        {
            "rule": "sanity",
            "passed": None,
            "sentence": "too few to say",
            "value": None,
            "limit": None,
        },
    ]
    return {
        "verdict": verdict,
        "sentence": f"Recall 0.7631 {name}",
        "rules": rules,
        "champion": name,
        "comparison": {"flagged": 5400, "gained": 120, "lost": 90, "p_value": 0.0451},
    }


def metrics(name: str) -> Metrics:
    spread = Spread(mean=0.8, std=0.004, folds=(0.8, 0.8))
    return Metrics(
        model=name,
        threshold=0.4412,
        rows=ScoredRows(train=44699, validation=14900, holdout=14899, holdout_positives=7084),
        holdout=MEASURED,
        validation=MEASURED,
        intervals=Intervals(0.95, (0.7531, 0.7731), (0.67, 0.7), (0.69, 0.71), (0.79, 0.81)),
        confusion=Confusion(9, 8, 7, 6),
        cross_validation=CrossValidation(roc_auc=spread, average_precision=spread),
        segments={
            "gender": {
                name: Group(900, 400, 0.7, 0.6, 0.5, (0.66, 0.74)),
                "few": Group(3, 0, 0.0, 0.0, 0.0, (0.0, 1.0)),
            }
        },
    )


def drawn(evidence: Evidence) -> str:
    """The page with every picture that the evidence has the numbers for."""
    return render(evidence, draw(evidence), IDENTITY)


class Page(HTMLParser):
    """What a page holds: its text, its tags, its links and whether every element was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    return drawn(full())


def test_the_page_is_one_file_that_fetches_nothing_and_runs_nothing(page: str) -> None:
    assert len(page.encode()) < 1_000_000
    found = Page(page)
    assert found.open == []
    assert not {tag for tag, _ in found.tags} & {"script", "link", "img", "iframe", "object"}
    outside = [
        value
        for _, attrs in found.tags
        for key, value in attrs.items()
        if key in ("src", "href", "xlink:href")
    ]
    assert all(str(value).startswith("#") or value == "drift.html" for value in outside)
    assert not re.search(r"@import|url\((?!#)", page)


def test_ids_are_unique(page: str) -> None:
    ids = [attrs["id"] for _, attrs in Page(page).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_verdict_comes_first_and_everything_is_there(page: str) -> None:
    text = " ".join(" ".join(Page(page).text).split())
    places = [
        text.index(part)
        for part in (
            "PROMOTE",
            "Recall 0.7631",
            "7, not released yet",
            "What is not met",
            "How good it is",
            "Against champion and anchor",
            "Is it as good for every group?",
            "The rules",
            "A person decides",
        )
    ]
    assert places == sorted(places)
    for part in (
        "76.3 %",
        "75.3 to 77.3 %",
        "not judged",
        "broken",
        "44,699",
        "average precision",
        "35 of logistic",
        "58 met",
        "ab" * 32,
        "never fed",
        "120",
        "0.0451",
        "1.0 points",
        "the best 30",
    ):
        assert part.lower() in text.lower(), part


def test_a_broken_rule_stands_above_those_that_are_met(page: str) -> None:
    assert page.index("Precision floor") < page.index("Recall floor")


@pytest.mark.parametrize("verdict", MEANING)
def test_each_verdict_has_a_word_a_shape_and_a_meaning(verdict: str) -> None:
    html = drawn(structs.replace(BARE, verdict={"verdict": verdict, "sentence": "So."}))
    assert f"<h1>{verdict}</h1>" in html
    assert MEANING[verdict][1].split(".")[0] in html
    assert 'class="sign"' in html


def test_the_shapes_of_the_verdicts_differ() -> None:
    pages = [
        drawn(structs.replace(BARE, verdict={"verdict": verdict, "sentence": ""}))
        for verdict in MEANING
    ]
    shapes = {page[page.index('<svg class="sign"') : page.index("</svg>")] for page in pages}
    assert len(shapes) == len(MEANING)


def test_what_is_missing_is_left_out() -> None:
    html = drawn(BARE)
    assert "<h2>" not in html and "figure" not in Page(html).text
    assert draw(BARE) == {}
    assert "HOLD" in summary_markdown(BARE)


def test_rows_that_each_model_flags_alone_are_told_where_they_are_known() -> None:
    counts = {"flagged": 5400, "gained": 120, "lost": 90, "p_value": 0.0451}
    for comparison, told in (({**counts, "side": 1312}, True), (counts, False)):
        verdict = {**judged("HOLD", "Left"), "comparison": comparison}
        page = Page(drawn(structs.replace(full(), verdict=verdict)))
        text = " ".join(" ".join(page.text).split())
        assert ("Each flags 1,312 employees that the other does not." in text) is told
        assert "with a probability of 0.0451 (exact one-sided test)" in text


@pytest.mark.parametrize("part", sorted(set(Evidence.__struct_fields__) - {"model", "verdict"}))
def test_any_part_may_be_the_only_one(part: str) -> None:
    evidence = structs.replace(BARE, **{part: getattr(full(), part)})
    assert Page(drawn(evidence)).open == []
    assert "HOLD" in summary_markdown(evidence)


def test_names_cannot_become_markup() -> None:
    evil = full(name=EVIL)
    assert "<script" not in drawn(evil)
    summary = summary_markdown(evil)
    assert "<script" not in summary
    assert summary_markdown(full(name="a | b\nc")).count("a \\| b c") >= 3


def test_the_summary_tells_verdict_rules_and_numbers() -> None:
    summary = summary_markdown(full("REJECT"))
    assert summary.startswith("## ✕ REJECT: Left")
    assert "| ✓ met | Recall floor | recall 0.7631 |" in summary
    assert "| ✕ broken |" in summary and "| – not judged |" in summary
    assert "| Recall | 76.3 % | 75.3 % to 77.3 % | 76.3 % |" in summary


def test_a_rule_that_is_not_met_is_not_called_broken_where_the_champion_stays() -> None:
    summary, page = summary_markdown(full("HOLD")), drawn(full("HOLD"))
    assert "| – not shown |" in summary and "broken |" not in summary
    assert "not shown</span>" in page and "<u>broken</u>" not in page


def test_the_budget_counts_trials_by_family_and_finds_the_winner() -> None:
    found = budget(full().tuning)
    assert found is not None
    assert (found.trials, found.winner) == (35, 0)
    assert found.families == {"logistic_regression": FamilyBudget(trials=35, best=0.8)}
    assert [trial.number for trial in found.ranked] == list(range(35))
    assert budget(None) is None


def test_choices_are_read_off_the_curve() -> None:
    diagnostics = full().diagnostics
    assert diagnostics is not None
    found = choices(diagnostics.candidate)
    assert [round(choice.flagged, 1) for choice in found] == [n / 10 for n in range(1, 9)]
    assert [choice.recall for choice in found] == sorted(choice.recall for choice in found)


def test_every_picture_can_be_drawn_in_another_process() -> None:
    evidence = full()
    alone = {name: pickle.loads(pickle.dumps(draw_one)) for name, draw_one in PICTURES.items()}
    sent = pickle.loads(pickle.dumps(evidence))
    assert {name: draw_one(sent) for name, draw_one in alone.items()} == draw(evidence)


def test_the_floors_are_those_that_the_gate_names() -> None:
    assert floors(full()) == Floors(recall=0.72, precision=0.66)
    assert floors(BARE) is None


def beside(candidate: float, other: float, seen: float | None, margin: float) -> BesideOther:
    value = candidate - other
    return BesideOther(
        candidate, other, Difference(value, value - 0.02, value + 0.02, 0.05), margin, seen
    )


def grouped(anchor_recall: float) -> Evidence:
    """Two groups beside champion and anchor, of which the second is too small to be seen."""
    rows = (
        GroupRow(
            segment="job_level",
            name="Senior",
            rows=846,
            positives=168,
            recall=0.2,
            floor=0.25,
            champion=beside(0.21, 0.23, 0.0712, 0.03),
            anchor=beside(0.21, anchor_recall, 0.0912, 0.05),
        ),
        GroupRow(
            segment="job_level",
            name="Few",
            rows=30,
            positives=12,
            recall=0.5,
            champion=beside(0.5, 0.5, None, 0.03),
            anchor=beside(0.5, 0.5, None, 0.05),
        ),
    )
    return structs.replace(full(), groups=rows)


def table_of_groups(evidence: Evidence) -> list[str]:
    page = drawn(evidence)
    table = page[page.index('<table class="tight named beside-others">') :].partition("</table>")[0]
    return re.sub(r"<[^>]+>", " ", table).split()


def test_each_group_stands_beside_champion_and_anchor() -> None:
    words = " ".join(table_of_groups(grouped(0.26)))
    assert (
        "Senior 846 168 21.0 23.0 −2.0 −4.0 to 0.0 7.1 21.0 26.0 −5.0 −7.0 to −3.0 9.1 25" in words
    )
    assert "Few 30 12 50.0 50.0 0.0 −2.0 to +2.0 cannot be seen 50.0" in words
    assert words.count("cannot be seen") == 2


def test_an_anchor_that_is_the_champion_is_told_once_with_what_both_rules_see() -> None:
    words = " ".join(table_of_groups(grouped(0.23)))
    assert "Champion, which is the anchor" in words
    assert "Senior 846 168 21.0 23.0 −2.0 −4.0 to 0.0 7.1 9.1 25" in words
    assert [len(blocks(grouped(recall).groups)) for recall in (0.23, 0.26)] == [1, 2]
    assert blocks(()) == ()


def test_the_group_that_is_found_least_often_is_called_out() -> None:
    groups = {
        "Entry": Group(900, 400, 0.9, 0.6, 0.5, (0.86, 0.94)),
        "Senior": Group(846, 168, 0.179, 0.5, 0.07, (0.135, 0.232)),
    }
    plain = full()
    assert plain.metrics is not None
    measured = structs.replace(plain.metrics, segments={"job_level": groups})
    page = drawn(structs.replace(plain, metrics=measured))
    text = " ".join(" ".join(Page(page).text).split())
    assert "Job level: Senior is found least often. Of 100 of them who left, it finds 18" in text
    assert "The 95 % interval is 13.5 to 23.2 %, from 168 who left." in text
    assert page.count('class="least"') == 1


def test_where_no_group_is_shown_to_be_worse_none_is_called_out() -> None:
    plain = full()
    assert plain.metrics is not None
    wide = {"gender": {"few": Group(30, 12, 0.7, 0.6, 0.5, (0.4, 0.9))}}
    measured = structs.replace(plain.metrics, segments=wide)
    text = " ".join(" ".join(Page(drawn(structs.replace(plain, metrics=measured))).text).split())
    assert "No group is shown to be found less often than all employees." in text


def test_the_champion_stands_beside_the_candidate_with_as_many_flagged() -> None:
    equal = structs.replace(MEASURED, recall=0.7525)
    page = drawn(structs.replace(full(), champion_equal=equal))
    head = page[page.index("<th>Metric</th>") :].partition("</tr>")[0]
    assert re.findall(r">(Champion[^<]*)<", head) == [
        "Champion, as many flagged",
        "Champion, as it ships",
    ]
    row = page[page.index('<th scope="row">Recall<small>') :].partition("</tr>")[0]
    assert re.findall(r"\d\d\.\d %", row) == ["76.3 %", "77.3 %", "75.2 %", "76.3 %", "76.3 %"]


def test_below_the_sentence_of_a_hold_stand_its_numbers() -> None:
    rules = [
        {"rule": "better", "state": "open", "passed": True, "value": 0.241, "limit": 0.0025},
        {"rule": "not_worse", "state": "met", "passed": True, "value": -0.0024, "limit": -0.01},
    ]
    compared = {
        "flagged": 6227,
        "gained": 128,
        "lost": 116,
        "positives": 5758,
        "p_value": 0.241,
        "recall": {"value": 0.0021, "low": -0.0024, "high": 0.0066, "level": 0.05},
    }
    held = "No better than release 1: flagging as many, it finds 12 more of 5,758, within chance"
    verdict = {
        "verdict": "HOLD",
        "sentence": f"{held}. A rule is open",
        "rules": rules,
        "champion": "old",
        "comparison": compared,
    }
    page = drawn(structs.replace(full(), verdict=verdict))
    head = page[page.index("<header") : page.index("</header>")]
    assert f'<p class="sentence">{held}</p>' in head
    assert '<p class="meaning">A rule is open</p>' in head
    for said in (
        "6,227 employees each. It finds 128 that the champion misses, and misses 116",
        "+0.21 points, 95 % interval −0.24 to +0.66; a loss of 1 is allowed",
        "p = 0.241; at most 0.0025 is required",
        "It finds 76.3 % and flags 52.0 % of all employees; the champion finds 76.3 %",
    ):
        assert said in head, said
    assert at_equal(structs.replace(full(), verdict=verdict)) == AtEqual(6227, 5758, 4406, 4394)


def test_how_good_it_is_is_told_before_whether_the_numbers_are_sound() -> None:
    names = ("labelled", "metrics_match", "signal", "better", "recall_floor")
    rules = [Rule(rule=name, state="met", passed=True) for name in names]
    broken = Rule(rule="finite", state="broken", passed=False)
    assert [rule.rule for rule in in_order([*rules, broken])] == [
        "finite",
        "recall_floor",
        "better",
        "labelled",
        "signal",
        "metrics_match",
    ]


def test_drift_is_linked_where_there_is_some_to_show() -> None:
    assert drawn(full()).count('href="drift.html"') == 1
    assert 'href="drift.html"' not in drawn(structs.replace(full(), drift=None))


@pytest.mark.parametrize(
    ("number", "text"), [(0.0123, "+1.2"), (-0.0123, "−1.2"), (-0.0001, "0.0"), (math.nan, "–")]
)
def test_a_difference_is_told_in_points(number: float, text: str) -> None:
    assert points(number) == text
