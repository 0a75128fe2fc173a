"""A lineage as a person reads it in a terminal: four questions with their answers, and one line
that matters.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from flows.views.escape import escape

_WIDTH, _SAID = 17, 100
_METRICS = {
    "recall": "Recall",
    "precision": "Precision",
    "share_flagged": "Share flagged",
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
}
_COLOURS = {"PROMOTE": "green", "HOLD": "yellow", "REJECT": "red", "INSUFFICIENT": "yellow"}
Json = Mapping[str, Any]


def lineage(out: Console, told: Json) -> None:
    """The whole lineage of one release."""
    number = (
        f"Release {told['release']} of {told['model']}"
        if told["release"]
        else f"An image of {told['model']}"
    )
    out.print(f"[bold]{escape(number)}[/]  [dim]{escape(told['image'])}[/]")
    _section(out, "What it is made of", _made_of(told))
    _section(out, "How good it was", _good(told))
    _section(out, "Who let it through", _through(told))
    _section(out, "Around it", _around(told))
    for line in told["missing"]:
        out.print(f"[yellow]Not found[/]  {escape(line)}")
    for line in told["contradictions"]:
        out.print(f"[red]Disagrees[/]  {escape(line)}")
    if told.get("written"):
        out.print(f"[dim]Written to[/] {escape(told['written'])}")
    out.print(f"\n[bold]{escape(_last(told))}[/]")


def _section(out: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    shown = [(name, value) for name, value in rows if value]
    if not shown:
        return
    out.print(f"\n[bold]{title}[/]")
    for name, value in shown:
        out.print(f"  [dim]{name:<{_WIDTH}}[/] {value}")


def _made_of(told: Json) -> list[tuple[str, str]]:
    data, made, code = told["data"], told["made_of"], told["code"]
    rows = f"{data['rows']:,} rows" if data["rows"] else ""
    split = ", ".join(f"{name} {count:,}" for name, count in data["split"].items())
    apart = code["code_commit"] not in ("", "none", code["source_commit"])
    return [
        ("Data", _words(short(data["sha256"]), rows, data["source"])),
        (
            "Split",
            _words(
                split,
                (
                    f"training rows {short(made['training-data'])}"
                    if made.get("training-data")
                    else ""
                ),
            ),
        ),
        ("Policy", short(made.get("policy", ""))),
        (
            "Source",
            _words(
                short(code["source_commit"]), f"code {short(code['code_commit'])}" if apart else ""
            ),
        ),
        (
            "Lock",
            _words(
                short(told["lock"]),
                f"served part {short(made['lock'])}" if made.get("lock") else "",
            ),
        ),
        ("Model", short(made.get("model", ""))),
        ("Made on", _words(told["interpreter"], told["platform"], *told["blas"])),
        ("Hardware", escape(told["hardware"])),
        ("Seeds", _words(*(f"{name} {value}" for name, value in told["seeds"].items()))),
    ]


def _good(told: Json) -> list[tuple[str, str]]:
    verdict = told["verdict"]
    colour = _COLOURS.get(verdict["verdict"], "none")
    rules = verdict.get("rules") or []
    broken = [rule for rule in rules if rule.get("passed") is False]
    said = (
        f"[{colour}]{verdict['verdict']}[/]: {escape(verdict.get('sentence') or '')}"
        if verdict["verdict"]
        else ""
    )
    met = f"{len(rules) - len(broken)} of {len(rules)} met" if rules else ""
    return [
        ("Verdict", said),
        ("Rules", met),
        *(("", f"[red]{escape(str(rule.get('sentence', '')))}[/]") for rule in broken),
        *(
            (label, _metric(told["metrics"][name]))
            for name, label in _METRICS.items()
            if name in told["metrics"]
        ),
    ]


def _metric(found: Json) -> str:
    span = found["interval"]
    return f"{found['value']:.4f}" + (f"  [dim]{span[0]:.4f} to {span[1]:.4f}[/]" if span else "")


def _through(told: Json) -> list[tuple[str, str]]:
    approved, runs = told["approved"], told["runs"]
    return [
        (
            "Committed",
            _words(when(approved["date"]), f"by {approved['by']}" if approved["by"] else ""),
        ),
        ("Commit", short(told["commit"])),
        *((name, escape(value)) for name, value in approved["people"].items()),
        (
            "Override",
            f"[yellow]{escape(approved['override'])}[/]" if approved["override"] else "none",
        ),
        (
            "Policy",
            (
                f"[yellow]{escape(approved['policy_changed'])}[/]"
                if approved["policy_changed"]
                else ""
            ),
        ),
        ("Evidence", short(told["evidence"])),
        ("Prefect run", "" if runs["prefect"] == "none" else escape(runs["prefect"])),
        (
            "MLflow run",
            f"the one tagged sluice.key = {escape(runs['mlflow'])}" if runs["mlflow"] else "",
        ),
    ]


def _around(told: Json) -> list[tuple[str, str]]:
    spells = [
        f"{when(spell['from'])} to {when(spell['until']) or 'now'}" for spell in told["spells"]
    ]
    return [
        (
            "Before it",
            neighbour(told["previous"]) if told["previous"] else "nothing: the first release",
        ),
        ("After it", neighbour(told["next"]) if told["next"] else "nothing yet"),
        ("Live", ", ".join(spells)),
    ]


def neighbour(event: Json) -> str:
    """A release in half a line."""
    return _words(
        f"release {event['release']}", event["tag"], short(event["digest"]), when(event["date"])
    )


def _last(told: Json) -> str:
    name = f"release {told['release']} of {told['model']}" if told["release"] else told["tag"]
    if told["contradictions"]:
        count = len(told["contradictions"])
        return (
            f"Disagreement: commit, image and evidence of {name} differ in {count}"
            f" point{'s' * (count > 1)}."
        )
    if told["missing"]:
        return f"Incomplete: of {name} this is what git tells; the registry did not give the rest."
    if not told["commit"]:
        return f"Never released: the registry has {name}, and no commit names it."
    if told["live"]:
        return f"Live: {name}, since {when(told['spells'][-1]['from'])}."
    return f"Not live: {name}" + (
        f", since {when(told['spells'][-1]['until'])}." if told["spells"] else "."
    )


def touched(out: Console, found: Json) -> None:
    """What a data set led to."""
    out.print(f"[bold]Data[/]  {escape(found['data'])}")
    rows = [(f"release {event['release']}", _deployment(event)) for event in found["deployments"]]
    _section(out, "Deployments", rows)
    rows = [(f"release {event['release']}", _candidate(event)) for event in found["candidates"]]
    _section(out, "Candidates that were not released", rows)
    rows = [
        (
            item["verdict"],
            (
                f"{escape(item['model'])}  {short(item['artifact'])} "
                f" [dim]{escape(_first(item['sentence']))}[/]"
            ),
        )
        for item in found["here"]
    ]
    _section(out, "Judged on this machine", rows)
    if found["unknown"]:
        numbers = ", ".join(f"{item['release']} of {item['model']}" for item in found["unknown"])
        out.print(
            "\n[yellow]Cannot be known[/]  releases that took a number and told no verdict:"
            f" {escape(numbers)}"
        )
    now = [event for event in found["deployments"] if event["live"]]
    named = ", ".join(f"release {event['release']} of {event['model']}" for event in now)
    count = len(found["deployments"])
    said = (
        f"Live from these data: {named}."
        if now
        else "Nothing that is live was trained or judged on these data."
    )
    out.print(
        f"\n[bold]{escape(said)}[/]"
        + (f" [dim]{count} deployment{'s' * (count != 1)} in all.[/]" if count else "")
    )


def _deployment(event: Json) -> str:
    spells = ", ".join(
        f"{when(spell['from'])} to {when(spell['until']) or 'now'}" for spell in event["spells"]
    )
    mark = "[green]live[/]" if event["live"] else ""
    return "  ".join(
        part for part in (escape(event["model"]), event["tag"], f"[dim]{spells}[/]", mark) if part
    )


def _candidate(event: Json) -> str:
    colour = _COLOURS.get(event["verdict"], "none")
    said = _first(event["sentence"].partition("\n")[2] or event["sentence"])
    words = (
        f"{escape(event['model'])}  {event['tag']}  [{colour}]{event['verdict']}[/],"
        f" {event['outcome']}"
    )
    return f"{words}  [dim]{when(event['date'])}  {escape(said)}[/]"


def _first(sentence: str) -> str:
    """The first of several reasons; how many there are is in the JSON."""
    said = " ".join(sentence.split()).partition("; ")[0]
    return said if len(said) <= _SAID else f"{said[:_SAID]}..."


def when(date: str) -> str:
    """A date as people read it: `2026-11-20 13:24`."""
    return date[:16].replace("T", " ")


def short(text: str) -> str:
    """The first characters of a hash; anything else as it is."""
    bare = text.removeprefix("sha256:")
    return (
        f"{bare[:12]}{'-dirty' * bare.endswith('-dirty')}"
        if re.fullmatch(r"[0-9a-f]{32,}(-dirty)?", bare)
        else text
    )


def _words(*parts: str) -> str:
    return ", ".join(escape(str(part)) for part in parts if part)
