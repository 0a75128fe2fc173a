"""What a release would do, known from keys, manifest repo and registry, without any engine."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import msgspec

from flows.decision import approvals, baselines, holdout, replayed
from flows.engine import store
from flows.engine.outcome import Outcome
from flows.engine.perform import inputs_of, key_of
from flows.engine.phases import Candidate, Report
from flows.engine.planned import Planned
from flows.engine.request import Request
from flows.engine.step import Step
from flows.engine.store import Result
from flows.facts.imaged import Imaged
from flows.gitops import approvals as waiting
from flows.gitops import ledger, promotion, quarantine
from flows.gitops.writer import Written
from flows.orchestration import pipeline
from flows.orchestration.endings import ended, held_or_refused
from flows.orchestration.possible import UNBUILT, require_possible
from flows.orchestration.registered import lost, lost_beside
from flows.steps import promote
from flows.steps.image import IMAGE
from flows.steps.order import STEPS, TO_IMAGE, AnyStep
from flows.steps.package import PACKAGE
from flows.steps.score import SCORE
from flows.steps.smoke import SMOKE
from sluice.errors import Refused
from sluice.gate.ledger import Counted

# What is done where the registry lost something beside an image that is live. It is no step.
PUT_BACK, PUT_BACK_TITLE = "put back", "Put back in registry"
P = ParamSpec("P")
F = TypeVar("F", bound=msgspec.Struct)
T = TypeVar("T")


class Missing(Exception):
    """A step was never done from these inputs, so nothing behind it is known."""


class RefusedBefore(Exception):
    """A step refused these inputs before; the text is its sentence, without a value of a row."""


@dataclass
class LookUp:
    """Looks steps up in the store and does none of them; remembers what it saw, in order.

    `do` raises Missing where a step is a MISS, RefusedBefore where it refused these inputs.
    """

    request: Request
    seen: dict[str, Planned] = field(default_factory=dict)

    def do(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """What the step put out before."""
        try:
            result = self._find(step, *args, **kwargs)
        except store.Altered as altered:
            self.seen[step.name] = Planned(step.name, step.title, False, altered.what)
            raise Missing(step.name) from None
        if result is None:
            self._require_not_refused(step, *args, **kwargs)
            cause = self._cause(step, *args, **kwargs)
            self.seen[step.name] = Planned(step.name, step.title, False, cause)
            raise Missing(step.name)
        self.seen[step.name] = Planned(step.name, step.title, True, facts=result.facts)
        return result

    def require_kept(self, step: AnyStep, cause: str) -> None:
        """Make a HIT a MISS where there is a cause to do the step again. Raises Missing then."""
        if cause:
            self.seen[step.name] = Planned(step.name, step.title, False, cause)
            raise Missing(step.name)

    def again(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F]:
        """What the step put out before: a plan does nothing anew."""
        return self.do(step, *args, **kwargs)

    def call(self, title: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Refuse: a plan writes nothing."""
        del action, args, kwargs
        raise Missing(title)

    def _find(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> Result[F] | None:
        if not self.request.cache:
            return None
        key = key_of(step, *args, **kwargs)
        return store.find(self.request.settings.home, step.name, key, step.facts)

    def _require_not_refused(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.request.cache:
            return
        key = key_of(step, *args, **kwargs)
        sentence = store.refusal(self.request.settings.home, step.name, key)
        if sentence:
            self.seen[step.name] = Planned(step.name, step.title, True, sentence)
            raise RefusedBefore(sentence)

    def _cause(self, step: Step[P, F], *args: P.args, **kwargs: P.kwargs) -> str:
        if not self.request.cache:
            return "--no-cache"
        inputs = inputs_of(step, *args, **kwargs)
        home, model = self.request.settings.home, self.request.model
        changed = store.changes(home, model, step.name, inputs)
        if changed:
            return f"changed: {', '.join(changed)}"
        if store.is_outdated(home, step.name, key_of(step, *args, **kwargs)):
            return "an older version kept it, without a hash of its facts"
        return "never done before with these inputs"


@dataclass(frozen=True)
class Plan:
    """Every step as HIT or MISS; what is known of the release, and how it would end.

    `report` is None before a verdict, `outcome` where something is left to do; `diff` is the
    change to the manifest repo where it is known. `barred` is why nothing would be committed after
    what is left, None where nothing is in the way. `beside` is the image that is live and whose
    evidence or statements are left to be put back.
    """

    request: Request
    steps: tuple[Planned, ...]
    candidate: Candidate | None = None
    report: Report | None = None
    outcome: Outcome | None = None
    diff: str = ""
    barred: Written | None = None
    beside: Imaged | None = None


def plan(request: Request) -> Plan:
    """Look every step up, in order; nothing is done, nothing is written."""
    look = LookUp(request)
    candidate: Candidate | None = None
    report: Report | None = None
    outcome: Outcome | None = None
    diff = ""
    image: Imaged | None = None
    try:
        candidate = pipeline.train(request, look)
        report = _judged(candidate, look)
        if replayed.may_go_live(report):
            imaged = look.do(IMAGE, candidate, look.do(PACKAGE, candidate))
            look.require_kept(IMAGE, lost(candidate, imaged.facts))
            diff = diff_of(request, imaged.facts)
            look.do(SMOKE, candidate, imaged)
            image = imaged.facts
            outcome = (
                _promoted_before(report, imaged.facts, look)
                or _barred(report, imaged.facts)
                or _unapproved(report, imaged.facts)
            )
        else:
            outcome = held_or_refused(report)
    except (Missing, RefusedBefore, Refused) as stop:
        outcome = stopped(request, candidate, stop)
    if outcome is None:
        require_possible(request, candidate)
    steps = _all(look, report, outcome)
    if outcome:
        return Plan(request, steps, candidate, report, outcome)
    if PUT_BACK in look.seen:
        return Plan(request, steps, candidate, report, beside=image)
    barred = promotion.barred(request.live, quarantine.present()) if request.live else None
    barred = barred or _unbuilt(request, steps)
    return Plan(request, steps, candidate, report, None, "" if barred else diff, barred)


def _unbuilt(request: Request, steps: tuple[Planned, ...]) -> Written | None:
    """Why nothing would be committed where a step is left that takes a program which is not here.

    One that is here and does not work is found out by the release: a plan starts none.
    """
    left = {step.step for step in steps if not step.hit}
    if left & {IMAGE.name, SMOKE.name} and not request.tools.images.installed():
        return Written("no builder", UNBUILT)
    return None


def stopped(request: Request, candidate: Candidate | None, stop: Exception) -> Outcome | None:
    """How a release ends whose look-up stopped there; None where something is left to do."""
    tag = candidate.tag if candidate else ""
    match stop:
        case Missing():
            return None
        case RefusedBefore():
            return Outcome("refused", str(stop), request.model)
        case quarantine.Quarantined():
            return Outcome("quarantined", stop.what, request.model, tag=tag)
        case ledger.Waits():
            return Outcome("waiting", f"{stop.what}. {stop.fix}", request.model, tag=tag)
        case Refused():
            return Outcome("refused", f"{stop.what}. {stop.fix}", request.model)
    raise stop


def _judged(candidate: Candidate, look: LookUp) -> Report:
    """The report, if every step to it is a HIT; without limits to the uses the ledger is asked only
    then. Raises Refused where the policy allows no look now.
    """
    case = pipeline.oppose(candidate)
    gate = candidate.request.policy.gate
    if gate.look_choice == "best":
        _require_turn(candidate, key_of(SCORE, case))
    if gate.uses or gate.look_days:
        _counted(
            candidate, key_of(SCORE, case)
        )  # a look that is refused is refused before the score
    scored = look.do(SCORE, case)
    return pipeline.judge(case, _counted(candidate, scored.key), look)


def _require_turn(candidate: Candidate, score_key: str) -> None:
    """Raise Missing where the ration has still to be told of this candidate, Waits where it was."""
    request = candidate.request
    if request.live is None or baselines.standing_champion(candidate):
        return
    if ledger.waits(request.settings, request.model, holdout.use(candidate, score_key)):
        raise Missing("ledger")


def _counted(candidate: Candidate, score_key: str) -> Counted:
    """How often the holdout decided before, and this use of it looked; the holdout is read only
    where nothing else tells it.

    Reading it takes longer than everything else that a plan does.
    """
    request = candidate.request
    if request.live is None or baselines.standing_champion(candidate):
        return Counted(0)  # nothing was ever reserved, or the verdict of the champion stands
    known = ledger.known(request.settings, request.model, score_key)
    if known is not None:
        return known
    return ledger.peek(request.settings, request.model, holdout.use(candidate, score_key))


def _all(look: LookUp, report: Report | None, outcome: Outcome | None) -> tuple[Planned, ...]:
    """The steps that were seen, and those that wait for the one that is missing."""
    left_out: tuple[AnyStep, ...] = ()
    if outcome or (report and not replayed.may_go_live(report)):
        left_out = TO_IMAGE
    return with_waiting(look, [(one.name, one.title) for one in STEPS if one not in left_out])


def with_waiting(look: LookUp, steps: Sequence[tuple[str, str]]) -> tuple[Planned, ...]:
    """What was seen, and which of these steps, by name and title, wait for one that is missing."""
    seen = tuple(look.seen.values())
    missing = [planned.step for planned in seen if not planned.hit]
    if not missing:
        return seen
    why = f"waits for what {missing[0]} puts out"
    waiting = [Planned(name, title, False, why) for name, title in steps if name not in look.seen]
    return (*seen, *waiting)


def _promoted_before(report: Report, image: Imaged, look: LookUp) -> Outcome | None:
    """How a release ends whose image is live already; None where something is left to do. Raises
    Missing where the registry lost something beside the image.
    """
    request = report.request
    champion = request.champion
    if request.live is None or champion is None or not promote.is_live(request, image):
        return None
    cause = lost_beside(request, champion)
    if cause:
        look.seen[PUT_BACK] = Planned(PUT_BACK, PUT_BACK_TITLE, False, cause)
        raise Missing(PUT_BACK)
    return ended(
        report,
        "nothing to do",
        f"{promote.LIVE}, and nothing has changed",
        image=image,
        commit=request.live.tip,
        release=champion.release,
    )


def _barred(report: Report, image: Imaged) -> Outcome | None:
    """How a release ends whose image may not be committed now; None where nothing is in the way."""
    live = report.request.live
    if live is None:
        return None
    barred = promotion.barred(live, quarantine.present(), image.digest, image.tag)
    if barred is None:
        return None
    return ended(report, barred.outcome, barred.sentence, image=image, release=barred.release)


def _unapproved(report: Report, image: Imaged) -> Outcome | None:
    """How a release ends that people have still to approve; None where they need not, or where it
    has still to ask them. Raises Refused where they rejected it.
    """
    request = report.request
    needed = approvals.policy(request.settings, request.model, request.policy.approvals)
    if not needed.required or request.live is None:
        return None
    number = ledger.number_of(request.settings, request.model, report.decision.scored.key)
    evidence = promote.kept_evidence(report, image, number)
    question = promote.question_of(report, image, number, evidence, needed)
    if waiting.waiting(request.settings, request.model) != question:
        return None
    found = approvals.require(request.settings, question, needed, request.tools.today())
    if found.enough:
        return None
    sentence = approvals.sentence(question, found)
    return ended(report, approvals.UNAPPROVED, sentence, image=image, release=number)


def diff_of(request: Request, image: Imaged) -> str:
    """The change to the manifest repo, where the image is known without training or building."""
    if request.live is None:
        return ""
    entry = request.live.entry
    before = [f"newName: {entry.new_name}", f"newTag: {entry.tag}", f"digest: {entry.digest}"]
    after = [f"newName: {request.image}", f"newTag: {image.tag}", f"digest: {image.digest}"]
    path = request.live.file
    return "\n".join(difflib.unified_diff(before, after, path, path, lineterm="", n=0))
