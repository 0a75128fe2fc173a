"""What a run shows on its page in Prefect: the verdict, the metrics, refusals, the evidence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec

from httpx import HTTPError
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from flows.adapters.plain_text import in_markdown
from flows.decision import told
from flows.decision.approvals import UNAPPROVED
from flows.engine.outcome import Outcome
from flows.engine.phases import Report
from flows.engine.release_tools import RunPage
from flows.engine.request import Request
from flows.engine.runs import StepLine
from flows.evidence.page import class_rows, metric_rows, number_rows
from flows.gitops.approvals import BRANCH
from flows.gitops.writer import Written
from flows.orchestration.prefect_server import answers, people_tags
from flows.steps.validate import DataRefused, public
from flows.views.wording import upper_first
from sluice.errors import Refused, SluiceError
from sluice.gitops.approvals import Count, short
from sluice.gitops.deploy_files import kubernetes_name
from sluice.model.quality.metrics_file import Metrics
from sluice.monitor.report import ACT, FINE, WATCH
from sluice.monitor.report import Report as Watched
from sluice.percent import percent

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from flows.canary.reconcile import Report as Reconciled

LOST = "Prefect does not answer any more: the release goes on without it."
_DELIVERED = ("promoted", "nothing to do", "proposed")
_SHORT = 8  # characters of a tag

P = ParamSpec("P")


@dataclass
class WhileItAnswers:
    """The page of a run for as long as Prefect answers; a release does not end with its view.

    `say` is told once, in a sentence, that nothing is shown any more.
    """

    page: RunPage
    say: Callable[[str], None]
    answers: Callable[[], bool] = answers
    lost: bool = field(default=False, init=False)

    def number(self, request: Request, number: int) -> None:
        """Name the run after the number that it took."""
        self.show(self.page.number, request, number)

    def evidence(self, report: Report) -> None:
        """Show verdict and metrics."""
        self.show(self.page.evidence, report)

    def refusal(self, request: Request, refused: Refused) -> None:
        """Show what was refused before a verdict."""
        self.show(self.page.refusal, request, refused)

    def delivery(self, request: Request, outcome: Outcome) -> None:
        """Show what was built and committed."""
        self.show(self.page.delivery, request, outcome)

    def steps(self, model: str, steps: Sequence[StepLine]) -> None:
        """Show the steps with their seconds."""
        self.show(self.page.steps, model, steps)

    def ended(self, outcome: Outcome) -> None:
        """Name and tag the run after its end."""
        self.show(self.page.ended, outcome)

    def show(self, action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do something at Prefect's server, where it still answers."""
        if self.lost:
            return
        try:
            # Asked first: Prefect tries again for a minute where nothing listens any more.
            if self.answers():
                action(*args, **kwargs)
                return
        except (HTTPError, PrefectException):
            pass
        self.lost = True
        self.say(LOST)


def artifact_key(model: str, what: str) -> str:
    """What an artifact of a model is called: Prefect takes small letters, digits and dashes."""
    return f"{kubernetes_name(model)}-{what}"


