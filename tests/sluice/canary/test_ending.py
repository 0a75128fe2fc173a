"""What is to be done about a canary, in tables of situations as real controllers leave them."""

import datetime
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from support import rollouts
from support.rollouts import ABORTED, ERRORS, FAILED, NEW, NO_REASON, OLD, Document

from sluice.canary.ending import ending
from sluice.canary.progress import progress
from sluice.canary.rollout import Rollout, Seen, runs_image

BEFORE, WANTED, OTHER = (f"sha256:{digit * 64}" for digit in "123")
NOW = datetime.datetime(2026, 11, 28, 18, 0, tzinfo=datetime.UTC)
LATE = "2026-11-28T17:40:30Z"  # more than the deadline of 300 s after the beginning
BOTH = rollouts.both(BEFORE, WANTED)
SHARE = [rollouts.metric("error-share", "Failed", "[0.5]")]
JUDGED = [
    rollouts.metric("judge", "Failed", rollouts.answer("fail", "flags 15 points more than stable"))
]


@dataclass(frozen=True)
class Case:
    """A situation, the word for it, and what its sentence says."""

    name: str
    status: Document
    word: str
    why: str
    runs: list[Document] = field(default_factory=list)
    versions: list[Document] = field(default_factory=lambda: BOTH)
    spec: dict[str, Any] = field(default_factory=dict)


def without_analysis(steps: list[Document]) -> list[Document]:
    return [step for step in steps if "analysis" not in step]


STEPS = rollouts.rollout(WANTED, {})["spec"]["strategy"]["canary"]["steps"]
ENDLESS = [{"setWeight": 5}, {"pause": {}}, {"analysis": {"templates": []}}]

