"""What a release writes, text to text: one entry of a kustomization's `images`, the state beside
it, the message.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.gitops import kustomization


@dataclass(frozen=True)
class ImageEntry:
    """One entry of `images`: the name that manifests use, and what stands in its place."""

    name: str
    new_name: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """`name:tag@sha256:...`, as a Rollout shows it."""
        return f"{self.new_name}:{self.tag}@{self.digest}"


def read_image(text: str, name: str, source: str = "kustomization.yaml") -> ImageEntry:
    """The entry for `name`: a new name that is missing is the name, other values are empty.

    Raises UsageError where there is no such entry, or none that can be edited.
    """
    found = kustomization.read(text, name, source)
    return ImageEntry(name, found["newName"] or name, found["newTag"], found["digest"])


def set_image(text: str, entry: ImageEntry, source: str = "kustomization.yaml") -> str:
    """The same text with the values of this one entry replaced; equal text where they stand there
    already.
    """
    wanted = {"newName": entry.new_name, "newTag": entry.tag, "digest": entry.digest}
    return kustomization.write(text, entry.name, wanted, source)


def champion_state(entry: ImageEntry, facts: Mapping[str, Any]) -> str:
    """`state/<model>/champion.json`: what is live, and on which evidence."""
    return (
        json.dumps(
            {
                "schema": 1,
                "tag": entry.tag,
                "digest": entry.digest,
                "image": entry.new_name,
                **facts,
            },
            indent=2,
            sort_keys=True,
        )
        + "\n"
    )


def commit_message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message whose last paragraph is its trailers; a value is folded into one line."""
    lines = [f"{name}: {' '.join(str(value).split())}" for name, value in trailers.items()]
    return f"{subject}\n\n{body}\n\n" + "\n".join(lines) + "\n"


def read_trailers(message: str) -> dict[str, str]:
    """The trailers of a commit message."""
    last = message.strip().split("\n\n")[-1]
    pairs = (line.partition(": ") for line in last.split("\n"))
    return {
        name: value
        for name, colon, value in pairs
        if colon and re.fullmatch(r"[A-Z][A-Za-z-]+", name)
    }
