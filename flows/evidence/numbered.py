"""What the pages of a release say of it, from the ledger and the manifest repo."""

from flows.engine.phases import Report
from flows.evidence.identity import Identity
from flows.gitops import events


def numbered(report: Report, number: int) -> Identity:
    """That of a candidate which has taken a number, and was judged."""
    day = events.taken_on(report.request.settings, report.request.model, number)
    return Identity(report.candidate.tag, release=number, day=day)


def beside_image(report: Report, image: str, digest: str, number: int) -> Identity:
    """That of the page which lies beside an image in the registry, and which the commit names.

    It is the same whenever it is made, so that evidence that was lost is written again with the
    same digest: an image that is live keeps the number of its release.
    """
    champion = report.request.champion
    if champion and (champion.tag, champion.digest) == (report.candidate.tag, digest):
        number = champion.release
    known = numbered(report, number)
    return Identity(
        known.tag, "released", number, known.day, f"{image}@{digest}", "", names_it=True
    )