CASES = [
    # It goes on.
    Case("at a weight", rollouts.going_on(0), "waits", "its pods"),
    Case("an analysis", rollouts.going_on(2), "waits", "its analysis"),
    Case("a pause", rollouts.paused("CanaryPauseStep", ABORTED, 1), "waits", "a pause of 60 s"),
    Case(
        "inconclusive for an hour",
        rollouts.paused("InconclusiveAnalysisRun", "2026-11-28T17:00:00Z"),
        "waits",
        "a person to promote or abort it",
    ),
    Case(
        "not seen",
        {**rollouts.healthy(), "observedGeneration": "1"},
        "waits",
        "to see the newest Rollout",
    ),
    Case("paused by a person", rollouts.going_on(), "waits", "paused", spec={"paused": True}),
    Case(
        "not valid",
        rollouts.going_on(
            conditions=[rollouts.condition("InvalidSpec", "True", "InvalidSpec", "no such service")]
        ),
        "waits",
        "no such service",
    ),
    Case(
        "everywhere, and its pods come and go",
        {**rollouts.healthy(), "phase": "Degraded", "message": "timed out"},
        "waits",
        "timed out",
        rollouts.all_passed(),
    ),
    Case(
        "everywhere, and something said abort",
        {**rollouts.healthy(), "abort": True, "phase": "Degraded", "message": "RolloutAborted"},
        "waits",
        "git to name",
        rollouts.all_passed(),
    ),
    # It is through.
    Case("passed", rollouts.healthy(), "healthy", "all 4 of its analyses", rollouts.all_passed()),
    Case(
        "the first deployment",
        rollouts.healthy(),
        "unproven",
        "the first deployment",
        versions=BOTH[1:],
    ),
    Case(
        "gone back to within the window",
        rollouts.healthy(),
        "unproven",
        "had run it before",
        versions=[BOTH[0], rollouts.replica_set(NEW, WANTED, 3, earlier="1")],
    ),
    Case("promoted in full", rollouts.healthy(), "promoted", "step 3, 6, 9, 12"),
    Case(
        "promoted in full during an analysis",
        rollouts.healthy(),
        "promoted",
        "step 3, 6, 9, 12",
        [rollouts.run(2, "Successful", terminated=True)],
    ),
    Case(
        "promoted after an inconclusive analysis",
        rollouts.healthy(),
        "promoted",
        "step 3",
        [rollouts.run(2, "Inconclusive"), *rollouts.all_passed()[1:]],
    ),
    Case(
        "tried again after it had failed",
        rollouts.healthy(),
        "promoted",
        "attrition-564f8d66c-2-2 had failed",
        [rollouts.run(2, "Failed", SHARE), *rollouts.all_passed()],
    ),
    Case(
        "tried again after an error",
        rollouts.healthy(),
        "healthy",
        "all 4",
        [rollouts.run(2, "Error"), *rollouts.all_passed()],
    ),
    Case(
        "no analysis at all",
        rollouts.healthy(),
        "unproven",
        "no step that is an analysis",
        spec={"strategy": {"canary": {"steps": without_analysis(STEPS)}}},
    ),
    Case(
        "more analyses than are kept",
        rollouts.healthy(),
        "healthy",
        "all 4",
        rollouts.all_passed()[2:],
        spec={"analysis": {"successfulRunHistoryLimit": 2}},
    ),
    Case(
        "the runs of the version before prove nothing",
        rollouts.healthy(),
        "promoted",
        "step 3, 6, 9, 12",
        [rollouts.run(step, "Successful", hash_=OLD) for step in rollouts.ANALYSES],
    ),
    # It is harmful.
    Case(
        "5xx",
        rollouts.aborted(FAILED),
        "harmful",
        "its canary failed at 5 % of the traffic: error-share was 0.5 (attrition-564f8d66c-2-2)",
        [rollouts.run(2, "Failed", SHARE)],
    ),
    Case(
        "what the judge says",
        rollouts.aborted(FAILED),
        "harmful",
        "at 25 % of the traffic: judge says flags 15 points more than stable",
        [rollouts.all_passed()[0], rollouts.run(5, "Failed", JUDGED)],
    ),
    Case(
        "an older controller gives no reason, and the run ended just before",
        rollouts.aborted(NO_REASON),
        "harmful",
        "error-share was 0.5",
        [rollouts.run(2, "Failed", SHARE)],
    ),
    Case(
        "the run was removed",
        rollouts.aborted(FAILED),
        "harmful",
        'Metric "error-share" assessed Failed',
    ),
    Case(
        "the controller was away between the end of the run and the abort",
        rollouts.aborted(FAILED, LATE),
        "harmful",
        "error-share was 0.5",
        [rollouts.run(2, "Failed", SHARE)],
    ),
    Case(
        "a metric of a dry run is not what failed, nor is one that passed",
        rollouts.aborted(FAILED),
        "harmful",
        "traffic: error-share was 0.5 (",
        [
            rollouts.run(
                2,
                "Failed",
                [
                    {**rollouts.metric("psi", "Failed", "1"), "dryRun": True},
                    rollouts.metric("requests", "Successful", "[41]"),
                    *SHARE,
                ],
            )
        ],
    ),
    # It could not be run, or not be measured.
    Case(
        "Prometheus away",
        rollouts.aborted(ERRORS),
        "unfit",
        "could not measure: consecutiveErrors (5)",
        [rollouts.run(2, "Error", message="consecutiveErrors (5) > consecutiveErrorLimit (4)")],
    ),
    Case("the run was removed, too", rollouts.aborted(ERRORS), "unfit", "assessed Error"),
    Case(
        "no registry has it: aborted by the deadline",
        rollouts.aborted(NO_REASON, LATE),
        "unfit",
        "did not come up: for 300 s",
    ),
    Case(
        "later pods did not come up",
        rollouts.aborted(NO_REASON, LATE),
        "unfit",
        "did not come up",
        rollouts.all_passed()[:1],
    ),
    Case(
        "pods after the next analysis wait for nobody",
        rollouts.aborted(NO_REASON, LATE),
        "unfit",
        "did not come up",
        spec={"strategy": {"canary": {"steps": [STEPS[0], STEPS[2], {"pause": {}}]}}},
    ),
    Case(
        "a person had promoted it before, and later pods did not come up",
        rollouts.aborted(NO_REASON, LATE),
        "unfit",
        "did not come up",
        [rollouts.run(1, "Successful")],
        spec={"strategy": {"canary": {"steps": [{"pause": {}}, STEPS[2], STEPS[3], STEPS[5]]}}},
    ),
    Case("no abort at the deadline", rollouts.timed_out(), "unfit", "did not come up"),
    Case(
        "an experiment",
        rollouts.aborted(f"{NO_REASON}: Experiment 'x' owned by the Rollout timed out."),
        "unfit",
        "Experiment 'x'",
    ),
    Case(
        "inconclusive for longer than is waited",
        rollouts.paused("InconclusiveAnalysisRun", "2026-11-27T17:00:00Z"),
        "unfit",
        "inconclusive for 25.0 h; at most 24 h are waited",
        [rollouts.run(2, "Inconclusive")],
    ),
    # A person.
    Case("aborted at once", rollouts.aborted(NO_REASON), "aborted", f"canary at {ABORTED}"),
    Case(
        "aborted soon after an analysis had passed",
        rollouts.aborted(NO_REASON, "2026-11-28T17:18:00Z"),
        "aborted",
        "a person",
        rollouts.all_passed()[:1],
    ),
    Case(
        "aborted during an analysis that was long",
        rollouts.aborted(NO_REASON, LATE),
        "aborted",
        "a person",
        [rollouts.run(2, "Successful", terminated=True)],
    ),
    Case(
        "aborted during an analysis, which was told to end",
        rollouts.aborted(NO_REASON),
        "aborted",
        "a person",
        [rollouts.run(2, "Error", terminated=True)],
    ),
    Case(
        "aborted while it waited for a person",
        rollouts.aborted(NO_REASON, LATE),
        "aborted",
        "a person",
        [rollouts.run(2, "Inconclusive")],
    ),
    Case(
        "aborted in a pause without an end",
        rollouts.aborted(NO_REASON, LATE),
        "aborted",
        "a person",
        spec={"strategy": {"canary": {"steps": ENDLESS}}},
    ),
    Case(
        "aborted long after an earlier try had failed",
        rollouts.aborted(NO_REASON, "2026-11-28T17:16:00Z"),
        "aborted",
        "a person",
        [rollouts.run(2, "Failed", SHARE)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_to_be_done(case: Case) -> None:
    seen = rollouts.seen(
        rollouts.rollout(WANTED, case.status, **case.spec), case.versions, case.runs
    )
    found = ending(seen, WANTED, NOW, 24)
    assert (found.word, case.why in found.why) == (case.word, True), found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rollout_of_another_digest_decides_nothing(case: Case) -> None:
    """Git names a newer release, or Argo CD has not synced yet: never mixed."""
    document = rollouts.rollout(OTHER, case.status, **case.spec)
    found = ending(rollouts.seen(document, case.versions, case.runs), WANTED, NOW, 24)
    assert found.word == "waits"
    assert OTHER[:19] in found.why and WANTED[:19] in found.why


def test_what_it_says_has_its_figures() -> None:
    seen = rollouts.seen(
        rollouts.rollout(WANTED, rollouts.aborted(FAILED)),
        BOTH,
        [rollouts.run(2, "Failed", [*SHARE, rollouts.metric("requests", "Successful", "[41.5]")])],
    )
    found = ending(seen, WANTED, NOW, 24).figures
    assert [(one.metric, one.phase, one.value, one.looks) for one in found] == [
        ("error-share", "Failed", "0.5", 1),
        ("requests", "Successful", "41.5", 1),
    ]
    assert seen.stable == BEFORE


def test_how_far_it_is() -> None:
    said = rollouts.metric("judge", "Running", rollouts.answer("inconclusive", "40 more"), 2)
    said["measurements"][0]["phase"] = "Inconclusive"
    runs = [rollouts.all_passed()[0], rollouts.run(5, "Running", [said])]
    at = progress(rollouts.seen(rollouts.rollout(WANTED, rollouts.going_on(5, 25)), BOTH, runs))
    assert (at.step, at.steps, at.weight, at.phase) == (5, 12, 25, "Progressing")
    assert (at.verdict, at.sentence, at.waits_for) == ("inconclusive", "40 more", "its analysis")
    assert at.since == "2026-11-28T17:13:15Z"
    assert [stage.state for stage in at.stages] == ["done"] * 5 + ["now"] + ["ahead"] * 6
    assert [at.stages[step].verdict for step in (2, 5, 8)] == ["pass", "so far inconclusive", ""]
    assert at.stages[3].what == "25 % of the traffic"
    [measure] = at.measures
    assert (measure.name, measure.low, measure.high) == ("flagged", 0.11, 0.29)


def test_without_a_router_the_step_gives_the_weight() -> None:
    status = rollouts.going_on(5)
    del status["canary"]["weights"]
    assert progress(rollouts.seen(rollouts.rollout(WANTED, status), BOTH)).weight == 25


@pytest.mark.parametrize(
    ("duration", "seconds"), [("1m", 60), ("1h30m", 5400), (15, 15), ("90", 90), ("10s", 10)]
)
def test_pauses_are_read_as_the_controller_reads_them(duration: str | int, seconds: int) -> None:
    steps = [{"pause": {"duration": duration}}]
    document = rollouts.rollout(
        WANTED,
        rollouts.paused("CanaryPauseStep", ABORTED, 0),
        strategy={"canary": {"steps": steps}},
    )
    assert progress(rollouts.seen(document, BOTH)).waits_for == f"a pause of {seconds} s"


@pytest.mark.parametrize(
    ("image", "name", "digest"),
    [
        (f"sluice.local/attrition:1@{WANTED}", "sluice.local/attrition", WANTED),
        (f"sluice.local/attrition@{WANTED}", "sluice.local/attrition", WANTED),
        (f"host:5000/a/attrition:1@{WANTED}", "host:5000/a/attrition", WANTED),
        ("host:5000/attrition", "host:5000/attrition", ""),
        ("host:5000/attrition:1", "host:5000/attrition", ""),
        (f"host:5000/other:1@{WANTED}", "host:5000/attrition", None),
        (f"host/attrition-page:1@{WANTED}", "host/attrition", None),
    ],
)
def test_which_container_is_the_model(image: str, name: str, digest: str | None) -> None:
    """Another container, such as the login before the page, may come first, with a digest too."""
    document = rollouts.rollout(WANTED, rollouts.going_on())
    document["spec"]["template"]["spec"]["containers"] = [
        {"name": "login", "image": f"quay.io/oauth2-proxy/oauth2-proxy:v7@{OTHER}"},
        {"name": "model", "image": image},
    ]
    read = msgspec.convert(document, Rollout)
    assert runs_image(read, name) == (digest is not None)
    assert Seen(name, read).digest == (digest or "")
