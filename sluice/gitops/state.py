"""The state files of the manifest repo, `state/<model>/*.json`: one schema each, that reads,
checks and writes them.

Moments are in UTC, to the second, in ISO 8601. A record that was read and is written again keeps
its bytes. A file with a field or of a schema that only a newer version knows is refused: to write
it again would lose what that version recorded.
"""

import json
from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType, inspect

from sluice.errors import SluiceError

SCHEMA = 1
_RESTORE = "Restore it from the history."
_UPDATE = "Use the version of Sluice that wrote it, or restore the file from the history."
_LONGEST = 80  # characters of a wrong value that an error shows
_ONE_OF = {"entries": "entry", "releases": "release", "holdouts": "holdout"}
_WORDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "truth value",
    inspect.ListType: "list",
    inspect.VarTupleType: "list",
    inspect.DictType: "object",
    inspect.StructType: "object",
}
_PLAIN: dict[type[inspect.Type], type] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.BoolType: bool,
}


class Reference(Struct, frozen=True, forbid_unknown_fields=True):
    """A release that another one was compared with: tag and digest of its image, hash of its
    model artifact; `release` is its number, unset where it was recorded without it.
    """

    tag: str
    digest: str
    model: str
    release: int | UnsetType = UNSET

    @property
    def number(self) -> int:
        """The number of the release; 0 where it was recorded without it."""
        return 0 if self.release is UNSET else self.release


