"""What git hosts make of a message when they merge a proposal: each style keeps its text."""

import textwrap
from collections.abc import Callable

Style = Callable[[str], str]
_BOT = "Co-authored-by: Bot <bot@example.com>"


def _subject(message: str, before: str = "", after: str = "") -> str:
    subject, _, rest = message.partition("\n")
    return f"{before}{subject}{after}\n{rest}"


def _behind(text: str) -> Style:
    return lambda message: f"{_subject(message, after=' (#7)').rstrip()}\n\n{text}\n"


def _listed(message: str) -> str:
    """Several commits in one, the oldest first, as GitHub lists them."""
    older = "* Draft of it\n\nWhy.\n\nSigned-off-by: Anna <anna@example.com>"
    return (
        f"Release it (#7)\n\n{older}\n\n{_subject(message, '* ').rstrip()}\n\n---------\n\n{_BOT}"
    )


def _described(message: str) -> str:
    """The description of the proposal in the place of the body, as Azure has it."""
    subject, _, rest = message.partition("\n")
    _, _, block = rest.rstrip().rpartition("\n\n")
    table = "## ▲ PROMOTE\n\n| | Rule |\n|---|---|\n| ✓ | Recall: 0.7 |"
    return f"Merged PR 12: {subject}\n\n{table}\n\n{block}\n\nRelated work items: #34, #35"


STYLES: dict[str, Style] = {
    "as it was written": lambda message: message,
    "GitHub, co-authors": _behind(_BOT),
    "GitHub, co-authors below a rule": _behind(f"---------\n\n{_BOT}"),
    "GitHub, several co-authors": _behind(
        f"---------\n\n{_BOT}\nCo-authored-by: B <b@example.com>"
    ),
    "GitHub, a list of commits": _listed,
    "GitHub, signed off": _behind("Signed-off-by: Anna <anna@example.com>"),
    "GitLab, see merge request": _behind("See merge request group/manifests!12"),
    "GitLab, a template": lambda message: (
        f"Merge branch 'release/attrition/1' into 'main'\n\n{message.rstrip()}\n\n"
        f"Approved-by: Anna <anna@example.com>\n{_BOT}\n\nCloses #3\n\nSee merge request g/m!12"
    ),
    "GitLab, reviewers": _behind("Merged-by: Anna\n\nSee merge request group/manifests!12"),
    "Gitea, reviewed": _behind(
        "Reviewed-on: https://git.example.com/team/manifests/pulls/7\nReviewed-by: Anna <a@b>"
    ),
    "Gitea, a rule without a blank line": lambda message: (
        f"{message.rstrip()}\n---------\n\n{_BOT}\nCo-committed-by: Bot <bot@example.com>\n"
    ),
    "Forgejo, reviewed at once": lambda message: (
        f"{message.rstrip()}\nReviewed-on: https://codeberg.org/team/manifests/pulls/7\n"
    ),
    "Azure, a prefix": lambda message: _subject(message, before="Merged PR 12: "),
    "Azure, description and work items": _described,
    "Azure, text of a machine": lambda message: (
        f"Merged PR 12: {message.rstrip()}\n\n#### AI description (iteration 1)\n- Release: new\n"
    ),
    "Bitbucket, approved": lambda message: (
        f"Merged in release/attrition/1 (pull request #7)\n\n{message.rstrip()}\n\nApproved-by: A\n"
    ),
    "lines that end with a carriage return": lambda message: _behind(f"---------\n\n{_BOT}")(
        message
    ).replace("\n", "\r\n"),
    "blanks at the ends of lines": lambda message: _behind(f"---------  \n \n{_BOT}")(
        message
    ).replace("\n", " \n"),
    "picked from another branch": _behind(f"(cherry picked from commit {'a' * 40})"),
    "a template with a kind": _behind("Kind: feature\nRelease-note: none"),
    "a template with an outcome": _behind("Outcome: approved\n\nReviewed-by: Anna <anna@b>"),
    "another image, below": _behind(f"Image: shop:1\nImage-Digest: sha256:{'0' * 64}"),
    "git merge --squash": lambda message: (
        "Squashed commit of the following:\n\ncommit abc\nAuthor: Bot <b@c>\nDate:   Fri\n\n"
        + textwrap.indent(message, "    ")
    ),
    "a fenced block": lambda message: (
        "Merged PR 12: it\n\n"
        + message.rstrip().replace("\n\nModel", "\n\n```\nModel")
        + "\n```\n\nRelated work items: #1"
    ),
    "a command for the pipeline": _behind("[skip ci]"),
    "Gerrit": lambda message: f"{message.rstrip()}\nChange-Id: I{'a' * 40}\nTested-by: CI <a@b>\n",
    "Phabricator": _behind("Reviewers: anna\n\nDifferential Revision: https://p.example/D1"),
    "three blank lines": _behind(f"\n\n{_BOT}"),
}
