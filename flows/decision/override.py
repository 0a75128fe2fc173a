"""Overrides: a signed file in git that sets one rule aside for one candidate, until a day.

    overrides/<model>/<candidate's tag>.toml      candidate, rule, reason, expires (a date)

Who may sign is read from the tip of the protected branch, never from the tree of the change that is
judged: who could change that could allow anybody. See `signature.py`.
"""

import datetime

import msgspec
from msgspec import Struct, structs

from flows.decision import signed_file
from flows.engine.request import Request
from sluice.errors import UsageError
from sluice.gate.classes.rules import CLASS_FLOORS
from sluice.gate.decide import MAY_BE_WAIVED, NEVER_WAIVED
from sluice.gate.number.rules import NUMBER_GOOD_ENOUGH
from sluice.gitops.state import Override
from sluice.toml_text import read_toml

# Of one positive class, of several classes, and of a number.
WAIVABLE = (*MAY_BE_WAIVED, CLASS_FLOORS, *NUMBER_GOOD_ENOUGH)


def find(request: Request, candidate: str, today: datetime.date) -> Override:
    """The override of a candidate (its tag), verified; without texts where there is no file.

    Raises UsageError where the file is wrong, Refused where nobody who may has signed it.
    """
    path = f"overrides/{request.model}/{candidate}.toml"
    signed = signed_file.read(request.settings, path, today)
    if signed is None:
        return Override()
    return structs.replace(
        _read(path, signed.text, candidate, today),
        commit=signed.commit,
        signer=signed.signer,
        ref=signed.protected.named,
    )


class _File(Struct, frozen=True):
    """The file as a person wrote it: any value may be missing or wrong."""

    candidate: object = ""
    rule: object = ""
    reason: object = ""
    expires: object = ""


def _read(path: str, text: str, candidate: str, today: datetime.date) -> Override:
    """The override in a file. Raises UsageError, which says what is wrong in it."""
    written = msgspec.convert(read_toml(text, path), _File)
    _check_whole(path, written, candidate)
    rule = _rule(path, written.rule)
    expires = signed_file.until(path, written.expires, today)
    reason = " ".join(str(written.reason).split())
    return Override(rule, reason, expires.isoformat())


def _check_whole(path: str, written: _File, candidate: str) -> None:
    needs = f"It needs candidate = {candidate!r}, rule, reason and expires."
    missing = [name for name, value in structs.asdict(written).items() if not value]
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}", needs)
    if written.candidate != candidate:
        raise UsageError(f"{path} names candidate {written.candidate!r}", needs)


def _rule(path: str, rule: object) -> str:
    if rule in NEVER_WAIVED:
        raise UsageError(
            f"{path}: rule {rule!r} can never be waived", f"Nor can {', '.join(NEVER_WAIVED)}."
        )
    if not isinstance(rule, str) or rule not in WAIVABLE:
        raise UsageError(
            f"{path}: there is no rule {rule!r}",
            f"Write one of {', '.join(WAIVABLE)}.",
        )
    return rule
