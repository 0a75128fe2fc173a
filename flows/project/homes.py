"""Which state folder a command works in.

Generated rows have a folder of their own inside it, `demo/`: manifest repo, registry, ledger, store
and databases of a demo are there, so that the first release of anybody's own data begins anew.
Where the folder or the manifest repo is set, that is obeyed, whatever the rows are.
"""

from contextlib import suppress
from pathlib import Path

from flows.adapters.plain_text import say
from flows.project.data_source import is_generated
from flows.project.settings import Settings, load
from sluice.errors import UsageError

_DEMO = "demo"


def load_for_data(model: str, data: Path | None) -> Settings:
    """The settings of a command that reads a table: of the demo's folder for generated rows.

    `data` is the file that a person named, if any. Raises UsageError as `load` does.
    """
    return for_data(load(), model, data)


def load_for_releases() -> Settings:
    """The settings of a command that asks about releases; a line on standard error says so where
    these are the demo's. Raises UsageError as `load` does.
    """
    own = load()
    given = looked_at(own)
    if given is not own:
        say(of_the_demo(given))
    return given


def for_data(own: Settings, model: str, data: Path | None) -> Settings:
    """The settings for this table: the same, or those of the demo's folder for generated rows."""
    generated = False
    with suppress(UsageError):  # an unknown model, a wrong pointer: told by who reads them
        generated = _is_free(own) and is_generated(own, model, data)
    return _of_demo(own) if generated else own


def looked_at(own: Settings) -> Settings:
    """The settings for releases that are there: the same, or those of the demo's folder where only
    a demo was ever released.
    """
    if _is_free(own) and not _was_used(own.home) and _was_used(own.home / _DEMO):
        return _of_demo(own)
    return own


def looked_at_for(own: Settings, model: str) -> Settings:
    """The same for one model; before anything was released, the settings of its first release."""
    given = looked_at(own)
    if given is own and not _was_used(own.home):
        return for_data(own, model, None)
    return given


def is_demo(settings: Settings) -> bool:
    """Whether the state folder is the one for generated rows."""
    return settings.home == _own(settings) / _DEMO and not settings.manifests


def of_the_demo(settings: Settings) -> str:
    """What a person is told where a command works in the demo's folder."""
    folder, own = shown(settings.home), shown(settings.home.parent)
    return f"Demo of generated rows, in {folder}; your own data go to {own}."


def other(settings: Settings) -> Path | None:
    """The demo's folder beside the own one, or the own one above the demo's, where something was
    released there; None where nothing was, and where the folder is another one.
    """
    if settings.manifests or settings.home not in _both(_own(settings)):
        return None
    [there] = set(_both(_own(settings))) - {settings.home}
    return there if _was_used(there) else None


def both(own: Settings) -> list[Path]:
    """Every state folder that these settings may lead to: what is kept of people may be in each."""
    return _both(own.home) if _is_free(own) else [own.home]


def beside(home: Path, own: Path | None = None) -> Path | None:
    """The demo's folder beside the own one, and the other way round, whether it is there or not;
    None for every other folder. `own` is the default unless it is given.
    """
    folders = _both(own or Path(Settings.model_fields["home"].default))
    return folders[1 - folders.index(home)] if home in folders else None


def shown(folder: Path) -> str:
    """A state folder as a person types it: relative to the working directory where it is below."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _of_demo(own: Settings) -> Settings:
    return own.model_copy(update={"home": own.home / _DEMO})


def _is_free(settings: Settings) -> bool:
    """Whether Sluice chooses the folder: neither it nor the manifest repo is set."""
    return "home" not in settings.model_fields_set and not settings.manifests


def _own(settings: Settings) -> Path:
    """The folder where nobody set another one."""
    return Path(type(settings).model_fields["home"].default)


def _both(own: Path) -> list[Path]:
    return [own, own / _DEMO]


def _was_used(home: Path) -> bool:
    """Whether a release was ever begun in this folder: its manifest repo is there, or how a release
    ended, which also outlives a repo that was lost.
    """
    left = ("manifests.git", "manifests.seeded", "outcomes")
    return any((home / name).exists() for name in left)
