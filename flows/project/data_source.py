"""Which data a release is made from: a file that is named, or the pointer `data/<model>.toml`.

The bytes are kept under their SHA-256 on this machine, so that a model can be trained again from
the same data later.
"""

import importlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from flows.adapters import download, dvc, object_store
from flows.adapters.failpoints import boundary
from flows.adapters.files import read_stable, write_atomic
from flows.adapters.plain_text import say
from flows.adapters.process import without_login
from flows.project.free_space import require_space
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.identity import file_sha256, sha256
from sluice.toml_text import read_toml

_REMOTE = ("https", *object_store.STORES)
_KINDS = ("sample", "file", "dvc", *_REMOTE)
_HASH = re.compile(r"[0-9a-f]{64}")


class Pointer(Struct, frozen=True, forbid_unknown_fields=True):
    """`data/<model>.toml`: where the data of a model come from, and the SHA-256 of their bytes.

    `reference` is `sample:<module>`, `sample:<path of a sample.toml>`, `file:<path>`, an address
    (https, s3, gs, az), or `dvc:<path>` of a file that DVC wrote; `rows` is how many rows the
    sample of a module has. It has nothing else: a pointer is committed, and a login would be too.
    """

    reference: str = ""
    sha256: str = ""
    rows: object = None

    @property
    def kind(self) -> str:
        """`sample`, `file`, `dvc` or the scheme of an address, where it is right."""
        return self.reference.partition(":")[0]

    @property
    def remote(self) -> bool:
        """Whether it names an address."""
        return self.kind in _REMOTE

    @property
    def generated(self) -> bool:
        """Whether it names rows that a program made."""
        return generated(self.reference)

    @property
    def target(self) -> str:
        """The module or the path."""
        return self.reference.partition(":")[2]


@dataclass(frozen=True)
class Data:
    """The data of a release: how they were named, where their bytes lie, and their SHA-256."""

    reference: str
    path: Path
    sha256: str


def generated(reference: str) -> bool:
    """Whether a reference names rows that a program made, and nobody's data."""
    return reference.startswith("sample:")


def describes_sample(path: Path) -> bool:
    """Whether a file that a person named says how rows are generated, and is no table."""
    return path.suffix == ".toml"


def is_generated(settings: Settings, model: str, path: Path | None) -> bool:
    """Whether a release of this file, or of what the pointer names, is one of generated rows.

    A file is that where it says how rows are generated, or has the bytes of the sample that the
    pointer names. Raises UsageError where the model is unknown or the pointer is wrong.
    """
    model_folder(model, settings.project)
    if path is not None and describes_sample(path):
        return True
    pointer = _read_pointer(settings, f"data/{model}.toml")
    if path is None or not pointer.generated:
        return path is None and pointer.generated
    return path.is_file() and file_sha256(path) == pointer.sha256


def name_of(settings: Settings, model: str, path: Path | None) -> str:
    """How the data of a release are called, before any byte of them is read.

    `path` is the file that a person named, if any. Raises UsageError where the model is unknown or
    the pointer is wrong.
    """
    model_folder(model, settings.project)
    if path:
        return path.name
    return _read_pointer(settings, f"data/{model}.toml").reference


def from_file(settings: Settings, path: Path) -> Data:
    """The data of a file that a person named, or the rows that it says how to generate.

    Raises UsageError where it cannot be read.
    """
    sample = describes_sample(path)
    content = from_shares(path, str(path)) if sample else read_stable(path)
    digest = sha256(content)
    return Data(_shown(settings, path, sample), keep(settings, digest, content), digest)


def _shown(settings: Settings, path: Path, sample: bool) -> str:
    """How a file that a person named is called in what is kept of a release."""
    if not sample:
        return path.name
    place = path.resolve()
    inside = place.is_relative_to(settings.project.resolve())
    return f"sample:{place.relative_to(settings.project.resolve()) if inside else path.name}"


