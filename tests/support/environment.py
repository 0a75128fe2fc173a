"""The environment of this process, as it was before."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What is set inside is undone at the end."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
