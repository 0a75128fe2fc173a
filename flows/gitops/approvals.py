"""The branch of the manifest repo on which releases ask and people answer.

    <model>/<overlay>.json                       what the newest release waits with
    <model>/<overlay>/<evidence>/<answer>.json   each answer, which its signed commit makes

What counts is the message of a commit and its signature, not a file: a file can be copied. Argo CD
does not watch this branch, so who approves needs no right to write to the one that it does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.git import git
from flows.adapters.git.git import Author
from flows.gitops import manifest_repo, writer
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import Refused
from sluice.gitops import state
from sluice.gitops.approvals import (
    REJECT,
    Question,
    Voice,
    message,
    read,
    short,
    statement,
)
from sluice.gitops.trailers import Statement

BRANCH = "sluice-approvals"
_NAMED = 16  # characters of a hash in the name of a file


@dataclass(frozen=True)
class Answers:
    """What is said on the branch: what waits (None for nothing), all statements of the model, the
    oldest first, and the repository that has their commits, while it is open.
    """

    repository: Path
    question: Question | None
    voices: tuple[Voice, ...]


@contextmanager
def opened(settings: Settings, model: str) -> Iterator[Answers]:
    """The branch as it is now, with its whole history. Raises as `git.tip`, and SluiceError where
    the question is not what it should be.
    """
    with git.empty(settings.remote, BRANCH) as repo:
        tip = git.fetch(repo, BRANCH) if manifest_repo.there(settings) else ""
        if not tip:
            yield Answers(repo.path, None, ())
            return
        at_tip = git.Clone(repo.path, repo.remote, BRANCH, tip)
        voices = tuple(one for one in _voices(repo.path, tip) if one.said.model == model)
        yield Answers(repo.path, _question(settings, model, at_tip), voices)


def waiting(settings: Settings, model: str) -> Question | None:
    """What the newest release of a model asks for this overlay; None where none ever asked."""
    if not manifest_repo.there(settings):
        return None
    with git.clone(settings.remote, BRANCH) as repo:
        return _question(settings, model, repo)


def ask(settings: Settings, question: Question) -> Written:
    """Say what waits, in the place of what waited before. Raises what `writer.write` raises."""
    files = {_path(question): state.encode(question)}
    text = (
        f"Ask about release {question.release} of {question.model}: {question.tag}\n\n"
        f"{question.required} people have to approve evidence {question.evidence}.\n"
    )

    def decide(_repo: git.Clone) -> Change | Written:
        return Change(files, text)

    return writer.write(settings, BRANCH, decide)


def answer(
    settings: Settings, question: Question, decision: str, author: Author, reason: str = ""
) -> Written:
    """Approve or reject what waits, in a commit of `author`, who signs it where there is a key.

    Raises Refused where something else waits by now, or its evidence was rejected before.
    """
    said = statement(question, decision, author.author, reason)

    def decide(repo: git.Clone) -> Change | Written:
        now = _question(settings, question.model, repo)
        if now != question:
            shown = f"`sluice approvals {question.model}`"
            raise Refused(
                f"release {question.release} of {question.model} does not wait any more with"
                f" evidence {short(question.evidence)}",
                f"See {shown} for what waits now.",
            )
        folder = _folder(question)
        before = git.names(repo, folder)
        if any(name.endswith(f"-{REJECT}.json") for name in before):
            raise Refused(
                f"the evidence {short(question.evidence)} was rejected, which is final",
                "Release again from other data, code or policy: that makes other evidence.",
            )
        name = f"{len(before) + 1}-{decision}.json"
        return Change({f"{folder}/{name}": state.encode(said)}, message(said))

    return writer.write(settings.model_copy(update=_as(author)), BRANCH, decide)


def say(settings: Settings, author: Author, said: Statement) -> Written:
    """Say something that nobody asked for, in a commit of `author`."""

    def decide(repo: git.Clone) -> Change | Written:
        folder = f"{said.model}/{said.overlay}/{said.evidence_hash[7 : 7 + _NAMED]}"
        name = f"{len(git.names(repo, folder)) + 1}-{said.decision}.json"
        return Change({f"{folder}/{name}": state.encode(said)}, message(said))

    return writer.write(settings.model_copy(update=_as(author)), BRANCH, decide)


def _as(author: Author) -> dict[str, object]:
    """The settings by which the writer commits as somebody."""
    return {
        "author": author.author,
        "committer": author.committer,
        "signing_key": author.key,
        "signing_format": author.format,
        "mode": "push",
    }


def _path(question: Question) -> str:
    return f"{question.model}/{question.overlay}.json"


def _folder(question: Question) -> str:
    evidence = question.evidence.removeprefix("sha256:")[:_NAMED]
    return f"{question.model}/{question.overlay}/{evidence}"


def _question(settings: Settings, model: str, repo: git.Clone) -> Question | None:
    path = f"{model}/{settings.overlay}.json"
    text = manifest_repo.text(repo, path)
    return state.decode(text, Question, f"{path} of branch {BRANCH}") if text else None


def _voices(repository: Path, tip: str) -> Iterator[Voice]:
    """The statements of a history, the oldest first; what says nothing is passed over."""
    words = ("log", "-z", "--topo-order", "--reverse", "--format=%H%x00%cI%x00%B", tip, "--")
    fields = git.git(*words, bare=repository).split("\0")[:-1]
    for commit, date, text in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        said: Statement | None = read(text)
        if said is not None:
            yield Voice(commit, date, said)
