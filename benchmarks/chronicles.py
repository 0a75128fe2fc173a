"""Manifest repos with a history that is made up, written at once: a day each, and what happened on
it.
"""

import datetime
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.project.root import ROOT
from sluice.gitops.trailers import commit_message

OVERLAY = "overlays/production/kustomization.yaml"
_FIRST = datetime.datetime(2026, 9, 1, 3, 0, tzinfo=datetime.UTC)
_WHY = {
    "HOLD": "recall +0.0020 [-0.0090, +0.0110] against the champion: not shown to be better",
    "REJECT": "recall 0.6120 against a floor of 0.72, lower limit 0.6010: 0.1080 more",
    "INSUFFICIENT": "recall +0.0100 [-0.0310, +0.0510], margin 0.01: needs 812 more positives",
}
ANNA, US = "Anna Meyer <anna@example.com>", "Sluice <sluice@localhost>"


def digest(number: int) -> str:
    """The digest of the image of this release."""
    return f"sha256:{(number * 0x9E3779B97F4A7C15) % 2**64:016x}{number:048x}"


def tag(number: int) -> str:
    """Its tag."""
    return digest(number)[7:23]


@dataclass
class Story:
    """A history in the making: what git is to import, the day, and what is live."""

    text: list[bytes] = field(default_factory=list)
    day: int = 0
    released: list[int] = field(default_factory=list)
    number: int = 0
    fast: int = 0  # days that the clock of whoever commits next is fast

    @property
    def live(self) -> int:
        """The number of the release that is live."""
        return self.released[-1]

    def commit(
        self, branch: str, message: str, files: dict[str, str], who: str = US, hour: int = 0
    ) -> None:
        """One commit on a branch."""
        moment = int(
            (_FIRST + datetime.timedelta(days=self.day + self.fast, hours=hour)).timestamp()
        )
        self.text += [
            f"commit refs/heads/{branch}\ncommitter {who} {moment} +0000\n".encode(),
            _data(message),
        ]
        for path, content in files.items():
            self.text += [f"M 100644 inline {path}\n".encode(), _data(content)]

    def overlay(self, number: int) -> dict[str, str]:
        """The overlay that names the image of this release."""
        text = (ROOT / "deploy" / "argocd" / OVERLAY).read_text(encoding="utf-8")
        text = re.sub(r"newTag: .*", f'newTag: "{tag(number)}"', text)
        return {OVERLAY: re.sub(r"digest: .*", f"digest: {digest(number)}", text)}


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%b\n" % (len(content), content)


def _measured(recall: float) -> str:
    return (
        f"recall {recall:.4f} [{recall - 0.011:.4f}, {recall + 0.01:.4f}], precision 0.6900"
        " [0.6800, 0.7000]."
    )


def _release(story: Story, recall: float) -> None:
    story.number += 1
    number = story.number
    story.released.append(number)
    trailers = {
        "Promotion-Id": tag(number),
        "Model": "attrition",
        "Release": str(number),
        "Image": f"sluice.local/attrition:{tag(number)}",
        "Image-Digest": digest(number),
        "Data-Hash": digest(number)[7:],
        "Evidence-Hash": digest(number),
        "Verdict": "PROMOTE",
    }
    body = (
        f"PROMOTE: {_measured(recall)}\nRecall +0.0210 [+0.0080, +0.0340] against the champion,"
        " beyond chance."
    )
    state = {
        "tag": tag(number),
        "digest": digest(number),
        "image": "sluice.local/attrition",
        "release": number,
    }
    files = {**story.overlay(number), "state/attrition/champion.json": json.dumps(state, indent=2)}
    story.commit(
        "main",
        commit_message(f"Release {number} of attrition: {tag(number)}", body, trailers),
        files,
    )


def _verdict(story: Story, verdict: str, recall: float) -> None:
    story.number += 1
    outcome = "hold" if verdict == "HOLD" else "refused"
    trailers = {
        "Model": "attrition",
        "Release": str(story.number),
        "Candidate": tag(story.number),
        "Verdict": verdict,
        "Outcome": outcome,
        "Data-Hash": digest(story.number)[7:],
    }
    body = f"{verdict}: {_measured(recall)}\n{_WHY[verdict]}."
    message = commit_message(f"Release {story.number} of attrition: {outcome}", body, trailers)
    story.commit("sluice-ledger", message, {"attrition.json": str(story.number)})