def from_pointer(settings: Settings, model: str) -> Data:
    """The data that `data/<model>.toml` points to, checked against the SHA-256 in it.

    Raises UsageError where the pointer is wrong or the data are others.
    """
    name = f"data/{model}.toml"
    pointer = _read_pointer(settings, name)
    wanted = pointer.sha256
    kept = settings.home / "data" / wanted
    if wanted and kept.is_file() and file_sha256(kept) == wanted:
        _warn_of_others(settings, name, pointer)
        return Data(pointer.reference, kept, wanted)
    content = _content(settings, name, pointer)
    if sha256(content) != wanted:
        raise UsageError(
            f"{name}: the data hash to {sha256(content)}; {wanted} is required",
            "Put the new hash into the pointer if the change is meant: new data are released so.",
        )
    return Data(pointer.reference, keep(settings, wanted, content), wanted)


def _warn_of_others(settings: Settings, name: str, pointer: Pointer) -> None:
    """Say where the file that a pointer names holds other bytes by now than those that are kept and
    used. No refusal: an old release is trained again from what is kept.
    """
    if pointer.kind == "dvc":
        _warn_of_others_in_dvc(settings, name, pointer)
    file = settings.project / pointer.target
    if pointer.kind != "file" or not file.is_file():
        return
    with suppress(OSError):
        now = file_sha256(file)
        if now != pointer.sha256:
            say(
                f"Warning: {pointer.target} holds other bytes than {name} names; the kept ones are"
                f' used. For the new ones write sha256 = "{now}" there.'
            )


def _warn_of_others_in_dvc(settings: Settings, name: str, pointer: Pointer) -> None:
    with suppress(OSError, UsageError):
        tracked = dvc.read(settings.project, pointer.target)
        kept = (settings.home / "data" / pointer.sha256).read_bytes()
        if dvc.md5(kept) != tracked.md5:
            say(
                f"Warning: {pointer.target} names other bytes than {name}; the kept ones are used."
                f" For the new ones run `sluice data add {pointer.target}`."
            )


def read_pointer(text: str, name: str) -> Pointer:
    """The pointer in a text; `name` is that of its file. Raises UsageError for what is wrong."""
    try:
        return msgspec.convert(read_toml(text, name), Pointer)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {error}", "Write the value that is expected there.") from None


def pointer_of(settings: Settings, model: str) -> Pointer:
    """The pointer of a model. Raises UsageError where it is missing or wrong."""
    return _read_pointer(settings, f"data/{model}.toml")


def _read_pointer(settings: Settings, name: str) -> Pointer:
    pointer = read_pointer(project_text(settings.project / name, settings.project), name)
    if pointer.remote:  # before anything shows it: it may hold a login
        require_named(settings, pointer.reference)
    return pointer


def require_known(name: str, pointer: Pointer) -> None:
    """Raise UsageError for a pointer of a kind that nothing here reads."""
    if pointer.kind in _KINDS:
        return
    raise UsageError(
        f"{name}: reference is {without_login(pointer.reference[:200])!r}",
        "Write `sample:` and a module or a sample.toml, `file:<path>`, `dvc:<path>.dvc` or an"
        " address (https, s3, gs, az).",
    )


def _content(settings: Settings, name: str, pointer: Pointer) -> bytes:
    require_known(name, pointer)
    kind, target = pointer.kind, pointer.target
    if kind == "sample" and describes_sample(Path(target)):
        return from_shares(settings.project / target, target)
    if kind == "sample":
        return _sample(name, target, pointer.rows)
    if kind == "file":
        return _file(settings, name, target)
    if kind == "dvc":
        return tracked(settings, target)[1]
    if not _HASH.fullmatch(pointer.sha256):
        raise UsageError(
            f"{name}: sha256 is {pointer.sha256[:80]!r}; 64 hexadecimal digits are required",
            f"Write it with `sluice data add {pointer.reference}`.",
        )
    return brought(settings, pointer.reference)


def require_named(settings: Settings, reference: str) -> None:
    """Raise UsageError for an address that a pointer may not name: a wrong one, one with a login,
    one at a place that SLUICE_DATA_FROM does not list.
    """
    if reference.partition("://")[0] in object_store.STORES:
        object_store.require_object(reference)
    else:
        download.require_address(reference)
    require_allowed(settings, reference)


