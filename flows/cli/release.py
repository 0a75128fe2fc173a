"""What the commands do, apart from how they are typed."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.engine import store
from flows.engine.outcome import Outcome, forget, record, recorded
from flows.engine.run import begin, model_folder
from flows.gitops import manifest_repo
from flows.orchestration import prefect_server
from flows.project import settings
from flows.views import terminal
from flows.views.escape import escape
from sluice.errors import SluiceError, UsageError

if TYPE_CHECKING:
    from sluice.gate.decide import Verdict
    from sluice.policy import GatePolicy


def run_release(model: str, data: Path | None, as_json: bool, no_cache: bool) -> int:
    """A release, or nothing where a plan shows that nothing is to be done; its exit code."""
    given = settings.load()
    given.home.mkdir(parents=True, exist_ok=True)
    outcome = _settled(given, model, data, no_cache) or _engine(given, model, data, no_cache)
    _job_summary(given, outcome)
    if as_json:
        _print(asdict(outcome))
    else:
        terminal.summary(outcome)
    return outcome.exit_code


def _job_summary(given: settings.Settings, outcome: Outcome) -> None:
    """The verdict for the page of a GitHub Actions run."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if not page:
        return
    summary = Path(outcome.evidence).with_name("summary.md") if outcome.evidence else None
    text = (
        summary.read_text(encoding="utf-8")
        if summary and summary.is_file()
        else f"# Refused\n\n{outcome.sentence}\n"
    )
    text += f"\n**{outcome.outcome.capitalize()}.** {outcome.sentence}\n"
    if not given.registry or not given.manifests:
        text += (
            "\nA dry run: without SLUICE_REGISTRY and SLUICE_MANIFESTS, image and commit stay on"
            " this machine.\n"
        )
    with open(page, "a", encoding="utf-8") as file:
        file.write(text)


def _settled(
    given: settings.Settings, model: str, data: Path | None, no_cache: bool
) -> Outcome | None:
    """The outcome of a release in which every step is a HIT."""
    from flows.gitops.events import note
    from flows.orchestration.plan import plan
    from flows.steps.evidence import publish

    if no_cache:
        return None
    planned = plan(begin(given, model, data))
    if planned.outcome:
        for step in (step for step in planned.steps if step.step in planned.done):
            terminal.step(step.title, "hit", 0.0, planned.done[step.step].facts)
        if "evidence" in planned.done:
            publish(planned.run, planned.done)
        record(given.home, planned.outcome)
        note(planned.run, planned.done, planned.outcome)
        # rare, and worth the seconds that Prefect takes to start
        if prefect_server.killed(given.home):
            prefect_server.prepare(given.home)
            prefect_server.close_dead(given.home)
    return planned.outcome


def _engine(given: settings.Settings, model: str, data: Path | None, no_cache: bool) -> Outcome:
    """The release as a Prefect flow; the outcome that it left."""
    prefect_server.end_orphans(given.home)
    store.sweep(given.home)
    prefect_server.prepare(given.home)
    from flows.release import release

    forget(given.home, model)
    with prefect_server.marked(given.home):
        state: Any = release(model, str(data) if data else None, not no_cache, return_state=True)
    if not state.is_completed():
        state.result()
        raise SluiceError(
            f"the release ended as {state.name}: {state.message}",
            "Run it again; what was done is kept.",
        )
    outcome = recorded(given.home, model, "last")
    if not outcome:
        raise SluiceError("the release left no outcome", "Run it again with --debug.")
    return Outcome(**outcome)


def run_plan(model: str, data: Path | None, as_json: bool, no_cache: bool) -> int:
    """Print the plan."""
    from flows.orchestration.plan import plan

    planned = plan(begin(settings.load(), model, data, not no_cache))
    nothing = planned.outcome.sentence if planned.outcome else ""
    if as_json:
        _print(
            {
                "steps": [asdict(step) for step in planned.steps],
                "diff": planned.diff,
                "outcome": nothing,
            }
        )
        return 0
    out = terminal.console(stderr=False)
    out.print(terminal.plan(planned.steps, planned.diff))
    misses = sum(not step.hit for step in planned.steps)
    word = "Refused" if planned.outcome and planned.outcome.exit_code else "Nothing to do"
    out.print(
        f"[bold]{word}: {escape(nothing)}.[/]" if nothing else f"[bold]{misses} steps would run.[/]"
    )
    return 0


