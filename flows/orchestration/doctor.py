"""Whether everything that a release needs is there: each setting and each server, looked at.

No server is written to. A check returns what it saw, or raises what a release would meet.
"""

import datetime
import os
import platform
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from importlib.metadata import distributions
from pathlib import Path

import msgspec
from msgspec import Struct

from flows.adapters import tracking_health
from flows.adapters.git import git
from flows.adapters.image import image_tools
from flows.adapters.process import without_login
from flows.adapters.registry import registry, remote
from flows.gitops import manifest_repo, statement_key
from flows.orchestration import prefect_server
from flows.project import data_source, protected_branch
from flows.project.free_space import free, require_space
from flows.project.models import model_folder, models, project_text
from flows.project.root import ROOT
from flows.project.settings import Settings, unknown
from flows.views.begin.doctor import Finding
from sluice.errors import SluiceError, UsageError, cause
from sluice.policy import load_policy
from sluice.served.contract import load_contract

SKEW = 60  # seconds that a clock may be wrong: a login, a signature and a log are off by as much
_NAMED = 3  # packages that a sentence names
_MODE_OF_OTHERS = 0o077


class Saw(Struct, frozen=True):
    """What a check found to be right; `told` is the time that a server told, as HTTP writes it."""

    sentence: str
    told: str = ""


class _Source(Struct, frozen=True):
    """Where a package comes from; empty for the project itself."""

    registry: str = ""


class _Package(Struct, frozen=True):
    """A package of the lock."""

    name: str
    version: str = ""
    source: _Source = _Source()


class _Lock(Struct, frozen=True):
    """What is read of uv.lock."""

    package: tuple[_Package, ...] = ()


Check = Callable[[], Saw]


def examine(settings: Settings) -> Iterator[Finding]:
    """A finding for each setting and server, in the order in which a release meets them."""
    told: list[tuple[str, str]] = []
    for name, check in checks(settings):
        finding, time = looked_at(name, check)
        told.append((name, time))
        yield finding
    now = datetime.datetime.now(datetime.UTC)
    yield looked_at("clock", lambda: clock(told, now))[0]


def looked_at(name: str, check: Check) -> tuple[Finding, str]:
    """The finding of a check, whatever it raises, and the time that a server told it."""
    try:
        saw = check()
    except SluiceError as error:
        return Finding(name, False, _line(error.what), _line(error.fix)), ""
    except Exception as error:  # noqa: BLE001 - it has an answer for whatever a server does
        return Finding(name, False, _line(cause(error)), "Its log, or `--debug`, says more."), ""
    return Finding(name, True, _line(saw.sentence), ""), saw.told


def _line(text: str) -> str:
    return " ".join(without_login(text).split())


def checks(settings: Settings) -> Iterator[tuple[str, Check]]:
    """Each check with its name; none of them is done yet."""
    yield "settings", lambda: names(os.environ)
    yield "packages", lambda: packages(ROOT / "uv.lock", installed())
    yield "git", _git
    yield "state folder", lambda: state_folder(settings.home)
    for model in models(settings.project):
        yield f"model {model}", lambda model=model: _model(settings, model)  # type: ignore[misc]
    if not models(settings.project):
        yield "models", lambda: _no_model(settings.project)
    yield "protected branch", lambda: _protected(settings)
    yield "commits", lambda: _commits(settings)
    yield "statements", lambda: _statements(settings)
    yield "manifest repo", lambda: _manifests(settings)
    for model in models(settings.project) if settings.registry else []:
        yield f"registry {model}", lambda model=model: _registry(settings, model)  # type: ignore[misc]
    if not settings.registry:
        yield "registry", lambda: Saw("embedded, a folder in the state folder")
    yield "images", lambda: _images(settings)
    yield "Prefect", lambda: _prefect(settings)
    yield "tracking", lambda: _tracking(settings)


def names(set_here: "os._Environ[str] | dict[str, str]") -> Saw:
    """Every variable that looks like a setting is one. Raises UsageError for one that is none."""
    wrong = unknown(set_here)
    if wrong:
        raise UsageError(" ".join(wrong), "Correct its name, or unset it.")
    ours = sorted(name for name in set_here if name.startswith("SLUICE_") and set_here[name])
    return Saw(f"set: {', '.join(ours)}" if ours else "nothing is set: everything is embedded")


def installed() -> dict[str, str]:
    """The name of each package that is installed here, and its version."""
    return {found.name.lower().replace("_", "-"): found.version for found in distributions()}


def packages(lock: Path, here: dict[str, str]) -> Saw:
    """What is installed is what the lock names. Raises UsageError where a version is another."""
    text = project_text(lock, lock.parent)
    try:
        # Its tools write it, and it may be longer than what a person writes.
        document = msgspec.convert(tomllib.loads(text), _Lock)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{lock.name}: {cause(error)}", "Take it from a commit again.") from None
    locked: dict[str, set[str]] = {}
    for package in document.package:
        if package.source.registry:
            locked.setdefault(package.name, set()).add(package.version)
    others = [
        f"{name} is {here[name]}; {' or '.join(sorted(versions))} is required"
        for name, versions in sorted(locked.items())
        if name in here and here[name] not in versions
    ]
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        raise UsageError("; ".join(others[:_NAMED]) + more, "Run `make setup`.")
    present = len(locked.keys() & here.keys())
    return Saw(f"Python {platform.python_version()}, {present} packages as locked")


