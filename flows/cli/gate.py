"""`sluice gate`: the verdict again, from what a release wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import AsJson

if TYPE_CHECKING:
    from sluice.gate.decide import Verdict
    from sluice.policy import GatePolicy
    from sluice.served.words import Words


def gate(
    metrics: Annotated[
        Path, typer.Argument(help="a metrics.json; scores.parquet beside it is used where it lies")
    ],
    as_json: AsJson = False,
) -> None:
    """Decide again from metrics.json; exit code 3 where a rule is broken.

    Example: sluice gate .sluice/evidence/attrition/metrics.json
    """
    raise typer.Exit(run_gate(metrics, as_json))


def run_gate(path: Path, as_json: bool) -> int:
    """Decide again from a metrics.json: seals and floors, and everything where the scores lie
    beside it.
    """
    from flows.decision.seals import check_file
    from flows.project import settings
    from flows.project.models import model_folder
    from flows.views import terminal
    from flows.views.escape import escape
    from sluice.errors import UsageError
    from sluice.model.metrics import summary
    from sluice.policy import load_policy
    from sluice.served.contract import load_contract

    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        model = str(metrics["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "A release writes one; see `sluice status`."
        raise UsageError(f"{path} is not a metrics.json: {error!r}", fix) from None
    folder = model_folder(model, settings.load().project)
    text = (folder / "policy.toml").read_text(encoding="utf-8")
    policy = load_policy(text, f"models/{model}/policy.toml")
    contract_text = (folder / "contract.toml").read_text(encoding="utf-8")
    contract = load_contract(contract_text, f"models/{model}/contract.toml")
    verdict = _decided(path, metrics, policy.gate, contract.words)
    code = 0 if verdict.verdict in ("PROMOTE", "HOLD") else 3
    if as_json:
        print(json.dumps(verdict.document(), indent=1))
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


def _decided(
    path: Path, metrics: Mapping[str, Any], policy: "GatePolicy", words: "Words"
) -> "Verdict":
    import msgspec

    from flows.decision.decide import decide_folder
    from sluice.errors import UsageError
    from sluice.gate import declared_metrics
    from sluice.gitops.state import Standing

    folder = path.parent
    if not (folder / "scores.parquet").is_file():
        return declared_metrics.decide(metrics, policy, words)
    try:
        standing = msgspec.json.decode((folder / "standing.json").read_bytes(), type=Standing)
        return decide_folder(folder, policy, standing, words=words)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path} lacks what the gate reads: {error!r}", "Take it as a release wrote it."
        ) from None
