"""The audit of the packages, shown to be red for a planted pin and green without it, offline."""

import json
import re
import shutil
import sys
from pathlib import Path

from support.vulnerabilities import FIXED, ID, PACKAGE, VULNERABLE, service

from flows.adapters.process import Result, run

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def line(target: str, *words: str) -> list[str]:
    """The words that make would run for a target, by the programs of this environment."""
    said = run(["make", "--dry-run", target, *words], cwd=PROJECT).stdout.splitlines()
    [found] = [line for line in said if line.startswith(".venv/bin/uv ")]
    return [str(BIN / "uv"), *found.split()[1:]]


def audited(folder: Path) -> Result:
    with service() as url:
        return run(line("audit", f"OSV={url}"), cwd=folder, check=False)


def copied(folder: Path) -> Path:
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copyfile(PROJECT / name, folder / name)
    return folder


def test_what_is_locked_is_green(tmp_path: Path) -> None:
    ended = audited(copied(tmp_path))
    assert ended.code == 0, ended.stderr
    assert "no known vulnerabilities" in (ended.stdout + ended.stderr).lower()


def test_a_planted_pin_is_red_and_named(tmp_path: Path) -> None:
    lock = copied(tmp_path) / "uv.lock"
    text = lock.read_text()
    [here] = re.findall(rf'name = "{PACKAGE}"\nversion = "([^"]+)"', text)
    before, mark, after = text.partition(f'name = "{PACKAGE}"\n')
    block, end, others = after.partition("[[package]]")
    lock.write_text(before + mark + block.replace(here, VULNERABLE) + end + others)
    ended = audited(tmp_path)
    assert ended.code == 1
    for word in (PACKAGE, VULNERABLE, ID, FIXED):
        assert word in ended.stdout


def test_a_service_that_does_not_answer_is_red(tmp_path: Path) -> None:
    """Nobody must take silence for "nothing is known"."""
    words = line("audit", "OSV=http://127.0.0.1:9/")
    ended = run(words, cwd=copied(tmp_path), env={"UV_HTTP_RETRIES": "0"}, check=False)
    assert ended.code not in (0, 1)


def test_the_bill_names_what_a_release_has_and_no_more(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / ".sluice").mkdir()
    run(line("bill"), cwd=tmp_path)
    bill = json.loads((tmp_path / ".sluice" / "bill.cdx.json").read_text())
    named = {part["name"] for part in bill["components"]}
    assert (bill["bomFormat"], {"bentoml", "prefect", "onnxruntime"} <= named) == (
        "CycloneDX",
        True,
    )
    assert not {"zizmor", "moto", "s3fs", "ruff"} & named
