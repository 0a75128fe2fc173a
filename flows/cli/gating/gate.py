"""`sluice gate`: the verdict again, from what a release wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import AsJson
from flows.facts.step_files import SCORES, STANDING
from sluice.errors import Refused, UsageError, cause

if TYPE_CHECKING:
    from flows.project.settings import Settings
    from sluice.gate.decide import Verdict
    from sluice.policy import Policy
    from sluice.served.contract import Target


def gate(
    metrics: Annotated[
        Path, typer.Argument(help="a metrics.json; a scores.parquet beside it is used too")
    ],
    as_json: AsJson = False,
) -> None:
    """Decide again from files; exit code 3 if a rule is broken.

    Example: sluice gate .sluice/demo/evidence/MODEL/metrics.json
    """
    from flows.project.settings import load

    raise typer.Exit(run_gate(load(), metrics, as_json=as_json))


def run_gate(settings: "Settings", path: Path, *, as_json: bool) -> int:
    """Print the verdict on a metrics.json: seals and floors, and every rule where the scores lie
    beside it. 3 where it is neither PROMOTE nor HOLD.
    """
    from flows.decision.seals import check_file
    from flows.project.models import model_folder
    from flows.views.gating import verdict as view
    from flows.views.progress import working
    from sluice.policy import load_policy
    from sluice.schedule import decisive
    from sluice.served.contract import load_contract

    metrics = _read(path)
    model = str(metrics["model"])
    folder = model_folder(model, settings.project)
    name = f"models/{model}/policy.toml"
    text = (folder / "policy.toml").read_text(encoding="utf-8")
    policy = load_policy(text, name)
    sealed = decisive(text, name)
    contract_text = (folder / "contract.toml").read_text(encoding="utf-8")
    contract = load_contract(contract_text, f"models/{model}/contract.toml")
    with working("Decide"):
        verdict = _decide(path, metrics, policy, contract.target)
    if as_json:
        return _print(verdict, _changed(path.parent, sealed))
    view.show(verdict, metrics)
    check_file(path.parent, sealed)
    return _code(verdict)


def _code(verdict: "Verdict") -> int:
    return 0 if verdict.verdict in ("PROMOTE", "HOLD") else Refused.exit_code


def _changed(folder: Path, policy_text: str) -> Refused | None:
    """Why the files are not those that were sealed; None where they are, or nothing seals them."""
    from flows.decision.seals import check_file

    try:
        check_file(folder, policy_text)
    except Refused as refused:
        return refused
    return None


def _print(verdict: "Verdict", changed: Refused | None) -> int:
    """One JSON document: the verdict, with the error where a file was changed since."""
    document = verdict.document()
    code = _code(verdict)
    if changed:
        code = changed.exit_code
        document |= {"error": str(changed), "exit_code": code}
    print(json.dumps(document, indent=1))
    return code


def _read(path: Path) -> dict[str, Any]:
    """A metrics.json that names its model. Raises UsageError for anything else."""
    try:
        metrics: dict[str, Any] = json.loads(path.read_bytes())
        metrics["model"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a metrics.json: {cause(error)}",
            "A release writes one; see `sluice status`.",
        ) from None
    return metrics


def _decide(
    path: Path, metrics: Mapping[str, Any], policy: "Policy", target: "Target"
) -> "Verdict":
    from flows.decision.decide import Named, decide_folder, number, several
    from sluice.gate import declared_metrics
    from sluice.gitops.state import Standing
    from sluice.model.json_file import decode_json

    folder = path.parent
    classes, of_number = several(target, policy), number(target, policy)
    if not (folder / SCORES).is_file():
        if classes or of_number:
            kind = "several classes" if classes else "a number"
            raise UsageError(
                f"{folder} has no {SCORES}; of {kind} it is required",
                'A release lays it there where its policy has told = "figures".',
            )
        return declared_metrics.decide(metrics, policy.gate, target.words)
    try:
        standing = decode_json((folder / STANDING).read_bytes(), Standing, STANDING)
        named = Named(target.words, classes=classes, number=of_number)
        return decide_folder(folder, policy.gate, standing, named)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{folder} is incomplete: {cause(error)}",
            "Use the folder exactly as a release wrote it.",
        ) from None
