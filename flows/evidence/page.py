"""The evidence of a decision as pages for people: one self-contained HTML file, and a summary in
Markdown.

`evidence` is a JSON-able dict. Only `model` and `verdict` must be there; a part that is missing or
None is left out.

    model        "attrition"
    title, text  from the contract
    words        {"positive": "Left", "negative": "Stayed", "rows": "employees"}
    verdict      verdict.json
    metrics      metrics.json
    champion_metrics  any of {"recall", "precision", "roc_auc", "average_precision", "brier",
                 "share_flagged"} of the champion, re-scored on the same holdout rows
    tuning       tuning.json
    diagnostics  {"candidate": curve_points(...), "champion": curve_points(...) or None,
                 "importance": permutation_importance(...), "learning": learning_curve(...)}
    data         {"source", "sha256", "rows", "columns", "classes": {"Left": 35370, ...},
                 "checks": {"passed": 58, "failed": 0}, "warnings": [{"column", "rule", "rows"}]}
    drift        `sluice.drift.verdict.Verdict.document()`
    outcome      label -> value, shown under the verdict: image, commit, what to type next
    lineage      label -> value: hashes, commit, lock, versions, run ids
    provenance   what `flows.decision.provenance.gather` returns
    statements   `sluice.served.statements.statements(contract)`
    excluded     names of the columns that the model is never fed
    override, policy_changed   one sentence each, where there is something to say
    protected_cost  `sluice.model.diagnostics.protected_cost(...)`
    made         when and by what, one line; the only place for a time
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

MEANING = {
    "PROMOTE": (
        "▲",
        "This candidate may go live. It meets every rule and may take the champion's place.",
    ),
    "HOLD": (
        "⏸",
        "The champion stays. No rule is broken, but the candidate is not shown to be better.",
    ),
    "REJECT": ("✕", "This candidate must not go live. At least one rule is broken."),
    "INSUFFICIENT": (
        "?",
        "Nothing is decided. There is too little data to tell better from worse.",
    ),
}
METRICS = {
    "recall": ("Recall", "share of the positives that is found"),
    "precision": ("Precision", "share of the flagged that is positive"),
    "share_flagged": ("Share flagged", "how much the model asks people to look at"),
    "accuracy": ("Accuracy", "share of all rows judged rightly"),
    "f1": ("F1", "harmonic mean of recall and precision"),
    "roc_auc": ("ROC-AUC", "how often a positive is ranked above a negative"),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
}
MARKS = {True: "✓ met", False: "✕ broken", None: "– not judged"}
_FIRST = ("broken", "waived", "open", "not judged", "met")  # what a reader looks for stands first
_OPEN = ("HOLD", "INSUFFICIENT")
_SHARES = ("recall", "precision", "share_flagged", "accuracy")


def render(evidence: Json, pictures: Mapping[str, str] | None = None) -> str:
    """The whole of `evidence.html`: inline style and pictures, no script, nothing fetched from
    anywhere.
    """
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "views" / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": share,
        "number": number,
        "figure": figure,
        "count": count,
        "words": words,
        "value": value,
        "short": short,
    }
    name = evidence["verdict"]["verdict"]
    return environment.get_template("evidence.html").render(
        e=evidence,
        verdict=name,
        meaning=MEANING.get(name, ("", ""))[1],
        metrics=METRICS,
        shares=_SHARES,
        met=sum(standing(rule) == "met" for rule in evidence["verdict"].get("rules") or ()),
        ordered=sorted(
            evidence["verdict"].get("rules") or (), key=lambda rule: _FIRST.index(standing(rule))
        ),
        ratios=selection_ratios((evidence.get("metrics") or {}).get("segments") or {}),
        budget=budget(evidence.get("tuning")),
        choices=choices((evidence.get("diagnostics") or {}).get("candidate")),
        pictures=draw(evidence) if pictures is None else pictures,
    )


def standing(rule: Json) -> str:
    """Met, broken, open, waived or not judged."""
    named = {True: "met", False: "broken", None: "not judged"}
    return str(rule.get("state") or named[rule["passed"]])


def selection_ratios(segments: Mapping[str, Json]) -> dict[str, float]:
    """By segment, the share flagged of the group flagged least over that of the group flagged
    most.
    """
    shares = {
        name: [group["share_flagged"] for group in groups.values() if "share_flagged" in group]
        for name, groups in segments.items()
    }
    return {
        name: min(found) / max(found) for name, found in shares.items() if found and max(found) > 0
    }


def draw(evidence: Json) -> dict[str, str]:
    """Every picture that this evidence has the numbers for: name -> SVG."""
    from flows.evidence import pictures

    found: dict[str, str] = {}
    metrics, shown = evidence.get("metrics") or {}, evidence.get("diagnostics") or {}
    labels = _labels(evidence)
    candidate, champion = shown.get("candidate"), shown.get("champion")
    if counts := metrics.get("confusion"):
        found["confusion"] = pictures.confusion(counts, *labels)
    if candidate:
        point = (
            {**metrics["holdout"], "intervals": metrics.get("intervals", {})}
            if metrics.get("holdout")
            else None
        )
        found["precision_recall"] = pictures.precision_recall(
            candidate, champion, point, floors(evidence)
        )
        found["roc"] = pictures.roc(candidate, champion, metrics.get("confusion"))
        found["calibration"] = pictures.calibration(candidate["calibration"])
        found["scores"] = pictures.scores(
            candidate["histogram"], metrics.get("threshold", 0.5), *labels
        )
    if groups := metrics.get("segments"):
        found["segments"] = pictures.segments(groups, metrics.get("holdout", {}).get("recall"))
    if entries := shown.get("importance"):
        found["importance"] = pictures.importance(entries)
    if entries := shown.get("learning"):
        found["learning"] = pictures.learning(entries)
    if summary := budget(evidence.get("tuning")):
        tuning = evidence["tuning"]
        found["tuning"] = pictures.tuning(
            tuning["trials"], summary["winner"], tuning.get("objective", "score")
        )
    return found


def floors(evidence: Json) -> dict[str, float]:
    """The floors that the gate's rules name: {"recall": 0.72, "precision": 0.66}."""
    rules = {rule["rule"]: rule.get("limit") for rule in evidence["verdict"].get("rules", ())}
    named = {name: rules.get(f"{name}_floor") for name in ("recall", "precision")}
    return {name: float(limit) for name, limit in named.items() if limit is not None}


