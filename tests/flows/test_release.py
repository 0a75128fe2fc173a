"""The release from end to end, on a small table: what is done, what is a HIT, what is committed,
and what never leaves.

No builder is on PATH. So the first release ends with its Bento, started and asked; and for the ones
that go on to the commit, an image under the right tag is put into the registry, where the release
finds and adopts it.
"""

import datetime
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support import releases
from support.hostile_models import outer
from support.releases import SECRET_ID, Story, Told, release

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.adapters.registry.layout import Layout
from flows.cli.past.history import run_runs
from flows.decision import baselines
from flows.engine.outcome import Outcome, record, recorded
from flows.engine.perform import Plainly, perform
from flows.engine.phases import Case, Report
from flows.engine.request import begin
from flows.engine.runs import kept
from flows.engine.store import Result
from flows.facts.imaged import Imaged
from flows.facts.step_files import MODEL
from flows.gitops import ledger as numbers
from flows.gitops import manifest_repo, quarantine
from flows.orchestration import pipeline, prefect_server
from flows.orchestration.real_tools import real_tools
from flows.orchestration.start import Releases, start
from flows.project import settings
from flows.release import carry_out, have_base
from flows.steps import order, promote
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from sluice.errors import Refused, SluiceError
from sluice.gate.ledger import Counted
from sluice.gitops.state import Champion, Reference
from sluice.gitops.trailers import read_trailers
from sluice.identity import folder_hash, sha256

TO_MODEL, TO_VERDICT, TO_IMAGE = (
    tuple(step.title for step in part)
    for part in (order.TO_MODEL, order.TO_VERDICT, order.TO_IMAGE)
)
TO_TUNE = TO_MODEL[: TO_MODEL.index("Tune")]  # what reads the data and trains nothing
PROMOTED = ["attrition", "PROMOTE", "production"]  # the tags of a run
REJECTED = ["attrition", "REJECT", "production"]
NAME = "Quimby Zzyzx"  # in the table of one story, where no column holds names


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    """A story of this test's own, in which the first release is committed."""
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


def bare(here: Story) -> Path:
    return here.home / "manifests.git"


def tip(here: Story) -> str:
    return git.tip(str(bare(here)), "main")


def laid_out(here: Story) -> str:
    """The page where people look."""
    return (here.home / "evidence" / "attrition" / "evidence.html").read_text(encoding="utf-8")


def all_are(state: str, *titles: str) -> dict[str, str]:
    return dict.fromkeys(titles, state)


def changed(here: Story, part: str) -> Path:
    """The table with one cell of a row in this part of the split changed."""
    path = here.project / f"{part}.csv"
    path.write_bytes(
        releases.change(here.rows.read_bytes(), releases.row_in(part), "Monthly Income", 5001)
    )
    return path


def test_without_a_builder_it_is_decided_and_the_bento_is_asked(
    first: tuple[Story, Told], tools: str
) -> None:
    place, told = first
    assert told.code == 0
    assert told.steps == all_are("done", *TO_MODEL, *TO_VERDICT, "Build Bento")
    assert (told.outcome["outcome"], told.outcome["verdict"]) == ("no builder", "PROMOTE")
    assert "no podman, buildah or docker works here" in told.outcome["sentence"]
    assert (told.outcome["commit"], told.outcome["digest"]) == ("", "")
    assert git.git("rev-list", "--count", "main", cwd=bare(place)).strip() == "1"
    assert not (place.home / "registry").exists()
    releases.enter(place, tools)
    found = releases.planned()
    assert {step.step for step in found.steps if not step.hit} == {"image", "smoke"}


