"""What waits for approvals, in a terminal and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from flows.views.terminal import console, identity, row, summary
from flows.views.wording import upper_first
from sluice.gitops.approvals import NOBODY, Count, Voice, principal, short

if TYPE_CHECKING:
    from flows.decision.approved import Waiting
    from flows.engine.outcome import Outcome


def show(model: str, waiting: "Waiting | None") -> None:
    """What waits, its evidence, who said what, and what to type next."""
    out = console(stderr=False)
    if waiting is None:
        out.print(f"[bold]Nothing of {model} waits for approvals.[/]")
        return
    question, evidence, count = waiting.question, waiting.evidence, waiting.count
    verdict = evidence.verdict or {}
    row(out, "Waits", f"release {question.release} of {question.model}, for {question.overlay}")
    row(out, "Image", identity(out, f"{question.image}:{question.tag}@{question.digest}"))
    row(out, "Evidence", question.evidence)
    row(out, "Read it", str(waiting.page))
    if verdict:
        row(out, "Verdict", f"{verdict.get('verdict', '')}: {verdict.get('sentence', '')}")
    champion = question.champion
    row(out, "Champion", "none" if champion == NOBODY else short(champion))
    row(out, "Made by", ", ".join(question.makers))
    loud = {"Override": evidence.override, "Policy": evidence.policy_changed}
    for name, text in loud.items():
        if text:
            row(out, name, text, "bold yellow")
    for name, text in _said(count):
        row(out, name, text)
    if waiting.unsure:
        row(out, "Unsure", f"nothing here says who may approve: {waiting.unsure}", "bold yellow")
    out.print(f"[bold]{upper_first(_last(waiting))}[/]")


def ended(word: str, waiting: "Waiting", outcome: "Outcome | None") -> None:
    """What came of an answer: where it stands, and the release where that went on."""
    if outcome is not None:
        summary(outcome)
        return
    console(stderr=False).print(f"[bold]{word}. {upper_first(_last(waiting))}[/]")


def document(model: str, waiting: "Waiting | None") -> dict[str, object]:
    """The same as JSON; `waits` is null where nothing does."""
    if waiting is None:
        return {"model": model, "waits": None}
    count = waiting.count
    return {
        "model": model,
        "waits": msgspec.to_builtins(waiting.question),
        "page": str(waiting.page),
        "required": count.required,
        "enough": count.enough,
        "approved": [_document(voice) for voice in count.approved],
        "rejected": _document(count.rejected) if count.rejected else None,
        "void": [_document(voice) for voice in count.void],
        "unsure": waiting.unsure,
    }


def _document(voice: Voice) -> dict[str, str]:
    return {
        "who": principal(voice.signer) or voice.said.by,
        "signer": voice.signer,
        "commit": voice.commit,
        "date": voice.date,
        "reason": voice.said.reason,
        "void": voice.void,
    }


def _said(count: Count) -> Iterator[tuple[str, str]]:
    """A line for each statement, the newest last."""
    for voice in count.approved:
        yield "Approved", _of(voice)
    for voice in count.void:
        yield "Void", f"{_of(voice)}: {voice.void}"
    if count.rejected:
        yield "Rejected", f"{_of(count.rejected)}: {count.rejected.said.reason}"


def _of(voice: Voice) -> str:
    return f"{voice.signer or voice.said.by}, {voice.date[:10]}, commit {short(voice.commit)}"


def _last(waiting: "Waiting") -> str:
    count, model = waiting.count, waiting.question.model
    if count.rejected:
        return f"{count.sentence}. Release again from other data, code or policy."
    if count.enough:
        return f"{count.sentence}: `sluice release {model}` promotes it."
    return (
        f"{count.sentence}. Read it, then `sluice approve {model} --evidence"
        f" {short(waiting.question.evidence)}`, or `sluice reject {model} --reason TEXT`."
    )
