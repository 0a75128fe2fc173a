"""What this machine can hold an image against, besides the hashes that travel with it: the code
that is here, and the images that were built here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.image.image_contents import Held
from flows.engine import image_identity, store
from flows.facts.imaged import Imaged, LayersFile
from flows.facts.step_files import LAYERS

BENTO = "srv/bento/"  # where the image has its Bento, and nothing else in its last layer
SOURCES = f"{BENTO}src/"
_MODEL = "model/"
# What BentoML lays beside the sources; nothing runs it.
_BESIDE = ("bentofile.yaml", "requirements.txt")


@dataclass(frozen=True)
class Known:
    """The hash of the code here, what of it is served (SHA-256 by path), and the images built here.

    An image of other code, or of a base that was never built here, cannot be held against them.
    """

    code: str = ""
    served: Mapping[str, str] | None = None
    built: Sequence[LayersFile] = ()

    def layers_like(self, made_of: Mapping[str, str]) -> list[LayersFile]:
        """Images that have the layers of one of these ingredients below its last layer."""
        return [image for image in self.built if image.is_like(made_of)]


NOTHING = Known()


def here(home: Path) -> Known:
    """What is known on this machine; images are those in the store of the state folder `home`."""
    return Known(image_identity.code(), image_identity.served(), _built(home))


def _built(home: Path) -> list[LayersFile]:
    built = []
    for folder in sorted((home / "store" / "image").glob("[0-9a-f]*")):
        try:
            result = store.find(home, "image", folder.name, Imaged)
        except store.Altered:
            continue  # who builds again is told; here it proves nothing
        if result is not None and LAYERS in result.outputs:
            built.append(result.parsed(LAYERS, LayersFile))
    return built


def strange_files(files: Mapping[str, Held], served: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the service in the last layer of an image, by file; nothing where it is
    the code here.
    """
    wrong = {path: "it is no part of a Bento" for path in files if not path.startswith(BENTO)}
    found = sources(files)
    for path in sorted({*found, *served}):
        if path not in found:
            wrong[path] = "it is not there"
        elif path not in served:
            wrong[path] = "it is no file of the service"
        elif found[path].sha256 != served[path]:
            wrong[path] = "it is not the file of the code that the image names"
    return wrong


def sources(files: Mapping[str, Held]) -> dict[str, Held]:
    """The files of the service by their paths in this project: all but the model."""
    inside = {
        path.removeprefix(SOURCES): held for path, held in files.items() if path.startswith(SOURCES)
    }
    return {
        path: held
        for path, held in inside.items()
        if not path.startswith(_MODEL) and path not in _BESIDE
    }
