"""The keys of a job that a program reads from a file, out of the variables that hold them.

    python3 -m scripts.key_files

A runner has secrets as text. ssh and the client of Kubernetes want files: each variable of KEYS
that is set is written below KEYS_FOLDER, for this user alone. Nothing of it is printed. The
standard library alone, so that nothing is installed for it.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# The variable, and the file that it becomes.
KEYS = {
    "DEPLOY_KEY": "git_key",
    "KNOWN_HOSTS": "known_hosts",
    "CLUSTER_CONFIG": "kubeconfig",
}


def write(environment: Mapping[str, str], folder: Path) -> list[str]:
    """Write what is set; the names of the files. ssh takes a key only with a line end at its end,
    which a form on a page cuts off.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    written = []
    for variable, name in KEYS.items():
        text = environment.get(variable, "").replace("\r\n", "\n").strip()
        if not text:
            continue
        file = folder / name
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(text + "\n", encoding="utf-8")
        written.append(name)
    return written


def main(environment: Mapping[str, str]) -> int:
    """What the workflow calls; 2 where it is not said where to."""
    folder = environment.get("KEYS_FOLDER", "")
    if not folder:
        print("Error: KEYS_FOLDER is not set. Write the folder for the keys.", file=sys.stderr)
        return 2
    written = write(environment, Path(folder))
    print(f"Written: {', '.join(written)}." if written else "No key is set: nothing is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