def test_the_evidence_is_laid_out_for_people(first: tuple[Story, Told]) -> None:
    place, told = first
    folder = Path(told.outcome["evidence"]).parent
    assert folder == place.home / "evidence" / "attrition"
    assert {path.name for path in folder.iterdir()} >= {
        "evidence.html",
        "summary.md",
        "metrics.json",
        "verdict.json",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert told.outcome["summary"].startswith(
        f"PROMOTE: recall {metrics['holdout']['recall']:.4f} ["
    )
    assert (
        "This is the first model, and it clears every floor"
        in (folder / "evidence.html").read_text()
    )


def test_a_first_release_is_committed(promoted: tuple[Story, Told]) -> None:
    place, told = promoted
    assert (told.code, told.outcome["outcome"], told.outcome["release"]) == (0, "promoted", 1)
    assert told.steps == all_are("hit", *TO_MODEL, *TO_VERDICT, *TO_IMAGE)
    assert told.outcome["commit"] == tip(place)
    assert not (place.home / "tracking").exists()  # tracking is off here, and nothing waits for it
    digest, tag = told.outcome["digest"], told.outcome["tag"]
    assert told.outcome["reference"] == f"sluice.local/attrition:{tag}@{digest}"
    files = git.git("diff", "--name-only", "main^", "main", cwd=bare(place)).split()
    assert files == [
        "overlays/production/kustomization.yaml",
        "state/attrition/anchor.json",
        "state/attrition/champion.json",
    ]
    overlay = git.git("show", "main:overlays/production/kustomization.yaml", cwd=bare(place))
    assert f"digest: {digest}\n" in overlay


def test_the_commit_leads_to_everything_it_rests_on(promoted: tuple[Story, Told]) -> None:
    place, told = promoted
    (_, _, message), *_ = git.log(str(bare(place)), "main")
    trailers = read_trailers(message)
    assert message.startswith(
        f"Release 1 of attrition: {told.outcome['tag']}\n\nPROMOTE: recall 0."
    )
    assert trailers["Data-Hash"] == sha256(place.rows.read_bytes())
    assert trailers["Image"] == f"sluice.local/attrition:{told.outcome['tag']}"
    assert (trailers["Image-Digest"], trailers["Model"]) == (told.outcome["digest"], "attrition")
    assert (trailers["Release"], len(trailers["Prefect-Run"])) == ("1", 36)
    evidence = registry.pull_files(
        Layout(place.home / "registry" / "attrition"), trailers["Evidence-Hash"]
    )
    assert set(evidence) == {"evidence.json", "evidence.html", "metrics.json", "verdict.json"}
    page = evidence["evidence.html"].decode()
    for said in ("<dd>1, released</dd>", "sluice lineage 1</span>", told.outcome["digest"]):
        assert said in page
    assert told.outcome["commit"] not in page  # which names the page by its hash
    assert told.outcome["commit"] in laid_out(place)
    assert json.loads(evidence["verdict.json"])["verdict"] == "PROMOTE"
    assert (
        registry.digest(
            Layout(place.home / "registry" / "attrition"), f"{told.outcome['tag']}.evidence"
        )
        == (trailers["Evidence-Hash"])
    )
    state = json.loads(git.git("show", "main:state/attrition/champion.json", cwd=bare(place)))
    assert (state["promotion"], state["evidence"]) == (
        trailers["Promotion-Id"],
        trailers["Evidence-Hash"],
    )
    assert (state["release"], state["against"], state["data"]) == (1, None, trailers["Data-Hash"])


@pytest.mark.parametrize("how", ["again", "touched", "copied under another name"])
def test_nothing_changed_is_nothing_to_do(how: str, here: Story, tmp_path: Path) -> None:
    before, prefect = tip(here), _rows("flow_run")
    data = here.rows
    if how == "touched":
        data.touch()
    elif how != "again":
        data = Path(shutil.copyfile(data, tmp_path / "other name.txt"))
    told = release(data=None if how == "again" else data)
    assert (told.code, told.outcome["outcome"], told.outcome["commit"]) == (
        0,
        "nothing to do",
        before,
    )
    assert told.steps == all_are("hit", *TO_MODEL, *TO_VERDICT, *TO_IMAGE)
    assert tip(here) == before
    assert "<dd>1, released</dd>" in laid_out(here) and before in laid_out(here)
    assert _rows("flow_run") == prefect  # known before any engine is started


def test_a_flow_that_a_schedule_starts_takes_no_number_where_nothing_is_left(here: Story) -> None:
    """A schedule starts the flow itself, so what the command decides is decided there too."""
    # Prefect reads its settings when it is imported, and the first release set them.
    from prefect import tags

    from flows.release import release as flow

    before, numbers_before = tip(here), git.tip(str(bare(here)), numbers.LEDGER)
    with tags("nightly"):
        state = flow("attrition", None, True, return_state=True)
    assert (state.name, state.type.value) == ("Nothing to do", "COMPLETED")
    assert git.tip(str(bare(here)), numbers.LEDGER) == numbers_before
    assert tip(here) == before
    live = champion()
    assert _last_run() == (f"attrition release {live.release}", [*PROMOTED, "nightly"])


def champion() -> Champion:
    """The release that is live."""
    live = releases.planned().request.champion
    assert live is not None
    return live


def judged() -> Report:
    """What a plan knows of the verdict; every step to it was done."""
    report = releases.planned().report
    assert report is not None
    return report


def refreshed() -> Report:
    """The verdict on the day on which fresh data may replace the champion."""
    later = datetime.date.today() + datetime.timedelta(days=99)
    request = begin(settings.load(), replace(real_tools(), today=lambda: later), "attrition")
    runner = Plainly(request.settings.home, request.model)
    case = pipeline.oppose(pipeline.train(request, runner))
    report = pipeline.judge(case, Counted(judged().decision.standing.uses), runner)
    assert (report.decided.verdict, report.decided.refresh) == ("HOLD", True)
    return report


def image_of(report: Report) -> Result[Imaged]:
    """The image of a candidate: kept before, or adopted from the registry."""
    place = Plainly(report.request.settings.home, report.request.model)
    packaged = perform(place, PACKAGE, report.candidate)
    return perform(place, IMAGE, report.candidate, packaged)


def against(report: Report, champion: Reference) -> Report:
    """The same report, as if it had been decided against another champion."""
    case = replace(report.decision.case, champion=champion)
    return replace(report, decision=replace(report.decision, case=case))


def test_a_changed_holdout_cell_is_judged_and_not_trained_anew(here: Story) -> None:
    before, tag = tip(here), champion().tag
    told = release(data=changed(here, "holdout"))
    assert told.steps == all_are("done", *TO_TUNE, *TO_VERDICT) | all_are("hit", "Tune", "Train")
    assert (told.code, told.outcome["outcome"], told.outcome["verdict"]) == (0, "hold", "HOLD")
    assert (told.outcome["tag"], tip(here)) == (tag, before)
    assert told.outcome["sentence"].startswith("No better than release 1: flagging as many, ")
    page = laid_out(here)
    today = datetime.datetime.now(datetime.UTC).date()
    assert "<dd>2, not released: the champion stays</dd>" in page
    assert f"<dd>{today}</dd>" in page or f"<dd>{today - datetime.timedelta(days=1)}</dd>" in page
    assert "Each group beside champion and anchor" in page
    again = release(data=here.project / "holdout.csv")
    assert (again.outcome["outcome"], set(again.steps.values())) == ("hold", {"hit"})
    assert page == laid_out(here)


def test_a_changed_training_cell_is_all_done_anew_even_where_only_git_and_registry_are_left(
    here: Story, tmp_path: Path, tools: str
) -> None:
    """The champion is fetched from the registry, its hash checked, and scored on the same rows.

    What a registry keeps beside the images, the secret of the ledger, comes with it.
    """
    empty = Story(here.project, tmp_path / "empty")
    for name in ("manifests.git", "registry", "ledger"):
        shutil.copytree(here.home / name, empty.home / name)
    releases.enter(empty, tools)
    told = release(data=changed(here, "train"))
    assert told.steps == all_are("done", *TO_MODEL, *TO_VERDICT)
    assert (told.code, told.outcome["outcome"]) == (0, "hold")
    live = manifest_repo.live(settings.load(), "attrition")
    assert live is not None
    assert live.champion is not None
    [kept] = (empty.home / "champions").iterdir()
    assert kept.name == live.champion.model == folder_hash(kept)
    verdict = json.loads((empty.home / "evidence" / "attrition" / "verdict.json").read_text())
    assert verdict["champion"] == live.champion.tag
    assert (empty.home / "evidence" / "attrition" / "drift.html").is_file()
    assert told.outcome["tag"] != live.champion.tag


def test_a_champion_that_is_not_what_was_promoted_stops_the_release(
    here: Story, tmp_path: Path
) -> None:
    candidate = releases.planned().candidate
    assert candidate is not None
    request = candidate.request
    other_data = replace(request, data=replace(request.data, sha256="0" * 64))
    against = baselines.oppose(replace(candidate, request=other_data)).champion
    live = champion()
    assert against == Reference(live.tag, live.digest, live.model, live.release)
    other = Case(candidate, Reference(live.tag, live.digest, "0" * 64), None)
    with pytest.raises(SluiceError, match=f"hashes to {live.model}; {'0' * 64} is required"):
        baselines.fetch(other)
    shutil.rmtree(here.home / "registry")
    with pytest.raises(SluiceError, match=rf"has no {live.tag}\.model"):
        baselines.fetch(Case(candidate, against, None))
    assert not (here.home / "champions" / live.model).exists()


def test_a_champion_that_takes_too_much_to_load_stops_the_release(here: Story) -> None:
    """Whoever may write to registry and manifest repo takes neither time nor memory of it."""
    candidate = releases.planned().candidate
    assert candidate is not None
    folder = here.home / "hostile"
    shutil.copytree(candidate.trained.folder / MODEL, folder)
    (folder / "model.onnx").write_bytes(outer(30_000).SerializeToString())
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    digest = registry.push_files(candidate.request.place, "hostile.model", files, "x/y", {})
    hostile = Case(candidate, Reference("hostile", digest, folder_hash(folder)), None)
    with pytest.raises(Refused, match="takes more than 136 MB of memory"):
        baselines.fetch(hostile)
    assert not (here.home / "champions" / folder_hash(folder)).exists()


def test_a_floor_that_is_not_reached_is_refused_with_its_numbers(here: Story) -> None:
    """And done again without the cache, each step puts the same bytes out: same key, same
    result.
    """
    before = tip(here)
    releases.change_policy(here.project, gate={"recall_floor": 0.99})
    told = release()
    assert told.steps == all_are("hit", *TO_TUNE, "Tune") | all_are("done", "Train", *TO_VERDICT)
    assert (told.code, told.outcome["outcome"], told.outcome["verdict"]) == (3, "refused", "REJECT")
    metrics = json.loads((here.home / "evidence" / "attrition" / "metrics.json").read_text())
    recall = f"Recall is {metrics['holdout']['recall']:.4f} with an upper limit of "
    assert recall in told.outcome["sentence"]
    assert "; at least 0.99 is required" in told.outcome["sentence"]
    assert told.outcome["digest"] == told.outcome["commit"] == ""
    assert tip(here) == before
    refused = recorded(here.home, "attrition", "refused")
    assert refused is not None
    assert refused.sentence == told.outcome["sentence"]
    assert _last_state() == ("Refused", "FAILED")  # red, and not as a crash
    assert _last_run() == (f"attrition candidate {told.outcome['tag'][:8]}", REJECTED)
    kept = _put_out()

    again = release(no_cache=True)
    assert (again.code, again.outcome) == (3, told.outcome)
    assert again.steps == all_are("done", *TO_MODEL, *TO_VERDICT)
    assert _put_out() == kept


def relabelled(here: Story, wanted: Callable[[int, int], bool]) -> Path:
    """The table with the answer turned around in every row for whose number and id this holds."""
    header, *lines = here.rows.read_text(encoding="utf-8").splitlines()
    turned = {"Left": "Stayed", "Stayed": "Left"}
    for number, line in enumerate(lines):
        row, (rest, _, answer) = int(line.split(",")[0]), line.rpartition(",")
        lines[number] = f"{rest},{turned[answer] if wanted(number, row) else answer}"
    path = here.project / "relabelled.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def always_leave(here: Story) -> Path:
    """A policy under which no precision is too low flags everybody."""
    releases.change_policy(
        here.project, gate={"precision_floor": 0.05}, operating_point={"precision_slack": 0.0}
    )
    return here.rows


def inverted_labels(here: Story) -> Path:
    return relabelled(here, lambda _, row: releases.part(row) != "holdout")


def shuffled_labels(here: Story) -> Path:
    always_leave(here)  # else no threshold is precise enough, and there is no model at all
    coins = np.random.default_rng(1).random(releases.ROWS) < 0.5
    return relabelled(here, lambda number, _: bool(coins[number]))


def leaked_rows(here: Story) -> Path:
    """Rows that are trained on stand in the holdout too, under ids of their own."""
    releases.change_policy(here.project, gate={"duplicate_ceiling": 0.01})
    header, *lines = here.rows.read_text(encoding="utf-8").splitlines()
    train = [
        line.partition(",")[2]
        for line in lines
        if releases.part(int(line.split(",")[0])) == "train"
    ]
    free = (row for row in range(10_000, 100_000) if releases.part(row) == "holdout")
    more = [f"{row},{line}" for row, line in zip(free, train[:60], strict=False)]
    path = here.project / "leaked.csv"
    path.write_text("\n".join([header, *lines, *more, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (always_leave, "100.0 % of the rows are flagged, with a lower limit of"),
        (inverted_labels, "the scores are upside down"),
        (shuffled_labels, "no better than chance, as if labels were shuffled"),
        (leaked_rows, "of the holdout repeats training rows; at most 1.00 % is allowed"),
    ],
)
def test_junk_is_refused_in_a_sentence(
    make: Callable[[Story], Path], said: str, here: Story
) -> None:
    """No image, no commit, and the champion stays."""
    data = make(here)
    before, images = tip(here), _put_into_registry(here)
    told = release(data=data)
    assert (told.code, told.outcome["outcome"], told.outcome["verdict"]) == (
        3,
        "refused",
        "REJECT",
    ), told.said
    assert said in told.outcome["sentence"]
    assert "\n" not in told.outcome["sentence"]
    assert told.outcome["digest"] == told.outcome["commit"] == ""
    assert not {"Build Bento", "Build image"} & set(told.steps)
    assert (tip(here), _put_into_registry(here)) == (before, images)
    metrics = json.loads(
        (here.home / "evidence" / "attrition" / "metrics.json").read_text(encoding="utf-8")
    )
    assert make is not always_leave or metrics["holdout"]["recall"] == 1.0


@pytest.mark.parametrize("to_match", [False, True])
def test_metrics_edited_by_hand_are_refused_before_the_image(
    to_match: bool, first: tuple[Story, Told], tools: str, tmp_path: Path
) -> None:
    """Where the next release finds them done: in the store, under the key of their step."""
    own = releases.copy(first[0], tmp_path)
    releases.enter(own, tools)
    before, report = tip(own), judged()
    metrics = report.decision.scored.folder / "metrics.json"
    evidence = report.evidence.folder / "evidence.json"
    document = json.loads(metrics.read_text(encoding="utf-8"))
    document["holdout"]["recall"] = 0.99
    metrics.write_text(json.dumps(document), encoding="utf-8")
    if to_match:
        sealed = json.loads(evidence.read_text(encoding="utf-8"))
        sealed["seals"]["metrics"] = sha256(metrics.read_bytes())
        evidence.write_text(json.dumps(sealed), encoding="utf-8")
    told = release()
    assert (told.code, told.outcome["outcome"]) == (3, "refused"), told.said
    assert "metrics.json changed after score wrote it" in told.outcome["sentence"]
    assert told.outcome["digest"] == told.outcome["commit"] == ""
    assert not {"Build Bento", "Build image"} & set(told.steps)
    assert tip(own) == before
    assert not (own.home / "registry").exists()


def test_data_that_are_refused_leave_nothing_in_the_store(
    here: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    before, kept = (
        tip(here),
        sorted(path.name for path in (here.home / "store" / "validate").iterdir()),
    )
    broken = here.project / "broken.csv"
    content = releases.change(here.rows.read_bytes(), SECRET_ID, "Job Role", NAME)
    broken.write_bytes(content)
    told = release(data=broken)
    assert (told.code, told.outcome["outcome"], told.outcome["verdict"]) == (3, "refused", "")
    assert told.steps == {"Validate data": "refused"}
    assert "Job Role" in told.outcome["sentence"]
    assert NAME in told.said.replace("\n", " ")  # the terminal shows examples, with their ids
    assert str(SECRET_ID) in told.said
    assert sorted(path.name for path in (here.home / "store" / "validate").iterdir()) == kept
    assert tip(here) == before
    for needle in (NAME, "Quimby", str(SECRET_ID)):
        assert needle not in json.dumps(told.outcome)
        assert needle not in (here.home / "outcomes" / "attrition" / "refused.json").read_text()
        assert _found_in_prefect(needle) == 0
    assert _found_in_prefect("attrition-findings") > 0
    remembered = (here.home / "refusals").rglob("*.json")
    assert not any(NAME in path.read_text() for path in remembered)


def test_a_table_with_people_in_its_header_is_refused_without_them(here: Story) -> None:
    headless = here.project / "headless.csv"
    headless.write_bytes(
        here.rows.read_bytes().partition(b"\n")[2].replace(b"Technology", NAME.encode(), 1)
    )
    told = release(data=headless)
    assert told.code == 3
    assert NAME not in json.dumps(told.outcome)
    assert _found_in_prefect(NAME) == 0


def test_a_second_release_that_is_behind_is_superseded(here: Story) -> None:
    """The steps are done, and on the way to the commit it turns out that others were faster."""
    report, before = judged(), tip(here)
    assert promote.promote(report, image_of(report), 9).outcome == "already there"
    assert promote.promote(report, image_of(report), 9).release == 1

    releases.point(here.project, changed(here, "train").read_bytes())
    release()
    releases.keep_image()
    report, live = refreshed(), champion()
    imaged = image_of(report)
    unheard = against(report, Reference("0" * 16, "", ""))
    assert promote.promote(unheard, imaged, 2).outcome == "superseded"
    assert promote.promote(report, imaged, 0).outcome == "superseded"
    assert tip(here) == before
    assert promote.promote(report, imaged, 2).outcome == "committed"
    (_, _, message), *_ = git.log(str(bare(here)), "main")
    assert read_trailers(message)["Prefect-Run"] == "none"
    state = json.loads(git.git("show", "main:state/attrition/champion.json", cwd=bare(here)))
    assert (state["tag"], state["against"]["tag"]) == (imaged.facts.tag, live.tag)
    files = registry.pull_files(Layout(here.home / "registry" / "attrition"), state["evidence"])
    page = files["evidence.html"].decode()
    assert "<dd>2, released</dd>" in page and imaged.facts.digest in page
    assert 'href="drift.html"' in page
    title = "Employee attrition: drift from the training data of the champion"
    assert f"<title>{title}</title>" in files["drift.html"].decode()


@pytest.mark.parametrize("no_cache", [False, True])
def test_what_is_in_quarantine_is_refused_before_it_is_scored(no_cache: bool, here: Story) -> None:
    given = settings.load()
    quarantine.add(given, "attrition", champion().tag, "flags everybody")
    ledger, before = git.tip(str(bare(here)), numbers.LEDGER), tip(here)
    told = release(no_cache=no_cache)
    assert (told.code, told.outcome["outcome"]) == (3, "quarantined")
    assert told.outcome["sentence"].startswith("quarantined since 20")
    assert (
        "because flags everybody; lift it: sluice quarantine lift sha256:"
        in told.outcome["sentence"]
    )
    assert list(told.steps)[-1] == "Train"
    assert (git.tip(str(bare(here)), numbers.LEDGER), tip(here)) == (ledger, before)
    refused = recorded(here.home, "attrition", "refused")
    assert refused is not None
    assert refused.outcome == "quarantined"


def test_where_main_is_protected_a_release_is_proposed(
    first: tuple[Story, Told], tmp_path: Path, tools: str
) -> None:
    place = releases.copy(first[0], tmp_path)
    releases.enter(place, tools)
    os.environ["SLUICE_MODE"] = "branch"
    releases.keep_image()
    before = tip(place)
    for _ in range(2):  # the second time the branch is there
        told = release()
        assert (told.code, told.outcome["outcome"]) == (0, "proposed")
        assert told.outcome["branch"] == f"release/attrition/{told.outcome['tag']}"
        assert git.tip(str(bare(place)), told.outcome["branch"]) == told.outcome["commit"]
        assert tip(place) == before
    title, _, body = Path(told.outcome["proposal"]).read_text().partition("\n\n")
    assert title == f"Release 1 of attrition: {told.outcome['tag']}"
    assert "| recall |" in body.lower()
    assert read_trailers(body)["Image-Digest"] == told.outcome["digest"]


def test_a_candidate_that_lost_its_entry_is_committed_once_more(here: Story) -> None:
    """The state was taken back: image and verdict are there, so the release goes straight on to its
    commit.
    """
    git.git("config", "receive.denyNonFastForwards", "false", cwd=bare(here))
    git.git("update-ref", "refs/heads/main", "main^", cwd=bare(here))
    planned = releases.planned()
    assert planned.outcome is None
    [image] = [step.facts for step in planned.steps if step.step == "image"]
    assert isinstance(image, Imaged)
    assert f"+newTag: {image.tag}" in planned.diff
    told = release()
    assert (told.outcome["outcome"], told.outcome["release"]) == ("promoted", 1)
    assert set(told.steps.values()) == {"hit"}


def test_an_image_that_vanished_from_the_registry_is_not_nothing_to_do(here: Story) -> None:
    shutil.rmtree(here.home / "registry")
    assert releases.planned().outcome is None


def test_an_image_that_vanished_and_cannot_be_built_again_ends_without_a_builder(
    here: Story,
) -> None:
    before = tip(here)
    shutil.rmtree(here.home / "registry")
    told = release()
    assert (told.code, told.outcome["outcome"]) == (0, "no builder")
    assert told.steps == all_are("hit", *TO_MODEL, *TO_VERDICT, "Build Bento")
    assert tip(here) == before


def test_no_row_leaves_the_machine(first: tuple[Story, Told], promoted: tuple[Story, Told]) -> None:
    """The id of a person is in the table that was trained on, and in nothing that others may
    see.
    """
    home, tag = promoted[0].home, promoted[1].outcome["tag"]
    searches: dict[str, Callable[[str], int]] = {
        "Prefect": _found_in_prefect,
        "MLflow": lambda needle: (
            _found_in_tables(home / "mlflow.db", needle) + _found(home / "mlartifacts", needle)
        ),
        "evidence": lambda needle: _found(home / "store" / "evidence", needle),
        "published": lambda needle: _found(home / "evidence", needle),
        "registry": lambda needle: _found(home / "registry", needle),
        "manifests": lambda needle: _found_in_git(bare(promoted[0]), needle),
        "outcomes": lambda needle: _found(home / "outcomes", needle),
        "Bento": lambda needle: _found(home / "bentoml", needle),
    }
    assert _found(home / "data", str(SECRET_ID)) == 1  # the search finds it where it may be
    known = {"evidence": "Monthly Income", "published": "Monthly Income"}
    for name, search in searches.items():
        assert search(known.get(name, tag)) > 0, f"the search finds nothing at all in {name}"
        assert search(str(SECRET_ID)) == 0, f"the id of a person is in {name}"


def test_the_search_would_find_a_row_in_an_artifact(first: tuple[Story, Told]) -> None:
    from prefect import flow
    from prefect.artifacts import create_markdown_artifact

    planted = "7776665554"
    assert _found_in_prefect(planted) == 0

    @flow
    def plant() -> None:
        create_markdown_artifact(f"| id |\n| {planted} |", key="attrition-planted")

    plant()
    assert _found_in_prefect(planted) > 0


def test_the_run_shows_its_artifacts(first: tuple[Story, Told]) -> None:
    with closing(sqlite3.connect(_prefect())) as database:
        kept = dict(
            database.execute(
                "select key, data from artifact where key like 'attrition-%' and flow_run_id in"
                " (select flow_run_id from flow_run_state where name = 'No builder')"
                " order by created"
            )
        )
        states = {name for (name,) in database.execute("select name from flow_run_state")}
        tasks = dict(
            database.execute("select name, state_type from task_run where name like 'Serve Bento%'")
        )
    assert {"attrition-verdict", "attrition-metrics", "attrition-outcome"} <= set(kept)
    assert "attrition-delivery" not in kept  # nothing was delivered
    assert {"holdout", "validation"} <= set(json.loads(json.loads(kept["attrition-metrics"]))[0])
    steps = json.loads(json.loads(kept["attrition-steps"]))
    assert {"step", "state", "seconds"} == set(steps[0])
    assert {step["state"] for step in steps} <= {"DONE", "HIT"}
    assert "No builder" in states
    assert set(tasks.values()) == {"COMPLETED"}  # the Bento was started and gave the golden answers


def test_each_run_leaves_a_line_that_needs_no_prefect(
    here: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept(here.home, "attrition")
    release()
    release()
    lines = kept(here.home, "attrition")
    assert len(lines) == len(before) + 2
    last = lines[-1]
    assert (last.outcome, last.page) == ("nothing to do", "")
    assert {step.state for step in last.steps} == {"hit"}
    first = lines[0]
    assert {"Train", "Tune"} <= {step.title for step in first.steps if step.state == "done"}
    assert run_runs(settings.load(), "attrition", 2, as_json=False) == 0
    said = capsys.readouterr().out
    assert said.count("nothing to do, PROMOTE in ") == 2
    assert "steps taken from before" in said
    assert run_runs(settings.load(), "attrition", 9, as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [run["outcome"] for run in shown] == [run.outcome for run in lines]
    assert str(SECRET_ID) not in json.dumps(shown)


def test_what_the_user_set_for_prefect_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", "mine")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    prefect_server.prepare(tmp_path)
    assert os.environ["PREFECT_HOME"] == "mine"
    assert "PREFECT_API_URL" not in os.environ
    assert prefect_server.server(tmp_path) == ""


def test_the_verdict_goes_to_the_page_of_a_workflow(
    here: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    release()
    text = page.read_text()
    assert "PROMOTE" in text
    assert "**Nothing to do.**" in text
    assert "A dry run: without SLUICE_REGISTRY and SLUICE_MANIFESTS" in text
    assert str(SECRET_ID) not in text


def _put_into_registry(here: Story) -> list[str]:
    """Every file in the registry."""
    return sorted(str(path) for path in (here.home / "registry").rglob("*"))


def test_a_run_is_tagged_for_people_and_its_tasks_are_not(promoted: tuple[Story, Told]) -> None:
    """For each tag of a task Prefect asks whether there is a limit on it: half a second a task."""
    with closing(sqlite3.connect(_prefect())) as database:
        runs = database.execute("select tags from flow_run where name like 'attrition%'").fetchall()
        tasks = database.execute("select tags from task_run").fetchall()
    assert {json.loads(tags)[0] for (tags,) in runs} == {"attrition"}
    assert not any("process " in tags for (tags,) in runs)
    assert len(tasks) > 8
    assert {json.loads(tags) == [] for (tags,) in tasks} == {True}


def _put_out() -> dict[str, dict[str, str]]:
    """The hash of every file that a step put out; Evidently numbers the parts of its page at
    random.
    """
    return {
        result.step: {name: value for name, value in result.outputs.items() if name != "drift.html"}
        for result in judged().results
    }


def _last_run() -> tuple[str, list[str]]:
    """Name and tags of the newest flow run."""
    with closing(sqlite3.connect(_prefect())) as database:
        query = "select name, tags from flow_run order by created desc limit 1"
        [(name, tags)] = database.execute(query).fetchall()
    return name, json.loads(tags)


def _last_state() -> tuple[str, str]:
    """Name and type of the state in which the newest flow run ended."""
    with closing(sqlite3.connect(_prefect())) as database:
        query = "select name, type from flow_run_state order by timestamp desc limit 1"
        [(name, kind)] = database.execute(query).fetchall()
    return name, kind


def _prefect() -> Path:
    return Path(os.environ["PREFECT_HOME"]) / "prefect.db"


def _rows(table: str) -> int:
    with closing(sqlite3.connect(_prefect())) as database:
        return int(database.execute(f"select count(*) from {table}").fetchone()[0])


def _found_in_prefect(needle: str) -> int:
    """In how many rows and files of Prefect a text stands."""
    return _found_in_tables(_prefect(), needle) + _found(_prefect().parent / "results", needle)


def _found_in_tables(path: Path, needle: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return sum(needle in line for line in database.iterdump())


def _found(folder: Path, needle: str) -> int:
    """In how many files below a folder a text stands, as it is."""
    return sum(needle.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _found_in_git(repository: Path, needle: str) -> int:
    """How often a text stands in all objects of a repository, on any branch."""
    content = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"],
        cwd=repository,
        check=True,
        capture_output=True,
    ).stdout
    return content.count(needle.encode())


def test_the_outcome_of_a_run_before_is_not_told_for_this_one(tmp_path: Path) -> None:
    """A clock that was set back makes the older file the newer one."""
    record(tmp_path, Outcome("promoted", "committed", "attrition"))
    os.utime(tmp_path / "outcomes" / "attrition" / "last.json", (2e9, 2e9))
    given = settings.load().model_copy(update={"home": tmp_path})
    with pytest.raises(SluiceError, match="the release ended as Completed: no word"):
        start(given, real_tools(), _release_without_outcome, "attrition", None, cache=False)


def _release_without_outcome() -> Releases:
    """A flow that comes to its end and records nothing."""
    state: Any = SimpleNamespace(name="Completed", message="no word", result=lambda: None)
    return Releases(lambda *_, **__: state, _never)


def _never(model: str, data: str | None, cache: bool) -> Outcome:
    raise AssertionError(f"Prefect answers, and {model} was released without it: {data}, {cache}")


def test_a_look_that_the_policy_does_not_allow_ends_before_anything_is_scored(here: Story) -> None:
    """Nothing is told, logged or written of a comparison on the holdout, and no use is spent."""
    releases.change_policy(here.project, gate={"look_days": 7})
    ledger, before = git.tip(str(bare(here)), numbers.LEDGER), tip(here)
    scored = sorted((here.home / "store" / "score").iterdir())
    releases.point(here.project, changed(here, "train").read_bytes())
    told = release()
    assert (told.code, told.outcome["outcome"]) == (3, "refused")
    assert "days between two looks are required" in told.outcome["sentence"]
    assert (told.outcome["verdict"], told.outcome["summary"]) == ("", "")
    assert list(told.steps)[-1] == "Train"
    assert sorted((here.home / "store" / "score").iterdir()) == scored
    assert (git.tip(str(bare(here)), numbers.LEDGER), tip(here)) == (ledger, before)
    planned = releases.planned()
    assert planned.outcome is not None
    assert "days between two looks are required" in planned.outcome.sentence


def test_looks_are_rationed_and_the_best_by_validation_has_them(here: Story) -> None:
    """Two candidates wait, and nothing of them is scored. A week later the better of them has the
    look, although the other one is released, and nothing is told of the other.
    """
    releases.change_policy(here.project, gate={"look_days": 7, "look_choice": "best"})
    scored = set((here.home / "store" / "score").iterdir())
    good, bad = changed(here, "train").read_bytes(), _mislabelled(here)
    for content in (good, bad):
        releases.point(here.project, content)
        told = release()
        assert (told.code, told.outcome["outcome"]) == (0, "waiting")
        assert "one look in 7 days is allowed" in told.outcome["sentence"]
        assert (told.outcome["verdict"], told.outcome["summary"]) == ("", "")
        assert list(told.steps)[-1] == "Train"
        planned = releases.planned().outcome
        assert planned is not None
        assert (planned.outcome, planned.sentence) == ("waiting", told.outcome["sentence"])
    assert set((here.home / "store" / "score").iterdir()) == scored
    assert _waiting(here) == (sha256(good), sha256(bad))
    later = datetime.date.today() + datetime.timedelta(days=7)
    tools = replace(real_tools(), today=lambda: later)
    request = begin(settings.load(), tools, "attrition")
    outcome = carry_out(request, Plainly(request.settings.home, "attrition"))
    assert outcome.verdict
    [one] = set((here.home / "store" / "score").iterdir()) - scored
    written = _ledger(here)
    newest = written["releases"][-1]
    assert (newest["candidate"], newest["data"]) == (one.name, sha256(good))
    assert newest["day"] == later.isoformat()
    assert "waiting" not in written


def _mislabelled(here: Story) -> bytes:
    """The table in which each third row that is trained on tells the opposite."""
    lines = here.rows.read_text(encoding="utf-8").splitlines()
    for row in range(1, len(lines), 3):
        if releases.part(row) == "train":
            old, new = ("Left", "Stayed") if "Left" in lines[row] else ("Stayed", "Left")
            lines[row] = lines[row].replace(old, new)
    return ("\n".join(lines) + "\n").encode()


def _ledger(here: Story) -> dict[str, Any]:
    """The ledger as it stands on its branch."""
    text = git.git("show", f"{numbers.LEDGER}:attrition.json", bare=bare(here))
    document: dict[str, Any] = json.loads(text)
    return document


def _waiting(here: Story) -> tuple[str, ...]:
    """The data of those that wait, the best first."""
    return tuple(one["data"] for one in _ledger(here)["waiting"])


def test_stale_data_are_refused_each_day_anew_and_leave_nothing(here: Story) -> None:
    """The day is handed in: what is too old today was not a month ago, whatever the store keeps."""
    contract = here.project / "models" / "attrition" / "contract.toml"
    text = contract.read_text(encoding="utf-8").replace(
        "\n[target]\n", '\nas_of = "Day"\n\n[target]\n', 1
    )
    contract.write_text(f'{text}\n[columns."Day"]\nrole = "ignored"\n', encoding="utf-8")
    header, *lines = here.rows.read_text(encoding="utf-8").splitlines()
    dated = [f"{header},Day", *(f"{line},2026-01-{10 + at % 20}" for at, line in enumerate(lines))]
    releases.point(here.project, ("\n".join(dated) + "\n").encode())
    releases.change_policy(here.project, data={"newest_days": 30})
    before = set((here.home / "store").rglob("*"))
    told = release()
    assert (told.code, told.outcome["outcome"]) == (3, "refused")
    assert told.outcome["sentence"] == (
        f"the data is refused: Day: stale data ({releases.ROWS:,} rows)"
    )
    assert "days old; at most 30 is required. Export again." in told.said
    assert set((here.home / "store").rglob("*")) == before
    assert releases.planned().outcome is None
    tools = replace(real_tools(), today=lambda: datetime.date(2026, 2, 20))
    request = begin(settings.load(), tools, "attrition")
    assert carry_out(request, Plainly(request.settings.home, "attrition")).verdict


def test_what_takes_long_between_the_steps_has_a_sign_of_life(
    first: tuple[Story, Told], tools: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every step is a HIT here: what is shown besides would be waited for in silence."""
    releases.enter(releases.copy(first[0], tmp_path), tools)
    os.environ["FORCE_COLOR"] = "1"  # what is printed goes to a terminal, as far as it can tell
    candidate = releases.planned().candidate
    assert candidate is not None
    request = candidate.request
    capsys.readouterr()
    carry_out(request, Plainly(request.settings.home, request.model))
    shown = capsys.readouterr().err
    assert "Reserve the use of the holdout" in shown
    assert "Decide anew" in shown
    have_base(releases.with_builder(candidate))
    assert "Make the base" in capsys.readouterr().err
