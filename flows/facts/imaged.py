"""What the step that makes the image found; and what it left on record of the layers."""

from collections.abc import Mapping

from msgspec import Struct

# What an image has in common with every other one of the same base, packages and code.
_SHARED = ("base", "lock", "code", "platform")


class Imaged(Struct, frozen=True):
    """The image as it was read back; `adopted` where it was in the registry before."""

    tag: str
    digest: str
    reference: str
    adopted: bool


class LayersFile(Struct, frozen=True, kw_only=True):
    """layers.json: what an image that was built here, or is the same byte for byte, consists of.

    `made_of` are its ingredients by hash, `below` the digests of all layers but the last, which
    has service and model; `started` is the hash of how it is started.
    """

    schema: int = 1
    made_of: dict[str, str]
    below: tuple[str, ...]
    started: str

    def is_like(self, made_of: Mapping[str, str]) -> bool:
        """Whether an image of these ingredients has the same layers below its last one."""
        return all(self.made_of.get(name) == made_of.get(name) for name in _SHARED)