class PrefectPage:
    """The page of the flow run that is going on, filled with Prefect's artifacts."""

    def number(self, request: Request, number: int) -> None:
        """Name the run after the number that it took."""
        _update(f"{request.model} {number}")

    def evidence(self, report: Report) -> None:
        """Show verdict and metrics, as soon as they are there."""
        model, outcome = report.request.model, told.of(report.decision)
        create_markdown_artifact(
            report.evidence.read("summary.md").decode(),
            key=artifact_key(model, "verdict"),
            description=outcome.line,
        )
        if outcome.of_classes:
            create_table_artifact(
                class_rows(outcome.of_classes),
                key=f"{model}-metrics",
                description=f"Measured on {outcome.of_classes.rows.holdout:,} holdout rows",
            )
        if outcome.of_number:
            create_table_artifact(
                number_rows(outcome.of_number),
                key=artifact_key(model, "metrics"),
                description=f"Measured on {outcome.of_number.rows.holdout:,} holdout rows",
            )
        metrics = outcome.metrics
        if metrics is None:
            return
        rows, threshold = metrics.rows.holdout, metrics.threshold
        create_table_artifact(
            _rows(metrics),
            key=artifact_key(model, "metrics"),
            description=f"Measured on {rows:,} holdout rows, flagged from {threshold:.3f} on",
        )

    def refusal(self, request: Request, refused: Refused) -> None:
        """Show what was refused before a verdict; of rows only counts."""
        if isinstance(refused, DataRefused):
            # The values that break a rule stay on the terminal: others may read this page.
            create_table_artifact(
                list(refused.report.counts()["findings"]),
                key=artifact_key(request.model, "findings"),
                description="Rules that the data breaks, as counts",
            )
        message = in_markdown(public(refused))
        create_markdown_artifact(
            f"# Refused\n\n{message}\n\nThe terminal of the run says what to do.\n",
            key=artifact_key(request.model, "verdict"),
            description=f"Refused: {message}",
        )

    def delivery(self, request: Request, outcome: Outcome) -> None:
        """Show what was built and committed, and where the evidence lies."""
        # A whole reference is cut off at the edge of the page, so its digest has a line of its own.
        image, _, digest = outcome.reference.partition("@")
        rows = {
            "why": upper_first(outcome.sentence),
            "champion": outcome.compared,
            "image": image,
            "digest": digest,
            "commit": outcome.commit,
            "release": outcome.release or "",
            "evidence": outcome.evidence,
        }
        text = "\n".join(
            f"- **{name}**: {in_markdown(str(value))}" for name, value in rows.items() if value
        )
        create_markdown_artifact(
            f"# {outcome.outcome.capitalize()}\n\n{text}\n{how_it_goes_on(outcome)}",
            key=delivery_key(request.model, outcome),
            description=in_markdown(upper_first(outcome.sentence)),
        )

    def steps(self, model: str, steps: Sequence[StepLine]) -> None:
        """Show the steps with their seconds: a run's own list is gone with Prefect's database, this
        one too, and `sluice history --runs` has it on the machine that ran.
        """
        if not steps:
            return
        taken = sum(step.state == "hit" for step in steps)
        create_table_artifact(
            [
                {"step": step.title, "state": step.state.upper(), "seconds": step.seconds}
                for step in steps
            ],
            key=f"{model}-steps",
            description=f"{taken} of {len(steps)} steps were taken from before",
        )

    def ended(self, outcome: Outcome) -> None:
        """Name the run after its end, and tag it with model, verdict and overlay."""
        overlay = outcome.overlay or "production"
        ours = [word for word in (outcome.model, outcome.verdict, overlay) if word]
        name_and_tag(_name(outcome), ours)


def how_it_goes_on(outcome: Outcome) -> str:
    """How people approve or reject what waits for them; empty where nothing does."""
    if outcome.outcome != UNAPPROVED:
        return ""
    model = in_markdown(outcome.model)
    return (
        f"\n## How it goes on\n\n"
        f"1. Read the evidence: `sluice approvals {model}` says where it lies.\n"
        f"2. Approve it by name, with your key: `sluice approve {model}`. It cannot be approved"
        " here, because nobody here has a name.\n"
        f"3. Or end it here: run the deployment `{model}-reject`, with the hash of the evidence"
        f" that stands above. `sluice reject {model} --reason TEXT` does the same. It is final for"
        " this evidence.\n\n"
        "Once enough people approved, it goes on: at once where the last of them has its steps,"
        " else by Retry on the page of this run, or with the next release.\n"
    )