def require_allowed(settings: Settings, address: str) -> None:
    """Raise UsageError for an address at a place that SLUICE_DATA_FROM does not list."""
    allowed = settings.data_from.lower().split()
    place = "/".join(address.split("/")[:3]).lower()
    if allowed and place not in allowed:
        raise UsageError(
            f"data come from {without_login(place)}; one of {', '.join(allowed)} is required",
            "Add it to SLUICE_DATA_FROM where it is meant.",
        )


def brought(settings: Settings, address: str) -> bytes:
    """The bytes at an address; what was cut off goes on.

    Raises as `require_named`, `download.fetch` and `object_store.fetch`.
    """
    require_named(settings, address)
    part = download.place(settings.home / "data", address)
    progress = download.told(say)
    if address.startswith("https:"):
        download.fetch(address, part, settings.data_limit, progress)
    else:
        reach = object_store.Reach(settings.s3_endpoint, settings.ca)
        object_store.fetch(address, part, settings.data_limit, reach, progress)
    try:
        return part.read_bytes()
    finally:
        download.forget(part)


def tracked(settings: Settings, name: str) -> tuple[dvc.Tracked, bytes]:
    """What a `.dvc` file of the project names, and its bytes. Raises as `dvc.read` and
    `dvc.content`, and UsageError for a remote that SLUICE_DATA_FROM does not list.
    """
    found = dvc.read(settings.project, name)
    if settings.data_from and not (settings.project / found.path).is_file():
        for remote in dvc.remotes(settings.project):
            if "://" in remote:
                require_allowed(settings, remote)
    return found, dvc.content(settings.project, found, settings.data_limit)


def _file(settings: Settings, name: str, target: str) -> bytes:
    """The bytes of a file of the project. Raises UsageError where there is none, with what can be
    done without it.
    """
    path = (settings.project / target).resolve()
    sample = f"models/{Path(name).stem}/sample.toml"
    if path.exists() or not (settings.project / sample).is_file():
        return read_stable(path)
    raise UsageError(
        f"{name} names {target}, and there is no such file",
        f"Put it there, name another one with --data, or try generated rows: --data {sample}",
    )


def from_shares(path: Path, name: str) -> bytes:
    """The rows that a `sample.toml` describes, as CSV; the contract lies beside it. `name` is what
    errors call it.

    Raises UsageError where there is no contract beside it, and for what is wrong in either.
    """
    from sluice.draft.generated import generate
    from sluice.draft.sample_file import read_sample
    from sluice.served.contract import load_contract

    beside = path.with_name("contract.toml")
    if path.is_file() and not beside.is_file():
        what = f"{name} has no contract.toml beside it; a file of generated rows needs one"
        raise UsageError(what, "Name the sample.toml below models/, or a table.")
    texts = []
    for file in (path, beside):
        try:
            texts.append(read_stable(file).decode())
        except UnicodeDecodeError:
            raise UsageError(f"{file} is no UTF-8", "Save it as UTF-8.") from None
    contract = load_contract(texts[1], str(beside))
    return generate(read_sample(texts[0], name, contract), contract)


def _sample(name: str, module_name: str, rows: object) -> bytes:
    """The table that a generator in this project makes."""
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
        raise UsageError(
            f"{name}: rows is {rows!r}", "Write how many rows the sample has, as a whole number."
        )
    try:
        module = importlib.import_module(module_name)
        content: bytes = module.to_csv(module.generate(rows))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{name}: {module_name!r} generates no sample: {error}", "Write `sample:<module>`."
        ) from None
    return content


@boundary("data.keep")
def keep(settings: Settings, digest: str, content: bytes) -> Path:
    """Keep the bytes under their hash on this machine. Raises SluiceError where there is no room:
    they are the first that a release writes.
    """
    kept = settings.home / "data" / digest
    if not kept.is_file() or kept.stat().st_size != len(content):
        require_space(settings.home)
        write_atomic(kept, content)
        kept.chmod(0o600)
    return kept
