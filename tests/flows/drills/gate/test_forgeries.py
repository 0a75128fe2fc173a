"""Each forgery is refused, for its own reason, where an honest override counted just before."""

import datetime
from pathlib import Path

import pytest

from flows.drills.gate.forgeries import Forgery, Signing, forged, forgeries
from flows.project.settings import Settings
from sluice.errors import Refused

TODAY = datetime.date(2026, 11, 20)
NOBODY = "is signed by nobody whom overrides/allowed_signers or overrides/keys.asc of main at"
WHY = {
    "an override that nobody signed": NOBODY,
    "an override that a stranger signed": NOBODY,
    "a signer who adds the own key in the same change": NOBODY,
    "the own branch as the protected one": "which is the commit that is judged, or contains it",
    "the commit before one's own as the protected one": "HEAD~1 allows no signers",
    "a signer who was removed since": NOBODY,
    "a key that has expired, on a commit that was dated back": NOBODY,
    "a key that was revoked": NOBODY,
    "a configuration that calls every signature good": NOBODY,
}


@pytest.mark.parametrize("forgery", list(forgeries()), ids=lambda forgery: forgery.name)
def test_it_is_refused(forgery: Forgery, tmp_path: Path) -> None:
    assert WHY[forgery.name] in forged(forgery, Settings(), tmp_path / "signed", TODAY)


def test_what_is_no_forgery_counts(tmp_path: Path) -> None:
    nothing = Forgery("nothing", lambda signing: signing)
    assert forged(nothing, Settings(), tmp_path / "signed", TODAY) == ""


def test_where_the_honest_one_does_not_count_nothing_is_proved(tmp_path: Path) -> None:
    """The program that verifies does not work, say: then each forgery would seem to be refused."""

    def never(signing: Signing) -> Signing:
        raise AssertionError("the forgery was tried")

    folder = tmp_path / "signed"
    with pytest.raises(Refused, match=NOBODY):
        forged(Forgery("x", never), Settings(), folder, datetime.date(1969, 1, 1))
