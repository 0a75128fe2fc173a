"""What a run shows on its page in Prefect: the verdict, the metrics, what was refused, where the evidence is."""

import json
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.engine import Done
from flows.outcome import Outcome
from flows.run import Run
from flows.steps.validate import DataRefused, public
from sluice.errors import Refused


def evidence(run: Run, done: Done) -> None:
    """Verdict and metrics, as soon as they are there."""
    summary = (done["evidence"].folder / "summary.md").read_text(encoding="utf-8")
    create_markdown_artifact(summary, key=f"{run.model}-verdict", description="Verdict and every rule")
    metrics = json.loads((done["score"].folder / "metrics.json").read_text(encoding="utf-8"))
    create_table_artifact(_rows(metrics), key=f"{run.model}-metrics", description="Holdout, validation, intervals")


def _rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, value in metrics["holdout"].items():
        low, high = metrics["intervals"].get(name, (None, None))
        interval = f"{low:.4f} to {high:.4f}" if low is not None else ""
        found.append({"metric": name.replace("_", " "), "holdout": f"{value:.4f}", "95 % interval": interval,
                      "validation": f"{metrics['validation'][name]:.4f}"})  # fmt: skip
    return found


def refusal(run: Run, refused: Refused) -> None:
    """What was refused before a verdict; of rows only counts."""
    text = f"# Refused\n\n{public(refused)}\n\nThe terminal of the run says what to do.\n"
    if isinstance(refused, DataRefused):
        # The values that break a rule stay on the terminal: this page may be read by others.
        create_table_artifact(list(refused.report.counts()["findings"]), key=f"{run.model}-findings",
                              description="Rules that the data breaks, as counts")  # fmt: skip
    create_markdown_artifact(text, key=f"{run.model}-verdict", description="Refused")


def delivery(run: Run, outcome: Outcome) -> None:
    """What was built and committed, and where the evidence lies."""
    rows = {"outcome": outcome.outcome, "why": outcome.sentence, "image": outcome.reference, "commit": outcome.commit,
            "release": outcome.release or "", "evidence": outcome.evidence}  # fmt: skip
    text = "\n".join(f"- **{name}**: {value}" for name, value in rows.items() if value)
    create_markdown_artifact(f"# {outcome.outcome.capitalize()}\n\n{text}\n", key=f"{run.model}-delivery",
                             description="Image, commit and evidence")  # fmt: skip
