"""What a run shows on its page in Prefect: the verdict, the metrics, what was refused, where the
evidence is.
"""

import json
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.engine.outcome import Outcome
from flows.engine.run import Run
from flows.engine.step import Done
from flows.evidence.page import METRICS, metric_rows
from flows.steps.validate import DataRefused, public
from sluice.errors import Refused
from sluice.model.metrics import summary


def number(run: Run, number: int) -> None:
    """Name the run after the release that it became."""
    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=f"{run.model} release {number}")


def evidence(run: Run, done: Done) -> None:
    """Verdict and metrics, as soon as they are there."""
    text = (done["evidence"].folder / "summary.md").read_text(encoding="utf-8")
    metrics = json.loads((done["score"].folder / "metrics.json").read_text(encoding="utf-8"))
    create_markdown_artifact(
        text, key=f"{run.model}-verdict", description=summary(done["gate"].facts, metrics)
    )
    measured = (
        f"Measured on {metrics['rows']['holdout']:,} holdout rows, flagged from"
        f" {metrics['threshold']:.3f} on"
    )
    create_table_artifact(_rows(metrics), key=f"{run.model}-metrics", description=measured)


def _rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    span = f"{metrics['intervals']['level']:.0%} interval"
    texts = dict(METRICS.values())
    return [
        {
            "metric": name,
            "holdout": holdout,
            span: interval,
            "validation": validation,
            "what it is": texts[name],
        }
        for name, holdout, interval, validation in metric_rows(metrics)
    ]


def refusal(run: Run, refused: Refused) -> None:
    """What was refused before a verdict; of rows only counts."""
    text = f"# Refused\n\n{public(refused)}\n\nThe terminal of the run says what to do.\n"
    if isinstance(refused, DataRefused):
        # The values that break a rule stay on the terminal: this page may be read by others.
        create_table_artifact(
            list(refused.report.counts()["findings"]),
            key=f"{run.model}-findings",
            description="Rules that the data breaks, as counts",
        )
    create_markdown_artifact(
        text, key=f"{run.model}-verdict", description=f"Refused: {public(refused)}"
    )


def delivery(run: Run, outcome: Outcome) -> None:
    """What was built and committed, and where the evidence lies."""
    rows = {
        "outcome": outcome.outcome,
        "why": outcome.sentence,
        "image": outcome.reference,
        "commit": outcome.commit,
        "release": outcome.release or "",
        "evidence": outcome.evidence,
    }
    text = "\n".join(f"- **{name}**: {value}" for name, value in rows.items() if value)
    create_markdown_artifact(
        f"# {outcome.outcome.capitalize()}\n\n{text}\n",
        key=f"{run.model}-delivery",
        description=outcome.sentence,
    )
