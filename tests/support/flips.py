"""Bytes flipped in the files of a registry on disk, one at a time, and what is said of each."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.adapters.registry import oci, referrers
from flows.adapters.registry.layout import Layout
from flows.audit import verify

SMALL = 3000  # bytes


def names(place: Path, trailers: Mapping[str, str]) -> dict[Path, str]:
    """Every file of the layout that belongs to this release, and the words that tell of it when it
    is broken.
    """
    tag = trailers["Image"].rpartition(":")[2]
    blobs = place / "blobs" / "sha256"
    found = {
        place / "index.json": "index.json",
        place / "oci-layout": "index.json",
        blobs / oci.hex_of(oci.digest_of(oci.EMPTY)): "configuration of",
    }
    index = json.loads((place / "index.json").read_text())["manifests"]
    tags = {
        entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
        for entry in index
    }
    for kind in ("", ".model", ".evidence"):
        digest = tags[f"{tag}{kind}"]
        manifest = json.loads((blobs / oci.hex_of(digest)).read_text())
        found[blobs / oci.hex_of(digest)] = (
            f"manifest of {tag}{kind}" if kind else f"manifest of image {tag}"
        )
        if not kind:
            found[blobs / oci.hex_of(manifest["config"]["digest"])] = (
                f"configuration of image {tag}"
            )
        for number, layer in enumerate(manifest["layers"], 1):
            title = layer.get("annotations", {}).get(oci.TITLE)
            named = f"{title} of {tag}{kind}" if title else f"layer {number} of image {tag}"
            found[blobs / oci.hex_of(layer["digest"])] = named
    return found | _statements(blobs, tags[referrers.tag(trailers["Image-Digest"])])


def _statements(blobs: Path, listed: str) -> dict[Path, str]:
    """The list of the statements about the image, and of each its manifest and its envelope."""
    found = {blobs / oci.hex_of(listed): "signed "}
    for entry in json.loads((blobs / oci.hex_of(listed)).read_text())["manifests"]:
        path = blobs / oci.hex_of(entry["digest"])
        [layer] = json.loads(path.read_text())["layers"]
        found |= {path: "signed ", blobs / oci.hex_of(layer["digest"]): "signed "}
    return found


def places(path: Path, stride: int, samples: int) -> list[int]:
    """Where to flip a file: every `stride`-th byte of a small one, `samples` bytes of a large
    one.
    """
    size = path.stat().st_size
    step = stride if size <= SMALL else max(1, size // samples)
    return list(range(size // 2 % step if size > step else 0, size, step))


def missed(
    place: Path, trailers: Mapping[str, str], stride: int, samples: int, only: str = ""
) -> Iterator[str]:
    """Each flip that was not found, or told of another file; yields nothing where every one was.

    `only` is how the names of the files begin that are flipped.
    """
    assert verify.check(Layout(place), trailers).problems == []
    for path, named in names(place, trailers).items():
        for at in places(path, stride, samples) if named.startswith(only) else ():
            flip(path, at)
            told = [problem.file for problem in verify.check(Layout(place), trailers).problems]
            flip(path, at)
            if not any(tells(file, named) for file in told):
                yield f"byte {at} of {named}: {told}"
    assert verify.check(Layout(place), trailers).problems == []


def tells(file: str, named: str) -> bool:
    """Whether what is told is about this file; a broken index may hide a tag, and then that is told
    of.
    """
    return named in file or (named == "index.json" and file.startswith(("tag ", "manifest of")))


def flip(path: Path, at: int) -> None:
    """Flip some bits of one byte where it lies; once more, and it is as it was."""
    with path.open("r+b") as file:
        file.seek(at)
        [byte] = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ (1 + at % 255)]))
