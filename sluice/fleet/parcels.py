"""A parcel: named arrays as bytes, which engines carry to where work is done and back.

It is numpy's own archive without pickle: nothing in it can run. Equal arrays give equal bytes.
"""

import io
from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]


def packed(arrays: Arrays) -> bytes:
    """The bytes of these arrays, by name. Raises ValueError for arrays of objects."""
    content = io.BytesIO()
    for name, values in arrays.items():
        if values.dtype.hasobject:
            raise ValueError(f"{name} holds objects; numbers and texts of one width are required")
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a parcel, by name. Raises ValueError for what is none."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def of_text(text: str) -> np.ndarray:
    """A text as an array of its bytes."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def text_of(values: np.ndarray) -> str:
    """The text that `of_text` was given."""
    return values.tobytes().decode()