def show_rejection(model: str, count: Count) -> None:
    """Show who ended a release that waited, why, and where that is recorded; nothing where no run
    goes on.
    """
    said = count.rejected
    if said is None or not flow_run.id:
        return
    rows = {
        "reason": said.said.reason,
        "evidence": short(said.said.evidence_hash),
        "release": said.said.release,
        "by": said.signer or f"{said.said.by}, unsigned",
        "commit": f"{said.commit} on the branch {BRANCH} of the manifest repo",
    }
    text = "\n".join(f"- **{name}**: {in_markdown(str(value))}" for name, value in rows.items())
    create_markdown_artifact(
        f"# Rejected\n\n{text}\n\nThat is final for this evidence, and nothing of it goes live."
        " Release again from other data, code or policy.\n",
        key=artifact_key(model, "rejection"),
        description=in_markdown(f"{count.sentence}."),
    )


def delivery_key(model: str, outcome: Outcome) -> str:
    """What the page about the end of a run is kept as: nothing is called a delivery that was
    none.
    """
    kind = "delivery" if outcome.outcome in _DELIVERED else "outcome"
    return artifact_key(model, kind)


def state_of(outcome: Outcome) -> "State[None]":
    """The state that a run ends in, by the name of its outcome.

    Green where the release did what it was asked for, red where it was refused, and grey where it
    ended as it should and changed nothing in the manifest repo.
    """
    name, message = outcome.outcome.capitalize(), upper_first(outcome.sentence)
    if outcome.exit_code == 3:
        return Failed(name=name, message=message)
    if outcome.outcome in _DELIVERED:
        return Completed(name=name, message=message)
    return Cancelled(name=name, message=message)


def state_of_monitor(report: Watched) -> "State[None]":
    """The state of a run that looked at what is live: green for fine, grey for watch, red for
    act.
    """
    states = {FINE: Completed, WATCH: Cancelled, ACT: Failed}
    return states[report.verdict](name=report.verdict.capitalize(), message=report.sentence)


def state_of_rollback(written: Written) -> "State[None]":
    """The state of a run that went back: green where it did, grey where nothing was written."""
    if written.outcome == "committed":
        return Completed(name="Rolled back", message=written.sentence)
    state = Completed if written.outcome == "proposed" else Cancelled
    return state(name=written.outcome.capitalize(), message=written.sentence)


def state_of_reconcile(report: "Reconciled") -> "State[None]":
    """The state of a run that looked at a canary: green where its good end was recorded, red where
    it was taken back, grey where nothing was written.
    """
    from flows.views.live.reconcile import sentence

    told = sentence(report)
    if report.written.outcome == "nothing":
        return Completed(name="Nothing to do", message=told)
    if report.written.outcome != "committed":
        return Cancelled(name=report.written.outcome.capitalize(), message=told)
    if report.diff:
        return Failed(name="Taken back", message=told)
    return Completed(name="Recorded", message=told)


def failed(error: SluiceError) -> "State[None]":
    """The state of a run that ended with an error of ours: its sentence, and no traceback."""
    name = "Refused" if isinstance(error, Refused) else "Failed"
    return Failed(name=name, message=str(error))


def name_and_tag(name: str, tags: Sequence[str]) -> None:
    """Name the run that goes on after its end, with these tags before those that it has."""
    _update(name, list(dict.fromkeys([*tags, *people_tags(flow_run.tags)])))


def _name(outcome: Outcome) -> str:
    """The number of the release for what can go live, else what became of the candidate."""
    if outcome.outcome in _DELIVERED and outcome.release:
        return f"{outcome.model} release {outcome.release}"
    if outcome.tag:
        return f"{outcome.model} candidate {outcome.tag[:_SHORT]}"
    return f"{outcome.model} {outcome.outcome}"


def _update(name: str, tags: list[str] | None = None) -> None:
    """Change the run that goes on; nothing where there is none."""
    if not flow_run.id:
        return
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=name, tags=tags)


def _rows(metrics: Metrics) -> list[dict[str, str]]:
    """The table of metrics: a line for each, by the heads of its columns."""
    span = f"{percent(metrics.intervals.level)} interval"
    return [
        {
            "metric": row.name,
            "holdout": row.holdout,
            span: row.interval,
            "validation": row.validation,
            "what it is": row.meaning,
        }
        for row in metric_rows(metrics)
    ]