class Override(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule that a signed file set aside: `expires` is a date, `commit` the one that is signed,
    `ref` the protected branch that allows the signer, with the commit at its tip.

    All texts are empty where no rule was set aside.
    """

    rule: str = ""
    reason: str = ""
    expires: str = ""
    commit: str = ""
    signer: str = ""
    ref: str = ""


class Standing(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known when it is decided, besides the scores.

    `uses` is how often the holdout decided before, `looks` how often this use of it had looked
    before, set where a use goes on with more labels; `fresh` whether the training rows differ from
    the champion's; `champion_days` the age of the champion in days, as far as it matters;
    `policy_changes` the changed keys of the policy, by what they are compared with.
    """

    uses: int = 0
    fresh: bool = False
    champion_days: int = 0
    override: Override = Override()
    policy_changes: dict[str, list[str]] = {}
    looks: int | UnsetType = UNSET


class Restored(Struct, frozen=True, forbid_unknown_fields=True):
    """How a release became live again: the tag that was left, by whom, when and why."""

    left: str = msgspec.field(name="from")
    who: str
    when: str
    why: str


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """What the analysis of a canary found of a metric, in so many looks: the last value, or the
    sentence of the judge; `phase` is Successful, Failed, Inconclusive or Error.
    """

    metric: str
    phase: str
    value: str
    looks: int


class Canary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the canary of a release ended that runs everywhere: `healthy`, `unproven` or `promoted`
    (by a person), when that was recorded, why, and the figures of its last analysis.
    """

    ended: str
    when: str
    why: str
    measured: tuple[Measured, ...] = ()


class _Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every file that names a release says of it, in this order; recall and precision are
    unset where its policy tells no figure of the holdout. Of a number `skill` stands in their
    place.
    """

    schema: int = SCHEMA
    tag: str
    digest: str
    image: str
    release: int
    model: str
    recall: float | UnsetType = UNSET
    precision: float | UnsetType = UNSET
    skill: float | UnsetType = UNSET


class Champion(_Release, frozen=True, kw_only=True):
    """What is live, and on which evidence: `champion.json`.

    `image` is the name without tag, `data` and `training` are SHA-256 of the file and of the
    training rows, `evidence` is a digest in the registry. `canary` is unset until its canary has
    ended well, and where no cluster was asked.
    """

    data: str = ""
    training: str = ""
    against: Reference | None = None
    anchored: Reference | None = None
    standing: Standing = Standing()
    evidence: str = ""
    promotion: str = ""
    restored: Restored | UnsetType = UNSET
    canary: Canary | UnsetType = UNSET


class Anchor(_Release, frozen=True, kw_only=True):
    """The frozen reference: `anchor.json`; `reason` says why it became that."""

    reason: str = ""


class Lifted(Struct, frozen=True, forbid_unknown_fields=True):
    """Who ended a quarantine, when and why."""

    who: str
    when: str
    why: str


class Barred(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A digest in quarantine, and since when, by whom and why; `lifted` is None while it lasts.

    `tag` is empty and `release` 0 where the image was never released.
    """

    digest: str
    tag: str
    release: int
    who: str
    when: str
    why: str
    lifted: Lifted | None = None


class Quarantine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was ever in quarantine, the oldest first: `quarantine.json`."""

    schema: int = SCHEMA
    entries: tuple[Barred, ...]


class Delayed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A digest that is parked: since when, why, how often it was tried, and when it is `next`."""

    digest: str
    tag: str
    since: str
    why: str
    attempts: int
    next: str


class Parked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The digests that wait, in the order in which they were last tried: `parked.json`."""

    schema: int = SCHEMA
    entries: tuple[Delayed, ...]


NO_QUARANTINE = Quarantine(entries=())
NOTHING_PARKED = Parked(entries=())
Document = TypeVar("Document", bound=Struct)


def encode(record: Struct, indent: int = 2) -> str:
    """The text of a state file: equal records give equal texts."""
    return json.dumps(msgspec.to_builtins(record), indent=indent, sort_keys=True) + "\n"


def schema_of(text: str, path: str) -> int:
    """The schema that a state file names, 1 where it names none that is a number.

    Raises SluiceError where it is not JSON.
    """
    schema = _parsed(text, path).get("schema", SCHEMA)
    return schema if isinstance(schema, int) else SCHEMA


def decode(text: str, kind: type[Document], path: str, *, newest: int = SCHEMA) -> Document:
    """The record that a state file holds; `path` names the file in errors, `newest` is the highest
    schema that `kind` reads.

    Raises SluiceError where it is not JSON, lacks a value, has one of another type, or comes from
    a newer version.
    """
    document = _parsed(text, path)
    schema = document.get("schema", SCHEMA)
    if isinstance(schema, int) and schema > newest:
        raise SluiceError(
            f"the schema of {path} is {schema}; this version of Sluice reads {newest}", _UPDATE
        )
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        fault = next(_faults(document, inspect.type_info(kind), path), None)
        raise fault or SluiceError(f"{path} is not what it should be: {error}", _RESTORE) from None


def _parsed(text: str, path: str) -> dict[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SluiceError(f"{path} is not JSON: {error}", _RESTORE) from None
    if not isinstance(document, dict):
        raise SluiceError(f"{path} holds no JSON object", _RESTORE)
    return document


def _faults(value: object, kind: inspect.Type, where: str) -> Iterator[SluiceError]:
    """What is wrong inside a value of the right type, part by part; `where` says which value."""
    if isinstance(kind, inspect.UnionType):
        for choice in kind.types:
            if _fits(value, choice):
                yield from _faults(value, choice, where)
    elif isinstance(kind, inspect.StructType) and isinstance(value, dict):
        yield from _field_faults(value, kind, where)
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType) and isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _item_faults(item, kind.item_type, str(number), where)
    elif isinstance(kind, inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            yield from _item_faults(item, kind.value_type, str(key), where)


def _field_faults(
    value: dict[str, object], kind: inspect.StructType, where: str
) -> Iterator[SluiceError]:
    fields = {field.encode_name: field for field in kind.fields}
    missing = sorted(name for name, field in fields.items() if field.required and name not in value)
    if missing:
        yield SluiceError(f"{where} lacks {', '.join(missing)}", _RESTORE)
    unknown = sorted(set(value) - set(fields))
    if unknown:
        what = f"{where} has what this version of Sluice does not know: {', '.join(unknown)}"
        yield SluiceError(what, _UPDATE)
    for name in value:
        field = fields.get(name)
        if field is None:
            continue
        if not _fits(value[name], field.type):
            shown = repr(value[name])[:_LONGEST]
            word = _word(field.type)
            what = f"{where} says that {name} is {shown}, which is no {word}"
            yield SluiceError(what, _RESTORE)
        yield from _faults(value[name], field.type, f"{name} of {where}")


def _item_faults(value: object, kind: inspect.Type, name: str, where: str) -> Iterator[SluiceError]:
    """The same for one of many; `entries of <file>` becomes `entry 1 of <file>`."""
    many, _, rest = where.partition(" of ")
    one = f"{_ONE_OF.get(many, many)} {name} of {rest}"
    if not _fits(value, kind):
        yield SluiceError(f"{one} is {repr(value)[:_LONGEST]}, which is no {_word(kind)}", _RESTORE)
    yield from _faults(value, kind, one)


def _fits(value: object, kind: inspect.Type) -> bool:
    """Whether a value is of this type, whatever is inside it."""
    if isinstance(kind, inspect.UnionType):
        return any(_fits(value, choice) for choice in kind.types)
    if isinstance(kind, inspect.StructType | inspect.DictType):
        return isinstance(value, dict)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return isinstance(value, list)
    if isinstance(kind, inspect.NoneType):
        return value is None
    try:
        msgspec.convert(value, _PLAIN.get(type(kind), object))
    except msgspec.ValidationError:
        return False
    return True


def _word(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_word(choice) for choice in kind.types if type(choice) in _WORDS)
    return _WORDS.get(type(kind), "such value")