def budget(tuning: Json | None) -> dict[str, Any] | None:
    """What was searched: trials, seconds, per family the count and the best score; the number of
    the winning trial.
    """
    trials: Sequence[Json] = (tuning or {}).get("trials") or ()
    if not tuning or not trials:
        return None
    families: dict[str, dict[str, Any]] = {}
    for trial in trials:
        family = families.setdefault(trial["family"], {"trials": 0, "best": -math.inf})
        family["trials"] += 1
        family["best"] = max(family["best"], trial["score"])
    winner = tuning.get("winner") or {}
    best = next(
        (t for t in trials if t["parameters"] == winner.get("parameters")),
        max(trials, key=lambda t: t["score"]),
    )
    seconds = sum(trial.get("seconds") or 0.0 for trial in trials)
    ranked = sorted(trials, key=lambda trial: -trial["score"])
    return {
        "trials": len(trials),
        "seconds": seconds,
        "families": families,
        "winner": best["number"],
        "ranked": ranked,
    }


def choices(candidate: Json | None) -> list[dict[str, float]]:
    """What flagging more or fewer would bring: recall and precision where a tenth, two tenths, ...
    are flagged.
    """
    if not candidate:
        return []
    curve, base = candidate["precision_recall"], candidate["positives"] / candidate["rows"]
    points = [
        (base * r / p, r, p)
        for r, p in zip(curve["recall"], curve["precision"], strict=True)
        if p > 0
    ]
    nearest = (min(points, key=lambda point: abs(point[0] - wanted / 10)) for wanted in range(1, 9))
    return [
        {"flagged": flagged, "recall": recall, "precision": precision}
        for flagged, recall, precision in nearest
    ]


