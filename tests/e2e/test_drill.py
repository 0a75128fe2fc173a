"""The drill as a person runs it: on the shipped data, under the shipped policy, in the clone of the
demo.
"""

import re

from support.clones import Demo, done, git, manifests


def test_every_fault_is_caught_and_nothing_is_written(demo: Demo) -> None:
    bare = manifests(demo.clone)
    before, status = git(bare, "for-each-ref"), git(demo.clone.path, "status", "--porcelain")
    ended = done(demo.clone, ".venv/bin/sluice drill")
    [caught] = re.findall(r"^(\d+) of \1 faults caught in ", ended.last)
    assert int(caught) > 50
    assert ended.computing < 180
    assert ended.stderr == ""  # it takes the model that the demo trained
    assert (git(bare, "for-each-ref"), git(demo.clone.path, "status", "--porcelain")) == (
        before,
        status,
    )
