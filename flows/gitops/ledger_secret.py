"""The secret of a ledger, and the marks of its releases: both beside the images in the registry,
never in git.

The secret is made at the first use. It is kept under its own name, which depends on it alone, and
the first entry of the ledger says whose name counts: of two that begin at once, the
compare-and-swap of git decides, and the other one takes the secret of the winner.

A mark says which hash a release had in the ledger. Whoever can push to the ledger branch, and has
no rights in the registry, cannot take a release out without its mark.
"""

import secrets

from flows.adapters.registry import beside_images
from flows.adapters.registry.registry import Place
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.errors import SluiceError
from sluice.gate.ledger import SECRET, Ledger, head, link, name_of

_SECRET, _MARK = "key.", "release."


def secret(settings: Settings, model: str, name: str, file: str) -> bytes:
    """The secret with this name, from the registry; `file` is the ledger that names it.

    One that lies on this machine is brought to the registry. Raises SluiceError where there is
    none, or where it is another one.
    """
    place = manifest_repo.images(settings, model)
    shelf = _SECRET + name
    found = beside_images.find(place, shelf)
    if found is None:
        found = beside_images.find(_here(settings, model), shelf)
        if found is None or name_of(found) != name:
            raise _missing(settings, model, name, file)
        beside_images.keep(place, shelf, found)
    if name_of(found) != name:
        raise SluiceError(
            f"ledger.{shelf} of {place} holds another secret than its name says",
            f"Restore it from a copy of the registry: {file} was written with it.",
        )
    return found


def first(settings: Settings, model: str) -> bytes:
    """A secret for a ledger that has none: the one that an unfinished start left, or a new one."""
    place = manifest_repo.images(settings, model)
    for name in beside_images.names(place):
        # Of one that somebody else is about to write there may be the name and nothing else yet.
        if name.startswith(_SECRET) and beside_images.find(place, name) is not None:
            return secret(settings, model, name.removeprefix(_SECRET), "no ledger")
    made = secrets.token_bytes(SECRET)
    beside_images.keep(place, _SECRET + name_of(made), made)
    return made


def throwaway() -> bytes:
    """A secret for a look at a ledger that has none: nothing is written with it."""
    return secrets.token_bytes(SECRET)


def mark(settings: Settings, model: str, ledger: Ledger) -> None:
    """Keep the hash of the newest release beside the images.

    Raises TagTaken where another release had this number.
    """
    place = manifest_repo.images(settings, model)
    beside_images.keep(place, f"{_MARK}{ledger.newest}", head(ledger).encode())


def newest_mark(settings: Settings, model: str) -> int:
    """The number of the newest release that has a mark; 0 where none has."""
    place = manifest_repo.images(settings, model)
    numbers = [
        int(name.removeprefix(_MARK))
        for name in beside_images.names(place)
        if name.startswith(_MARK) and name.removeprefix(_MARK).isdigit()
    ]
    return max(numbers, default=0)


def lost(settings: Settings, model: str, ledger: Ledger) -> str:
    """What the marks say that the ledger does not, as the end of a sentence; empty where it holds
    all that was marked.

    Of a sealed ledger two marks are looked at: that of its newest release, and the next one.
    """
    if not ledger.key:
        newest = newest_mark(settings, model)
        return f"release {newest} was reserved in it" if newest else ""
    place = manifest_repo.images(settings, model)
    number = ledger.newest
    if beside_images.find(place, f"{_MARK}{number + 1}") is not None:
        return f"release {number + 1} was reserved in it, and it ends with release {number}"
    marked = beside_images.find(place, f"{_MARK}{number}")
    if marked not in (None, link(ledger.releases[-1]).encode()):
        return f"its release {number} is not the one that was reserved"
    return ""


def _here(settings: Settings, model: str) -> Place:
    """The embedded place of a model, where its secret may lie although a registry is used."""
    return manifest_repo.images(settings.model_copy(update={"registry": ""}), model)


def _missing(settings: Settings, model: str, name: str, file: str) -> SluiceError:
    place = manifest_repo.images(settings, model)
    tag = f"{beside_images.PREFIX}{_SECRET}{name}"
    local = settings.home / "ledger" / model / f"{_SECRET}{name}"
    return SluiceError(
        f"{file} was written with the secret {name}, and {place} does not have it",
        f"Set SLUICE_REGISTRY to the registry that has it, or copy the tag {tag} from there; or"
        f" bring its bytes to {local}, from where the next release takes them. No ledger is begun"
        " anew without it.",
    )
