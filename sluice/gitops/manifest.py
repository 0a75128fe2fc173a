"""One entry of a kustomization's `images`, text to text: what a release writes."""

from dataclasses import dataclass

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
