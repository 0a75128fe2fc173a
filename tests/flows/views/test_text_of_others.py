"""Every view, with the same hostile text in the place of every text: it is shown, and does
nothing.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.poisoned import poisoned

from flows.audit.history import History
from flows.audit.lineage import Lineage, Touched
from flows.audit.reproduce import Reproduced
from flows.audit.verify import Verified
from flows.engine.outcome import EXIT, Outcome
from flows.engine.planned import Planned
from flows.gitops.image_inventory import Image
from flows.gitops.rollback import Plan
from flows.gitops.writer import Written
from flows.views import terminal
from flows.views.gating import anchor
from flows.views.past import history, images, lineage, reproduce, verify
from flows.views.releases import plan, quarantine, rollback, status, written
from sluice.gitops.state import Anchor, Barred

KINDS = list(history.MARKS)


def an_outcome(text: str, outcome: str) -> Outcome:
    return replace(poisoned(Outcome, text), outcome=outcome)


def a_status(text: str) -> status.Status:
    return replace(poisoned(status.Status, text), refused=an_outcome(text, "refused"))


def a_history(text: str) -> History:
    """With a row of each kind that is told in its own way."""
    import msgspec

    told = poisoned(History, text)
    rows = [msgspec.structs.replace(told.events[0], kind=kind) for kind in KINDS]
    return msgspec.structs.replace(told, events=rows)


VIEWS: dict[str, Callable[[str], None]] = {
    "history": lambda text: history.history(terminal.console(False), a_history(text), 0),
    "all history": lambda text: history.history(terminal.console(False), a_history(text), 99),
    "status": lambda text: status.show(a_status(text)),
    "nothing live": lambda text: status.show(replace(a_status(text), champion=None)),
    "lineage": lambda text: lineage.lineage(terminal.console(False), poisoned(Lineage, text)),
    "touched": lambda text: lineage.touched(terminal.console(False), poisoned(Touched, text)),
    "verify": lambda text: verify.show(terminal.console(False), poisoned(Verified, text)),
    "reproduce": lambda text: reproduce.show(terminal.console(False), poisoned(Reproduced, text)),
    "anchor": lambda text: anchor.show(text, poisoned(Anchor, text)),
    "no anchor": lambda text: anchor.show(text, None),
    "quarantine": lambda text: quarantine.show([poisoned(Barred, text)]),
    "written": lambda text: written.show(poisoned(Written, text), text),
    "rollback": lambda text: rollback.show(poisoned(Plan, text)),
    "images": lambda text: images.show([poisoned(Image, text)]),
    "plan": lambda text: plan.show([poisoned(Planned, text)], text, None),
    "ending": lambda text: plan.show([], "", an_outcome(text, "refused")),
    "begun": lambda text: terminal.begun(text, text),
    "link": lambda text: terminal.link("Watch", text),
    "step": lambda text: terminal.step(text, "done", 1.0, text),
    "raw": lambda text: terminal.console().print(text, markup=False),
} | {
    f"summary, {outcome}": lambda text, outcome=outcome: terminal.summary(  # type: ignore[misc]
        an_outcome(text, outcome)
    )
    for outcome in EXIT
}
# What a name, a reason or a body of an answer may try: colours, links, what steers a terminal.
PIECES = [
    "[red]",
    "[/]",
    "[/nothing]",
    "[link=http://x]",
    "[bold",
    "\\",
    "[",
    "\x1b]0;x\x07",
    "\x9b2J",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=3), max_size=5)


@pytest.mark.parametrize("view", VIEWS)
@given(pieces=TEXTS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_text_of_others_breaks_a_view_or_steers_the_terminal(
    view: str, pieces: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    VIEWS[view]("".join(["x", *pieces]))
    printed = "".join(capsys.readouterr())
    assert printed
    steering = [sign for sign in printed if unicodedata.category(sign)[0] == "C"]
    assert set(steering) <= {"\n", "\t"}


@pytest.mark.parametrize("view", VIEWS)
def test_markup_of_others_is_shown_as_text(view: str, capsys: pytest.CaptureFixture[str]) -> None:
    VIEWS[view]("[b]")
    assert "[b]" in "".join(capsys.readouterr())
