"""The first thing that anybody does: clone, `make demo`, and what is there afterwards."""

import json
import re
from pathlib import Path

import pytest
import yaml
from support.argocd import follow
from support.clones import (
    Clone,
    Demo,
    Finished,
    Watched,
    clone,
    done,
    git,
    manifests,
    run,
    serving,
    state,
)
from support.readme import commands
from support.runner import Job

from flows.adapters.registry import layout
from flows.adapters.server import taken

SUMMARY = (
    r"PROMOTE: recall 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\], precision 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]"
    r" \(90 % intervals\)"
)
REFERENCE = r"sluice\.local/attrition:([0-9a-f]{16})@(sha256:[0-9a-f]{64})"


def log(place: Clone) -> list[str]:
    return git(manifests(place), "log", "--format=%H %s", "main").splitlines()


def steps(ended: Finished) -> dict[str, str]:
    """How each step is marked: done, HIT or refused."""
    return {
        name: mark
        for mark, name in re.findall(r"^([●○✕]) (.+?) +(?:HIT|[\d.]+s)", ended.stderr, re.M)
    }


def test_it_ends_with_a_summary_that_a_person_can_read(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = demo.ended
    with capsys.disabled():
        print(
            f"\nmake demo, nothing there before: {ended.seconds:.0f} s (goal on a quiet machine:"
            " 360 s)"
        )
    assert re.fullmatch(SUMMARY, ended.shown("Verdict"))
    assert re.fullmatch(REFERENCE, ended.shown("Image"))
    assert re.fullmatch(r"[0-9a-f]{40}", ended.shown("Commit"))
    assert Path(ended.shown("Evidence")).is_file()
    assert ".venv/bin/sluice serve" in ended.shown("Next")
    assert ended.last == "Promoted: release 1 of attrition is committed, Argo CD can sync it."
    assert set(steps(ended).values()) == {"●"}
    assert "Traceback" not in ended.stderr + ended.stdout
    assert "Warning" not in ended.stderr


def test_the_manifest_repo_has_exactly_one_release(demo: Demo) -> None:
    newest, *others = log(demo.clone)
    commit, subject = newest.split(" ", 1)
    [(tag, digest)] = re.findall(REFERENCE, demo.ended.shown("Image"))
    assert commit == demo.ended.shown("Commit")
    assert subject == f"Release 1 of attrition: {tag}"
    assert [line.split(" ", 1)[1] for line in others] == ["Start from the template"]
    message = git(manifests(demo.clone), "log", "-1", "--format=%B", "main")
    assert f"Image-Digest: {digest}" in message.splitlines()
    assert f"Source-Commit: {git(demo.clone.path, 'rev-parse', 'HEAD')}" in message.splitlines()
    paths = git(manifests(demo.clone), "show", "--format=", "--name-only", "main").splitlines()
    states = [f"state/attrition/{name}.json" for name in ("anchor", "champion")]
    assert sorted(paths) == ["overlays/production/kustomization.yaml", *states]


def test_argo_cd_would_start_that_image(demo: Demo, tmp_path: Path) -> None:
    application = tmp_path / "production.yaml"
    application.write_text(git(manifests(demo.clone), "show", "main:applications/production.yaml"))
    documents = list(yaml.safe_load_all(follow(application)))
    [rollout] = [document for document in documents if document["kind"] == "Rollout"]
    [image] = [
        container["image"] for container in rollout["spec"]["template"]["spec"]["containers"]
    ]
    assert image == demo.ended.shown("Image")


def test_the_registry_has_that_image(demo: Demo) -> None:
    [(tag, digest)] = re.findall(REFERENCE, demo.ended.shown("Image"))
    folder = state(demo.clone) / "registry" / "attrition"
    index = json.loads((folder / "index.json").read_text())["manifests"]
    named = {
        entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
        for entry in index
    }
    assert named[tag] == digest == layout.digest(folder, tag)
    stated = digest.replace(":", "-")  # what is signed about the image
    assert set(named) == {tag, f"{tag}.model", f"{tag}.evidence", stated}


def test_it_has_a_home_of_its_own_and_says_so(demo: Demo) -> None:
    said = "Demo of generated rows, in .sluice/demo; your own data go to .sluice."
    assert demo.ended.stderr.count(said) == 1
    own = demo.clone.path / ".sluice"
    assert not any((own / name).exists() for name in ("manifests.git", "registry", "store"))


def test_nothing_is_left_in_the_working_tree(demo: Demo) -> None:
    assert git(demo.clone.path, "status", "--porcelain") == ""


def test_of_the_home_only_the_cache_is_used_and_nobody_leaves_an_id_there(demo: Demo) -> None:
    left = {path.relative_to(demo.clone.home).as_posix() for path in demo.clone.home.glob("*/*")}
    assert left <= {".cache/sluice", ".cache/uv", ".cache/matplotlib", ".config/matplotlib"}


def test_a_second_demo_has_nothing_to_do(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    before = log(demo.clone)
    again = done(demo.clone, "make demo MODEL=attrition")
    with capsys.disabled():
        print(f"\nmake demo, again: {again.seconds:.1f} s (goal: 3 s)")
    assert again.last == "Nothing to do: release 1 of attrition is live already."
    assert again.shown("Image") == demo.ended.shown("Image")
    assert steps(again) == dict.fromkeys(steps(demo.ended), "○")
    assert log(demo.clone) == before


def test_a_touched_file_changes_nothing(demo: Demo) -> None:
    done(demo.clone, "find data models sluice flows gx bento -type f -exec touch {} +")
    plan = json.loads(done(demo.clone, ".venv/bin/sluice plan --json").stdout)
    assert all(step["hit"] for step in plan["steps"])


def test_a_changed_holdout_cell_trains_and_builds_nothing(demo: Demo, held: Watched) -> None:
    assert held.ended.last == "Refused: nothing of attrition was built or committed."
    assert {name for name, mark in steps(held.ended).items() if mark == "○"} == {"Tune", "Train"}
    assert set(steps(held.ended)) < set(steps(demo.ended))
    assert log(demo.clone)[0].split(" ", 1)[0] == demo.ended.shown("Commit")


def test_a_second_clone_comes_to_the_same_image(demo: Demo, released: Job) -> None:
    ended = released.steps["Release"]
    assert ended.shown("Image") == demo.ended.shown("Image")
    assert ended.shown("Verdict") == demo.ended.shown("Verdict")


def test_the_model_answers_as_the_readme_says(demo: Demo) -> None:
    [serve] = [command for command in commands() if command.startswith("make serve ")]
    [ask] = [command for command in commands() if command.startswith("curl ")]
    assert not taken(3000), (
        "port 3000, which the README names, is taken by another program: end it, and run this again"
    )
    with serving(demo.clone, serve, 3000, "/readyz"):
        answer = json.loads(done(demo.clone, ask).stdout)
    assert answer["prediction"] in (0, 1)
    assert answer["label"] == ("Leave" if answer["prediction"] else "Stay")
    assert (answer["probability"] >= answer["threshold"]) == bool(answer["prediction"])
    [(tag, _)] = re.findall(REFERENCE, demo.ended.shown("Image"))
    assert answer["model"] == f"attrition:{tag}"


def test_without_uv_lock_nothing_is_guessed(demo: Demo, scratch: Path) -> None:
    broken = clone(scratch / "broken", demo.clone.home)
    (broken.path / "uv.lock").write_text("version = 1\n")
    ended = run(broken, "make setup")
    assert ended.code
    assert "Traceback" not in ended.stderr
