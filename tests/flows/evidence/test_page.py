"""The page: verdict first, everything that is there and nothing that is not, safe, self-contained
and small.
"""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from flows.evidence.page import MEANING, budget, choices, draw, render, summary_markdown
from sluice.model.diagnostics import curve_points

EVIL = "<script>alert(1)</script>"
BARE: dict[str, Any] = {
    "model": "attrition",
    "verdict": {"verdict": "HOLD", "sentence": "No difference.", "rules": []},
}


def full(verdict: str = "PROMOTE", name: str = "Left") -> dict[str, Any]:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 2000)
    curves = curve_points(labels, np.clip(0.3 * labels + 0.7 * random.random(2000), 0, 1))
    numbers = {
        "recall": 0.7631,
        "precision": 0.6871,
        "share_flagged": 0.52,
        "roc_auc": 0.8012,
        "brier": 0.18,
    }
    group = {
        "rows": 900,
        "recall": 0.7,
        "precision": 0.6,
        "share_flagged": 0.5,
        "recall_interval": [0.66, 0.74],
    }
    trial = {
        "family": "logistic_regression",
        "parameters": {"C": 0.25, name: name},
        "std": 0.003,
        "seconds": 2.0,
    }
    return {
        "model": name,
        "title": name,
        "words": {"positive": name, "negative": "Stayed", "rows": "employees"},
        "verdict": {
            "verdict": verdict,
            "sentence": f"Recall 0.7631 {name}",
            "rules": [
                {
                    "rule": "recall_floor",
                    "passed": True,
                    "sentence": "recall 0.7631",
                    "value": 0.7631,
                    "limit": 0.72,
                },
                {
                    "rule": "precision_floor",
                    "passed": False,
                    "sentence": name,
                    "value": 0.5,
                    "limit": 0.66,
                },
                {
                    "rule": "sanity",
                    "passed": None,
                    "sentence": "too few to say",
                    "value": None,
                    "limit": None,
                },
            ],
            "champion": name,
            "comparison": {"flagged": 5400, "gained": 120, "lost": 90, "p_value": 0.0451},
        },
        "metrics": {
            "threshold": 0.4412,
            "rows": {
                "train": 44699,
                "validation": 14900,
                "holdout": 14899,
                "holdout_positives": 7084,
            },
            "holdout": numbers,
            "validation": numbers,
            "intervals": {"level": 0.95, "recall": [0.7531, 0.7731]},
            "confusion": {
                "true_positive": 9,
                "false_positive": 8,
                "false_negative": 7,
                "true_negative": 6,
            },
            "cross_validation": {"roc_auc": {"mean": 0.8, "std": 0.004}},
            "segments": {"gender": {name: group, "few": {"rows": 3, "recall": None}}},
        },
        "champion_metrics": {"recall": 0.75, "precision": 0.68, "roc_auc": 0.79},
        "tuning": {
            "objective": "average_precision",
            "winner": {
                "family": "logistic_regression",
                "parameters": trial["parameters"],
                "score": 0.8,
            },
            "trials": [{"number": n, "score": 0.8 - n / 1000, **trial} for n in range(35)],
        },
        "diagnostics": {
            "candidate": curves,
            "champion": curves,
            "importance": [{"column": name, "mean": 0.1, "std": 0.01}],
            "learning": [{"rows": r, "train": 0.8, "validation": 0.7} for r in (100, 1000)],
        },
        "data": {
            "source": name,
            "sha256": "ab" * 32,
            "rows": 74498,
            "columns": 24,
            "classes": {name: 3},
            "checks": {"passed": 58, "failed": 1},
            "warnings": [{"column": name, "rule": "range", "rows": 12}],
        },
        "drift": {
            "verdict": "some",
            "share": 0.05,
            "sentence": f"1 column {name}",
            "columns": [{"column": name, "kind": "number", "distance": 0.14, "drifted": True}] * 9,
        },
        "outcome": {"Image": f"sluice.local/attrition:abc {name}", "Commit": None},
        "lineage": {"Source commit": name},
        "statements": {
            "use": ["A person decides."],
            "misuse": [],
            "limits": [name],
            "duties": ["Inform."],
        },
        "excluded": [name],
        "made": "2026-01-02",
    }


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
    return render(full())


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
    assert all(str(value).startswith("#") for value in outside)
    assert not re.search(r"@import|url\((?!#)", page)


def test_ids_are_unique(page: str) -> None:
    ids = [attrs["id"] for _, attrs in Page(page).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_verdict_comes_first_and_everything_is_there(page: str) -> None:
    text = " ".join(" ".join(Page(page).text).split())
    places = [
        text.index(part)
        for part in ("PROMOTE", "Recall 0.7631", "The rules", "How good it is", "A person decides")
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
        "2026-01-02",
        "the best 30",
    ):
        assert part.lower() in text.lower(), part


def test_a_broken_rule_stands_above_those_that_are_met(page: str) -> None:
    assert page.index("Precision floor") < page.index("Recall floor")


@pytest.mark.parametrize("verdict", MEANING)
def test_each_verdict_has_a_word_a_shape_and_a_meaning(verdict: str) -> None:
    html = render({**BARE, "verdict": {"verdict": verdict, "sentence": "So."}})
    assert f"<h1>{verdict}</h1>" in html
    assert MEANING[verdict][1].split(".")[0] in html
    assert 'class="sign"' in html


def test_the_shapes_of_the_verdicts_differ() -> None:
    pages = [
        render({**BARE, "verdict": {"verdict": verdict, "sentence": ""}}) for verdict in MEANING
    ]
    shapes = {page[page.index('<svg class="sign"') : page.index("</svg>")] for page in pages}
    assert len(shapes) == len(MEANING)


def test_what_is_missing_is_left_out() -> None:
    html = render(BARE)
    assert "<h2>" not in html and "figure" not in Page(html).text
    assert draw(BARE) == {}
    assert "HOLD" in summary_markdown(BARE)


@pytest.mark.parametrize("part", sorted(set(full()) - {"model", "verdict"}))
def test_any_part_may_be_the_only_one(part: str) -> None:
    evidence = {**dict.fromkeys(full()), **BARE, part: full()[part]}
    assert Page(render(evidence)).open == []
    assert "HOLD" in summary_markdown(evidence)


def test_names_cannot_become_markup() -> None:
    evil = full(name=EVIL)
    assert "<script" not in render(evil)
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
    summary, page = summary_markdown(full("HOLD")), render(full("HOLD"))
    assert "| – not shown |" in summary and "broken |" not in summary
    assert "not shown</span>" in page and "<u>broken</u>" not in page


def test_the_budget_counts_trials_by_family_and_finds_the_winner() -> None:
    found = budget(full()["tuning"])
    assert found is not None
    assert found["trials"] == 35 and found["winner"] == 0 and found["seconds"] == 70
    assert found["families"] == {"logistic_regression": {"trials": 35, "best": 0.8}}
    assert budget(None) is None


def test_choices_are_read_off_the_curve() -> None:
    found = choices(full()["diagnostics"]["candidate"])
    assert [round(choice["flagged"], 1) for choice in found] == [
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        0.6,
        0.7,
        0.8,
    ]
    assert [choice["recall"] for choice in found] == sorted(choice["recall"] for choice in found)
    assert choices(None) == []
