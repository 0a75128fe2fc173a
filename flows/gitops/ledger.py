"""The ledger branch: the number of each release, and how often a holdout decided, by
compare-and-swap.

It only grows. What is read is held against its seal, against the marks in the registry, and against
the release that is live, before anything is believed of it.
"""

import json
from contextlib import suppress
from dataclasses import dataclass

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.gitops import ledger_secret, manifest_repo, writer
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError
from sluice.gate import ledger
from sluice.gate.first_ledger import FirstLedger
from sluice.gate.ledger import Counted, Ledger, Reservation, Use
from sluice.gate.rations import Turn, Waiting
from sluice.gitops import state

LEDGER = "sluice-ledger"


@dataclass(frozen=True)
class Opened:
    """A ledger that was held against its seal and its marks, and its secret.

    `first` is what it was upgraded from, None for a ledger of today's schema.
    """

    ledger: Ledger
    secret: bytes
    first: FirstLedger | None = None


class Waits(Refused):
    """The ration has not ended: the candidate waits in the ledger, and nothing was scored."""

    exit_code = 0


class AnotherTurn(Exception):
    """The ration has ended, and another candidate that waits is better by validation."""

    def __init__(self, waiting: Waiting, use: Use) -> None:
        self.waiting = waiting
        self.what = (
            f"A candidate of {waiting.day} has the look of this ration: its ROC-AUC on validation"
            f" rows is {waiting.validation:.4f}, and that of this one {use.validation:.4f}."
            " Nothing was scored on the holdout for this one, and no use was spent."
        )
        super().__init__(self.what)


@boundary("ledger.reserve")
def reserve(settings: Settings, model: str, use: Use, live: int = 0) -> tuple[int, Counted]:
    """The number of this release, and how often its holdout decided and this use looked before;
    written before anything is scored.

    A candidate that holds the newest number keeps it, so a release that was killed neither counts
    nor spends twice.

    Raises Refused where the policy allows no look now, and then nothing is written. Where looks are
    rationed, raises Waits for a candidate that waits, which is written then, and AnotherTurn where
    one that waits is better. Raises SluiceError where the ledger lost what it had, was changed by
    somebody else, or where its secret is not in the registry.
    """
    reserved: list[Reservation] = []
    turns: list[Turn] = []

    def decide(repo: git.Clone) -> Change | Written:
        opened = _opened(settings, model, repo, live)
        turns.append(_turn(opened, use))
        if not turns[-1].mine:
            return _collected(model, opened, use, repo.tip)
        reservation = ledger.reserve(opened.ledger, use, opened.secret, opened.first)
        reserved.append(reservation)
        if reservation.ledger == opened.ledger:
            sentence = "this candidate holds the newest number"
            return Written("already there", sentence, repo.tip, reservation.number)
        message = _message(model, use, reservation)
        return Change({path(model): encoded(reservation.ledger)}, message)

    writer.write(settings, LEDGER, decide)
    if not turns[-1].mine:
        raise _waits(turns[-1], use)
    with boundary("ledger.mark"):
        ledger_secret.mark(settings, model, reserved[-1].ledger)
    return reserved[-1].number, reserved[-1].counted


def peek(settings: Settings, model: str, use: Use) -> Counted:
    """How often the holdout would have decided, and this use looked, before it.

    Nothing is written, nothing is spent. Raises as `reserve`.
    """
    with git.clone(settings.remote, LEDGER) as repo:
        before, first = _read(repo, model)
        secret = _secret_to_look(settings, model, before)
        return ledger.reserve(before, use, secret, first).counted


def waits(settings: Settings, model: str, use: Use) -> bool:
    """Whether a candidate has still to be collected for a ration, or a better one that waits to be
    looked at in its place; nothing is written.

    Raises Waits where it is collected already, and waits for a day to come.
    """
    with git.clone(settings.remote, LEDGER) as repo:
        before, _ = _read(repo, model)
        secret = _secret_to_look(settings, model, before)
    turn = ledger.turn(before, use, secret)
    if turn.mine:
        return False
    if turn.until is not None and ledger.collected(before, use, secret) == before:
        raise _waits(turn, use)
    return True


def known(settings: Settings, model: str, candidate: str) -> Counted | None:
    """How often the holdout decided, and its use looked, before this candidate; None where only its
    rows can tell.

    Nothing is written, nothing is spent.
    """
    with git.clone(settings.remote, LEDGER) as repo:
        found = document(repo, model)
    uses = ledger.uses_before(found, candidate)
    return None if uses is None else Counted(uses, ledger.looks_before(found, candidate))


def number_of(settings: Settings, model: str, candidate: str) -> int:
    """The newest number that a candidate has taken; 0 where it has taken none."""
    with git.clone(settings.remote, LEDGER) as repo:
        found = document(repo, model)
    numbers = [release.number for release in found.releases if release.candidate == candidate]
    return max(numbers, default=0)


def opened(settings: Settings, model: str, repo: git.Clone) -> Opened:
    """The ledger of a model in a clone of the branch, held against its seal and its marks.

    Raises SluiceError where it is not what it was, or where its secret is missing.
    """
    return _opened(settings, model, repo, live=0)


def require_whole(settings: Settings, model: str, live: int = 0) -> None:
    """Raise what `reserve` raises where the ledger is not what it was; nothing is written.

    `live` is the number of the release that is live.
    """
    if not manifest_repo.there(settings):
        return
    with git.clone(settings.remote, LEDGER) as repo, suppress(git.LostRace):
        _sound(settings, model, repo, live)


def path(model: str) -> str:
    """The file of a model on the branch."""
    return f"{model}.json"


