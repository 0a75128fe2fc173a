"""Where a release was made: libraries and hardware by name, and nothing that names this machine."""

import getpass
import re
import socket

from flows.decision.provenance import blas, hardware
from flows.engine.image_identity import tag


def test_the_blas_libraries_are_named_with_version_and_kind() -> None:
    libraries = blas()
    assert libraries
    assert libraries == sorted(set(libraries))
    assert blas() == libraries
    assert all(re.fullmatch(r"\w+ \S.* \(.*\)", library) for library in libraries)


def test_the_hardware_is_a_processor_and_its_number() -> None:
    assert re.fullmatch(r".+, [1-9][0-9]* cores", hardware())
    for name in (socket.gethostname(), getpass.getuser()):
        assert name not in hardware().split()


def test_the_tag_of_an_image_follows_from_what_it_is_made_of() -> None:
    made_of = {"model": "sha256:1", "code": "sha256:2"}
    assert re.fullmatch(r"[0-9a-f]{16}", tag(made_of))
    assert tag(dict(reversed(made_of.items()))) == tag(made_of)
    others = [
        {**made_of, "model": "sha256:3"},
        {**made_of, "lock": ""},
        {"model": "sha256:1"},
        {"model": "sha256:2", "code": "sha256:1"},
    ]
    assert len({tag(each) for each in [made_of, *others]}) == 5