def _git() -> Saw:
    return Saw(git.git("version").strip())


def state_folder(home: Path) -> Saw:
    """There is room, it may be written to, and nobody else may look into it."""
    require_space(home)
    there = next(place for place in (home, *home.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"{there} may not be written to", "Name another folder in SLUICE_HOME, or change owner."
        )
    if there == home and there.stat().st_mode & _MODE_OF_OTHERS:
        mode = there.stat().st_mode & 0o777
        raise UsageError(
            f"the mode of {home} is {mode:04o}; 0700 is required", f"Run: chmod 700 {home}"
        )
    return Saw(f"{home}, {free(home) / 1e9:.1f} GB free")


def _no_model(project: Path) -> Saw:
    raise UsageError(
        f"{project / 'models'} holds no model", "Add a folder with contract.toml and policy.toml."
    )


def _model(settings: Settings, model: str) -> Saw:
    folder = model_folder(model, settings.project)
    contract = load_contract(project_text(folder / "contract.toml", settings.project))
    load_policy(project_text(folder / "policy.toml", settings.project))
    pointer = data_source.pointer_of(settings, model)
    data_source.require_known(f"data/{model}.toml", pointer)
    if not pointer.sha256:
        raise UsageError(
            f"data/{model}.toml has no sha256", "Put that of the file into the pointer."
        )
    return Saw(f"{len(contract.columns)} columns, data from {pointer.reference}")


def _protected(settings: Settings) -> Saw:
    found = protected_branch.find(settings.project, settings.protected_ref)
    if found is None:
        return Saw("the project is not in git: no override counts")
    if found.unknown:
        return Saw(f"unknown, so no override counts: {found.unknown}")
    return Saw(f"{found.named}" + (f", no override counts: {found.unfit}" if found.unfit else ""))


def _commits(settings: Settings) -> Saw:
    git.require_author(settings.signature)
    how = f"signed ({settings.signing_format})" if settings.signing_key else "not signed"
    return Saw(f"by {settings.author}, {how}")


def _statements(settings: Settings) -> Saw:
    statement_key.require(settings)
    return Saw(settings.statement_key or "signed with a key of this state folder")


def _manifests(settings: Settings) -> Saw:
    if not manifest_repo.there(settings):
        return Saw("embedded, made by the first release")
    with git.clone(settings.remote, settings.branch) as repo:
        named = models(settings.project)
        files = dict.fromkeys(manifest_repo.overlay(settings, repo, model) for model in named)
        git.require_push(repo)
    where = without_login(settings.manifest_url)
    there = f", there: {', '.join(files)}" if files else ""
    return Saw(f"{where}, {settings.branch} may be pushed to{there}")


def _registry(settings: Settings, model: str) -> Saw:
    place = manifest_repo.images(settings, model)
    registry.digest(place, "latest")
    if not isinstance(place, remote.Remote):
        return Saw(f"{place} is a folder")
    return Saw(f"{place} may be read and written", remote.require_writable(place))


def _images(settings: Settings) -> Saw:
    state = settings.home / "containers"
    builder, runner = image_tools.builder(state), image_tools.runner(state)
    if builder is None or runner is None:
        raise UsageError(
            "no podman, buildah or docker works here: a release ends without image and commit",
            "Install podman.",
        )
    return Saw("images can be built and run")


def _prefect(settings: Settings) -> Saw:
    said = prefect_server.set_one(settings.home)
    up = prefect_server.server(settings.home)
    if said is None:
        return Saw(f"`sluice up` answers at {up}" if up else "a release starts its own server")
    return Saw(f"{said.address}, version {said.version}")


def _tracking(settings: Settings) -> Saw:
    uri = settings.tracking
    if not uri:
        return Saw("turned off")
    if not uri.startswith(("http://", "https://")):
        return Saw(uri)
    there, told = tracking_health.look(uri)
    return Saw(f"{without_login(uri)}, version {there}", told)


def clock(told: "list[tuple[str, str]]", now: datetime.datetime) -> Saw:
    """This clock against those of the servers. Raises UsageError where it is off by a minute."""
    servers = []
    for server, text in told:
        with suppress(ValueError, TypeError):
            time = parsedate_to_datetime(text)
            servers.append((server, (now - time.astimezone(datetime.UTC)).total_seconds()))
    for server, ahead in servers:
        if abs(ahead) > SKEW:
            way = "ahead of" if ahead > 0 else "behind"
            raise UsageError(
                f"the clock is {abs(ahead):.0f} s {way} that of {server}; at most {SKEW} s is"
                " required",
                "Let this machine take its time from the network (NTP).",
            )
    if not servers:
        return Saw(f"{now:%Y-%m-%d %H:%M} UTC; no server told another time")
    return Saw(f"{now:%Y-%m-%d %H:%M} UTC, as {', '.join(server for server, _ in servers)} has it")
