"""Gits of other years, as Debian has them: the newest ones do all that is asked of git, hostile
configuration and all; one that is too old is refused by name.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.project.root import ROOT

TESTS = ("adapters/git/test_calls.py", "adapters/git/test_git.py", "adapters/git/test_tree.py")
TESTS += ("gitops/test_hosts_that_refuse.py",)
PROGRAMS = ("git", "git-upload-pack", "git-receive-pack", "git-remote-http", "git-http-backend")
# What git runs is found in the folder of these scripts, and each runs with the libraries of its
# own Debian.
SCRIPT = """#!/bin/bash
export GIT_EXEC_PATH={folder}
{run} "$@"
"""
needs_debian = pytest.mark.skipif(
    not shutil.which("mmdebstrap"), reason="needs mmdebstrap (apt-get install mmdebstrap)"
)


def installed(suite: str, folder: Path) -> Path:
    """The folder of git's programs, as this suite of Debian has them."""
    root, bin_ = folder / "root", folder / "bin"
    folder.mkdir(parents=True)
    # A suite without a release of its own may have stood still for a while.
    still = '--aptopt=Acquire::Check-Valid-Until "false"'
    words = ["mmdebstrap", "--quiet", still, "--variant=extract", "--include=git", suite, root]
    subprocess.run(words, check=True, capture_output=True)
    bin_.mkdir()
    loader = next(root.rglob("ld-linux-*.so.2"))
    libraries = next(root.rglob("libc.so.6")).parent
    more = root / "usr" / "lib" / libraries.name
    named = "--argv0" in subprocess.run([loader, "--help"], capture_output=True, text=True).stdout
    for name in PROGRAMS:
        real = (root / "usr" / "lib" / "git-core" / name).resolve()
        run = f"exec {loader} --library-path {libraries}:{more} --argv0 {name} {real}"
        if not named:  # older than this Debian, whose libraries it can run with
            run = f"exec -a {name} {real}"
        (bin_ / name).write_text(SCRIPT.format(folder=bin_, run=run))
        (bin_ / name).chmod(0o755)
    (bin_ / "git-remote-https").symlink_to("git-remote-http")
    return bin_


def pytest_with(programs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{programs}:{os.environ['PATH']}"
    version = subprocess.run(["git", "version"], env={"PATH": path}, text=True, capture_output=True)
    assert version.returncode == 0, version.stderr
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *words],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        text=True,
        capture_output=True,
        check=False,
    )


@needs_debian
@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_a_newer_git_does_all_that_is_asked_of_it(suite: str, tmp_path: Path) -> None:
    programs = installed(suite, tmp_path / suite)
    done = pytest_with(programs, *(f"tests/flows/{name}" for name in TESTS))
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@needs_debian
def test_one_that_is_too_old_is_refused_by_name(tmp_path: Path) -> None:
    programs = installed("bullseye", tmp_path / "bullseye")
    manifests = tmp_path / "manifests.git"
    subprocess.run(["git", "init", "--quiet", "--bare", manifests], check=True)
    words = [Path(sys.executable).with_name("sluice"), "status", "attrition"]
    path = f"{programs}:{os.environ['PATH']}"
    own = {"SLUICE_HOME": str(tmp_path / "home"), "SLUICE_MANIFESTS": str(manifests)}
    env = {**os.environ, "PATH": path, **own}
    done = subprocess.run(words, cwd=ROOT, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert "the version of git is 2.30; 2.34 is required" in done.stderr + done.stdout