def _rollback(story: Story) -> None:
    bad = story.released.pop()
    trailers = {
        "Model": "attrition",
        "Release": str(story.live),
        "Image": f"sluice.local/attrition:{tag(story.live)}",
        "Image-Digest": digest(story.live),
        "Rollback-Of": digest(bad),
        "Quarantined": digest(bad),
        "By": ANNA,
        "Reason": "it flags four in five of the night shift",
    }
    message = commit_message(
        f"Roll attrition back to release {story.live}", "It flags too many.", trailers
    )
    files = {
        **story.overlay(story.live),
        "state/attrition/quarantine.json": f'{{"x": "{digest(bad)}"}}',
    }
    story.commit("main", message, files, hour=6)


def _lift(story: Story) -> None:
    trailers = {
        "Model": "attrition",
        "Image-Digest": digest(5),
        "Lifted": digest(5),
        "By": ANNA,
        "Reason": "the night shift was coded wrongly, and is not any more",
    }
    message = commit_message("Lift the quarantine", "Mended.", trailers)
    story.commit("main", message, {"state/attrition/quarantine.json": "{}"}, hour=7)


def _quarantine(story: Story) -> None:
    trailers = {
        "Model": "attrition",
        "Image-Digest": digest(story.live),
        "Quarantined": digest(story.live),
        "By": ANNA,
        "Reason": "trained on the wrong quarter",
    }
    message = commit_message("Quarantine it", "Wrong data.", trailers)
    story.commit(
        "main",
        message,
        {"state/attrition/quarantine.json": f'{{"y": "{digest(story.live)}"}}'},
        hour=8,
    )


def _edit(story: Story) -> None:
    files = story.overlay(story.live)
    files[OVERLAY] += f"# {story.day}\n"
    story.commit("main", "Six replicas for the end of the year\n", files, ANNA, hour=9)


def _by_hand(story: Story) -> None:
    story.released.pop()
    story.commit("main", "Back to what worked, by hand\n", story.overlay(story.live), ANNA, hour=10)


def _fast(story: Story) -> None:
    story.fast = 2


def _slow(story: Story) -> None:
    story.fast = -2


def _right(story: Story) -> None:
    story.fast = 0


def _reserved(story: Story) -> None:
    story.number += 1
    said = f"Reserve release {story.number} of attrition\n\nCandidate x, use 1 of its holdout.\n"
    story.commit("sluice-ledger", said, {"attrition.json": str(story.number)})


def write(bare: Path, happened: Sequence[str | tuple[str, float]]) -> Story:
    """Make a bare repository in which all this happened, a day each; what came of it.

    A name of what happened, with the recall where a candidate was measured: ("release", 0.74),
    ("HOLD", 0.75), ...
    """
    story, plain = (
        Story(),
        {
            "rollback": _rollback,
            "lift": _lift,
            "quarantine": _quarantine,
            "edit": _edit,
            "by hand": _by_hand,
            "reserved": _reserved,
            "fast clock": _fast,
            "slow clock": _slow,
            "right clock": _right,
        },
    )
    story.commit(
        "main",
        "Start from the template\n\nWhat Argo CD applies before the first release.\n",
        story.overlay(0),
    )
    for what in happened:
        story.day += 1
        if isinstance(what, str):
            plain[what](story)
        elif what[0] == "release":
            _release(story, what[1])
        else:
            _verdict(story, *what)
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare)], check=True
    )
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=bare, input=b"".join(story.text), check=True
    )
    return story


AUTUMN: tuple[str | tuple[str, float], ...] = (
    ("release", 0.7416),
    ("HOLD", 0.7402),
    ("HOLD", 0.7441),
    ("REJECT", 0.612),
    ("release", 0.7633),
    "rollback",
    ("INSUFFICIENT", 0.731),
    ("HOLD", 0.7389),
    "lift",
    "edit",
    ("release", 0.7589),
    ("HOLD", 0.7601),
    "reserved",
    ("HOLD", 0.7577),
    ("release", 0.7712),
    ("REJECT", 0.698),
    "by hand",
    "quarantine",
    ("HOLD", 0.765),
    ("release", 0.7741),
    ("HOLD", 0.7733),
)