def run_validate(model: str, data: Path | None, docs: Path | None, as_json: bool) -> int:
    """Validate alone."""
    from flows.views.findings import summary, table
    from gx.validation import validate
    from sluice.model.table import read_table
    from sluice.served.table_refusals import TableRefused

    run = begin(settings.load(), model, data)
    try:
        frame = read_table(run.data.path.read_bytes(), run.contract, run.data.reference)
    except TableRefused as refused:
        if as_json:
            finding = {"column": "", "rule": refused.rule, "severity": "critical", "rows": 0}
            _print({"schema": 1, "rows": 0, "checks": 0, "refused": True, "findings": [finding]})
        raise
    report = validate(run.contract, frame, minimum_rows=run.policy.data.minimum_rows, model=model)
    if docs:
        from gx.docs import write_docs

        page = write_docs(run.contract, frame, report, docs)
        print(page, file=sys.stderr if as_json else sys.stdout, flush=True)
    if as_json:
        _print(dict(report.counts()))
    else:
        out = terminal.console(stderr=False)
        if report.findings:
            out.print(table(report))
        out.print(f"[bold]{summary(report)}[/]")
    return 3 if report.refused else 0


def run_gate(path: Path, as_json: bool) -> int:
    """Decide again from a metrics.json: seals and floors, and everything where the scores lie
    beside it.
    """
    from flows.decision.seals import check_file
    from sluice.model.metrics import summary
    from sluice.policy import load_policy

    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        model = str(metrics["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "A release writes one; see `sluice status`."
        raise UsageError(f"{path} is not a metrics.json: {error!r}", fix) from None
    text = (model_folder(model, settings.load().project) / "policy.toml").read_text(
        encoding="utf-8"
    )
    verdict = _decided(path, metrics, load_policy(text, f"models/{model}/policy.toml").gate)
    code = 0 if verdict.verdict in ("PROMOTE", "HOLD") else 3
    if as_json:
        _print(verdict.document())
    else:
        out = terminal.console(stderr=False)
        marks = {"met": "[green]met[/]   ", "broken": "[red]broken[/]", "open": "[yellow]open[/]  "}
        for rule in verdict.rules:
            out.print(f"{marks[rule.state]}  {rule.rule:<24} {escape(str(rule))}")
        measured = not code and all(name in metrics for name in ("confusion", "intervals"))
        said = (
            summary(verdict.document(), metrics)
            if measured
            else f"{verdict.verdict}: {verdict.sentence}"
        )
        out.print(f"[bold]{escape(said)}[/]")
    check_file(path.parent, text)
    return code


def _decided(path: Path, metrics: Mapping[str, Any], policy: "GatePolicy") -> "Verdict":
    from flows.steps.gate import decide_folder
    from sluice.gate import declared_metrics

    folder = path.parent
    if not (folder / "scores.parquet").is_file():
        return declared_metrics.decide(metrics, policy)
    try:
        standing = json.loads((folder / "standing.json").read_text(encoding="utf-8"))
        return decide_folder(folder, policy, standing)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path} lacks what the gate reads: {error!r}", "Take it as a release wrote it."
        ) from None


def run_status(model: str, as_json: bool) -> int:
    """Print what is live, since when, and what was last refused."""
    given = settings.load()
    model_folder(model, given.project)
    now = manifest_repo.live(given, model)
    champion: Mapping[str, Any] = (now.champion if now else None) or {}
    since = manifest_repo.since(given, champion) if champion else ""
    refused = recorded(given.home, model, "refused")
    if as_json:
        _print(
            {
                "model": model,
                "champion": champion,
                "since": since,
                "refused": refused,
                "tip": now.tip if now else "",
            }
        )
        return 0
    out = terminal.console(stderr=False)
    place = manifest_repo.place(given, "in")
    if refused:
        out.print(f"[dim]Last refused[/]  {escape(refused['summary'] or refused['sentence'])}")
    if not champion:
        out.print(f"[bold]Nothing of {model} is live yet{place}: sluice release {model}[/]")
        return 0
    out.print(f"[dim]Image[/]         {champion['image']}:{champion['tag']}@{champion['digest']}")
    out.print(
        f"[dim]Measured[/]      recall {champion['recall']:.4f}, precision"
        f" {champion['precision']:.4f}"
    )
    when = f", since {since}" if since else ""
    out.print(f"[bold]Live{place}: release {champion['release']} of {model}{when}[/]")
    return 0


def _print(value: object) -> None:
    print(json.dumps(value, indent=1))