def document(repo: git.Clone, model: str) -> Ledger:
    """The ledger of a model in a clone of the branch, as it stands there; empty where it has none.

    Raises SluiceError where it is not what it should be.
    """
    return _read(repo, model)[0]


def encoded(document: Ledger) -> str:
    """The text of a ledger."""
    return state.encode(document, indent=1)


def _turn(opened: Opened, use: Use) -> Turn:
    """Whose look it is. Raises AnotherTurn where that of one that waits and is better."""
    turn = ledger.turn(opened.ledger, use, opened.secret)
    if turn.until is None and turn.better:
        raise AnotherTurn(turn.better[0], use)
    return turn


def _collected(model: str, opened: Opened, use: Use, tip: str) -> Change | Written:
    after = ledger.collected(opened.ledger, use, opened.secret)
    if after == opened.ledger:
        return Written("already there", "this candidate waits already", tip)
    message = (
        f"Let a candidate of {model} wait\n\nCandidate {use.candidate}, ROC-AUC"
        f" {use.validation:.4f} on validation rows. No use of the holdout was spent.\n"
    )
    return Change({path(model): encoded(after)}, message)


def _waits(turn: Turn, use: Use) -> Waits:
    """What a person is told of a candidate that waits; nothing of it is known from the holdout."""
    days = use.allowance.days
    place = "No candidate that waits has more"
    if turn.better:
        place = f"The best that waits has {turn.better[0].validation:.4f}"
    what = (
        f"this holdout decided on {turn.last}; one look in {days} days is allowed, for the best"
        f" candidate by validation. ROC-AUC on validation rows is {use.validation:.4f}. {place}"
    )
    fix = (
        f"Release again on {turn.until} or later: the best that waits by then has the look."
        " Nothing was scored on the holdout, and no use was spent."
    )
    return Waits(what, fix)


def _message(model: str, use: Use, reservation: Reservation) -> str:
    what = f"Candidate {use.candidate}, use {reservation.uses + 1} of its holdout"
    if reservation.looks:
        what += f", look {reservation.looks + 1}"
    return f"Reserve release {reservation.number} of {model}\n\n{what}.\n"


def _read(repo: git.Clone, model: str) -> tuple[Ledger, FirstLedger | None]:
    """The ledger as it stands there, and what it was upgraded from."""
    text = manifest_repo.text(repo, path(model))
    if not text:
        return Ledger(), None
    where = f"{path(model)} of branch {LEDGER}"
    if state.schema_of(text, where) < ledger.SCHEMA:
        first = state.decode(text, FirstLedger, where)
        return ledger.upgraded(first), first
    return state.decode(text, Ledger, where, newest=ledger.SCHEMA), None


def _opened(settings: Settings, model: str, repo: git.Clone, live: int) -> Opened:
    found, first, secret = _sound(settings, model, repo, live)
    if secret is None:
        return Opened(found, ledger_secret.first(settings, model), first)
    return Opened(found, secret)


def _sound(
    settings: Settings, model: str, repo: git.Clone, live: int
) -> tuple[Ledger, FirstLedger | None, bytes | None]:
    """The ledger held against its seal and its marks, what it was upgraded from, and its secret;
    None where it was not begun.
    """
    found, first = _read(repo, model)
    _require_live(found, model, live)
    secret = _unsealed(settings, model, found) if found.key else None
    # Before a ledger is begun, and before its secret is made.
    _require_marked(settings, model, found, repo)
    return found, first, secret


def _unsealed(settings: Settings, model: str, found: Ledger) -> bytes:
    """The secret of a ledger that is sealed with it."""
    secret = ledger_secret.secret(settings, model, found.key, _file(model))
    fault = ledger.fault(found, secret)
    if fault:
        raise SluiceError(
            f"{_file(model)} was changed by somebody else than Sluice: {fault}",
            f"Look at `git log -p {LEDGER} -- {path(model)}`, and push its last version that"
            " Sluice wrote as a new commit.",
        )
    return secret


def _secret_to_look(settings: Settings, model: str, found: Ledger) -> bytes:
    if not found.key:
        return ledger_secret.throwaway()
    return ledger_secret.secret(settings, model, found.key, _file(model))


def _file(model: str) -> str:
    return f"{path(model)} of branch {LEDGER}"


def _require_marked(settings: Settings, model: str, found: Ledger, repo: git.Clone) -> None:
    """Raise SluiceError where the ledger has less than was marked, LostRace where only this clone
    has.
    """
    lost = ledger_secret.lost(settings, model, found)
    if not lost:
        return
    if git.tip(settings.remote, LEDGER) != repo.tip:
        raise git.LostRace(f"branch {LEDGER} moved", "It is decided anew from the new tip.")
    raise SluiceError(
        f"{_file(model)} was lost or reset: {lost}",
        "Push the branch again from a clone that has it. To give up what it counted, delete"
        f" ledger.release.* of {model} in the registry; of an embedded one, the files release.* in"
        f" {settings.home / 'ledger' / model}.",
    )


def _require_live(document: Ledger, model: str, live: int) -> None:
    """A ledger that was lost would begin at one, and forget how often its holdouts decided."""
    if document.newest >= live:
        return
    what = (
        f"release {live} of {model} is live, and branch {LEDGER} ends with release"
        f" {document.newest}: it was lost or reset"
    )
    anew = json.dumps({"releases": [{"number": live, "candidate": "lost"}]})
    fix = (
        f"Push it again from a clone that has it. Where none has, delete ledger.release.* of"
        f" {model} in the registry (embedded: in ledger/{model} of the state folder), and commit"
        f" {path(model)} to the branch, with {anew}: how often the holdout decided is forgotten"
        " then."
    )
    raise SluiceError(what, fix)