def summary_markdown(evidence: Json) -> str:
    """The verdict, its rules and the main numbers as Markdown, for a job summary or an artifact."""
    verdict = evidence["verdict"]
    sign, meaning = MEANING.get(verdict["verdict"], ("", ""))
    parts = [
        f"## {sign} {_cell(verdict['verdict'])}: {_cell(evidence['model'])}",
        f"**{_cell(verdict['sentence'])}**",
        meaning,
    ]
    parts += [f"**Override**: {_cell(said)}"] if (said := evidence.get("override")) else []
    parts += (
        [f"**The policy was changed**: {_cell(said)}"]
        if (said := evidence.get("policy_changed"))
        else []
    )
    if rules := verdict.get("rules"):
        rows = [(_mark(rule, verdict), words(rule["rule"]), rule["sentence"]) for rule in rules]
        parts.append(_markdown_table(("", "Rule", "What was found"), rows))
    if metrics := evidence.get("metrics"):
        parts.append(
            _markdown_table(("Metric", "Holdout", "Interval", "Validation"), metric_rows(metrics))
        )
    if drift := evidence.get("drift"):
        parts.append(f"**Drift**: {_cell(drift['sentence'])}")
    if outcome := evidence.get("outcome"):
        parts.append(_markdown_table(("What", "Where"), outcome.items()))
    return "\n\n".join(part for part in parts if part) + "\n"


def _mark(rule: Json, verdict: Json) -> str:
    """With these verdicts no rule is broken: what is not met is only not shown."""
    if (state := standing(rule)) in ("waived", "open"):
        return {"waived": "! waived", "open": "– not shown"}[state]
    return (
        "– not shown"
        if rule["passed"] is False and verdict["verdict"] in _OPEN
        else MARKS[rule["passed"]]
    )


def metric_rows(metrics: Json) -> list[tuple[str, str, str, str]]:
    """Name, holdout, interval and validation of each metric, as people read them."""
    holdout, validation = metrics.get("holdout") or {}, metrics.get("validation") or {}
    intervals = metrics.get("intervals") or {}
    rows = []
    for key, (name, _) in METRICS.items():
        if key in holdout:
            low, high = intervals.get(key) or (None, None)
            span = f"{value(low, key)} to {value(high, key)}" if low is not None else ""
            rows.append((name, value(holdout[key], key), span, value(validation.get(key), key)))
    return rows


def _markdown_table(head: Sequence[str], rows: Any) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def _cell(text: object) -> str:
    line = (
        " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    return line.replace("|", "\\|")


def _labels(evidence: Json) -> tuple[str, str]:
    named = evidence.get("words") or {}
    return named.get("positive", "Yes"), named.get("negative", "No")


def share(number: Any, digits: int = 1) -> str:
    """0.7631 -> `76.3 %`."""
    return f"{100 * number:.{digits}f} %" if _finite(number) else "–"


def number(number: Any, digits: int = 4) -> str:
    """A float with so many digits after the point; whole numbers and texts as they are."""
    if isinstance(number, float):
        return f"{number:.{digits}f}" if _finite(number) else "–"
    return str(number) if number or number == 0 else "–"


def figure(number_: Any) -> str:
    """A count as a count, anything else with four digits: 7092.0 -> `7,092`, 0.0161 -> `0.0161`."""
    return count(number_) if _finite(number_) and float(number_).is_integer() else number(number_)


def count(number: Any) -> str:
    """44699 -> `44,699`."""
    return f"{number:,.0f}" if _finite(number) else "–"


def value(number: Any, metric: str) -> str:
    """A metric as it is read best: a percentage where it is a share of rows, else three digits."""
    if not _finite(number):
        return "–"
    return share(number) if metric in _SHARES else f"{number:.3f}"


def short(number: Any) -> str:
    """A parameter: a float with four digits that count, anything else as it is."""
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def words(name: Any) -> str:
    """`recall_floor` -> `Recall floor`."""
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


def _finite(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)
