"""What tells one page of evidence from another: release, day, image and commit."""

from dataclasses import dataclass

# The outcome of a release -> what became of its number.
_STATES = {
    "promoted": "released",
    "nothing to do": "released",
    "proposed": "proposed on a branch, not released yet",
    "parked": "not released yet: the cluster could not take it",
    "no builder": "not released yet: no image was built",
    "held for approval": "not released yet: it waits for approvals",
    "hold": "not released: the champion stays",
    "superseded": "not released: a newer release is live",
    "held": "not released: a person changed the manifest repo",
    "refused": "not released",
    "quarantined": "not released: its image is in quarantine",
}
_NOT_YET = "not released yet"


@dataclass(frozen=True)
class Identity:
    """What a page says in head and foot beside its data.

    `release` is 0 before a number was taken, `day` the date on which that was, in ISO 8601.
    `image` is a name with its digest, `commit` one of the manifest repo; both are empty before they
    are there. `names_it` says that a commit names this page by its hash, so that the page cannot
    name the commit.
    """

    tag: str
    state: str = _NOT_YET
    release: int = 0
    day: str = ""
    image: str = ""
    commit: str = ""
    names_it: bool = False


def before(tag: str) -> Identity:
    """That of a candidate of which only the tag is known."""
    return Identity(tag)


def ended(known: Identity, outcome: str, *, image: str, commit: str) -> Identity:
    """The same after the end of the release, by the word for its outcome."""
    return Identity(
        known.tag, _STATES.get(outcome, _NOT_YET), known.release, known.day, image, commit
    )
