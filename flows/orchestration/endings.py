"""How a release ends: its outcome from what is known of report and image."""

from flows.decision import generated_rows, replayed
from flows.decision import told as door
from flows.engine import store
from flows.engine.outcome import Outcome
from flows.engine.perform import key_of
from flows.engine.phases import Report
from flows.engine.request import Request
from flows.evidence import identity
from flows.evidence.identity import Identity
from flows.facts.imaged import Imaged
from flows.gitops import events, manifest_repo
from flows.steps.validate import VALIDATE, DataRefused, public
from sluice.errors import Refused
from sluice.served.table_refusals import TableRefused


def ended(
    report: Report,
    outcome: str,
    sentence: str,
    *,
    image: Imaged | None = None,
    commit: str = "",
    release: int = 0,
) -> Outcome:
    """The outcome of a release that came to a verdict; `outcome` is one of `outcome.EXIT`."""
    settings, decided = report.request.settings, report.decided
    page = settings.home / "evidence" / report.request.model / "evidence.html"
    return Outcome(
        outcome,
        sentence,
        report.request.model,
        verdict=decided.verdict,
        tag=report.candidate.tag,
        digest=image.digest if image else "",
        reference=image.reference if image else "",
        commit=commit,
        release=release,
        evidence=str(page),
        summary=door.of(report.decision).line,
        override=decided.override,
        policy_changed=decided.policy_changed,
        overlay=manifest_repo.apart(settings).rstrip("/"),
        compared=generated_rows.warning(report.request),
    )


def told(judged: Identity, outcome: Outcome) -> Identity:
    """What the page says of a release in head and foot, after its end."""
    return identity.ended(judged, outcome.outcome, image=outcome.reference, commit=outcome.commit)


def held_or_refused(report: Report) -> Outcome:
    """The outcome of a release that ends with its verdict, or with the replay after it."""
    changed = replayed.refused(report)
    if changed:
        return ended(report, "refused", f"the replay refuses it. {changed}")
    outcome = "hold" if report.decided.verdict == "HOLD" else "refused"
    return ended(report, outcome, report.decided.sentence)


def note(report: Report, outcome: Outcome) -> None:
    """Write the end of a release that leaves no commit to the ledger branch."""
    request = report.request
    key = report.decision.scored.key
    events.note(request.settings, request.model, key, request.data.sha256, outcome)


def remember_refusal(request: Request, refused: Refused) -> None:
    """Let the next plan know that validation refused these data, without a value of a row.

    Any other refusal can end another way next time, and is not remembered.
    """
    if not isinstance(refused, DataRefused | TableRefused):
        return
    key = key_of(VALIDATE, request)
    store.refuse(request.settings.home, VALIDATE.name, key, public(refused))
