"""One image of a layout in a layout of its own, for programs that look at the first one that they
find.

    sluice images MODEL --json | python3 -m scripts.scanned_image LAYOUT FOLDER

LAYOUT has the images of a model with evidence and model artifacts beside them; FOLDER gets the
image that is live, and no bytes twice. The standard library alone.
"""

import json
import shutil
import sys
from pathlib import Path


def alone(layout: Path, folder: Path, digest: str) -> None:
    """Make FOLDER a layout of this image alone. Raises ValueError where the layout has none of this
    digest.
    """
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    index["manifests"] = [one for one in index["manifests"] if one["digest"] == digest][:1]
    if not index["manifests"]:
        raise ValueError(f"{layout} has no image {digest}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(layout / "oci-layout", folder / "oci-layout")
    (folder / "blobs").symlink_to(layout.absolute() / "blobs")
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def live(listed: str) -> str:
    """The digest of the image that is live, of what `sluice images --json` printed. Raises
    ValueError where none is.
    """
    for image in json.loads(listed):
        if any(str(why).startswith("live") for why in image["kept"]):
            return str(image["digest"])
    raise ValueError("no image is live")


def main(words: list[str]) -> int:
    """0 done, 1 there is no such image, 2 usage."""
    if len(words) != 2:
        print("Error: write LAYOUT FOLDER", file=sys.stderr)
        return 2
    try:
        digest = live(sys.stdin.read())
        alone(Path(words[0]), Path(words[1]), digest)
    except (OSError, ValueError, KeyError) as error:
        print(f"Error: the image is not there: {error}", file=sys.stderr)
        return 1
    print(f"{words[1]} has {digest} alone.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
