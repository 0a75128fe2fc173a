"""The state files: read with the fault named, and written again as they were."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from support.old_state import KEPT

from sluice.errors import SluiceError
from sluice.gate.first_ledger import FirstLedger
from sluice.gate.ledger import Ledger
from sluice.gitops.state import Anchor, Champion, Parked, Quarantine, decode, encode

RELEASE: dict[str, Any] = {
    "schema": 1,
    "tag": "t",
    "digest": "d",
    "image": "i",
    "release": 3,
    "model": "m",
    "recall": 0.75,
    "precision": 0.7,
}
REFERENCE = {"tag": "a", "digest": "b", "model": "c"}
OVERRIDE = {"rule": "r", "reason": "why", "expires": "2099-01-01", "commit": "c", "signer": "s"}
CHAMPION = {
    **RELEASE,
    "data": "aa",
    "training": "bb",
    "against": REFERENCE,
    "anchored": None,
    "standing": {
        "uses": 2,
        "fresh": True,
        "champion_days": 3,
        "override": OVERRIDE,
        "policy_changes": {"in this change set": ["gate.recall_floor 0.1 -> 0.2"]},
    },
    "evidence": "ee",
    "promotion": "pp",
    "restored": {"from": "u", "who": "anna", "when": "2026-11-20", "why": "worse"},
}
BARRED = {
    "digest": "d",
    "tag": "t",
    "release": 1,
    "who": "anna",
    "when": "2026-11-20",
    "why": "wrong",
}
HOLDOUT = {"sketch": [1, 2**64 - 1], "since": [0, 1], "carried": 2, "candidates": ["k"]}
NOTED = {"number": 1, "candidate": "k", "use": 1, "verdict": "HOLD", "outcome": "hold", "data": "f"}


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (Champion, CHAMPION),
        (Champion, {**CHAMPION, "standing": {**CHAMPION["standing"], "override": {}}}),
        (Champion, {name: value for name, value in CHAMPION.items() if name != "restored"}),
        (Anchor, {**RELEASE, "reason": "the first release"}),
        (
            Quarantine,
            {
                "schema": 1,
                "entries": [
                    {**BARRED, "lifted": None},
                    {**BARRED, "lifted": {"who": "ben", "when": "w", "why": "y"}},
                ],
            },
        ),
        (
            Parked,
            {
                "schema": 1,
                "entries": [
                    {
                        "digest": "d",
                        "tag": "t",
                        "since": "s",
                        "why": "w",
                        "attempts": 2,
                        "next": "n",
                    }
                ],
            },
        ),
        (
            FirstLedger,
            {
                "schema": 1,
                "releases": [
                    NOTED,
                    {"number": 2, "candidate": "l", "use": None},
                    {"number": 3, "candidate": "lost"},
                ],
                "holdouts": {"s": HOLDOUT},
            },
        ),
        (
            Ledger,
            {
                "schema": 2,
                "key": "k",
                "releases": [
                    {**NOTED, "before": "", "day": "2026-11-20"},
                    {"number": 2, "candidate": "l", "use": None, "before": "b"},
                ],
                "memory": {
                    "reach": 2**64 - 1,
                    "cohorts": [{"spent": 0.5, "pooled": 0.5, "rows": [1, 2**64 - 1]}],
                },
                "earlier": {"s": 3},
                "seal": "s",
            },
        ),
    ],
)
@pytest.mark.parametrize("indent", [1, 2])
def test_what_was_read_is_written_with_the_same_bytes(
    kind: type[Struct], document: dict[str, Any], indent: int
) -> None:
    text = json.dumps(document, indent=indent, sort_keys=True) + "\n"
    newest = 2 if kind is Ledger else 1
    assert encode(decode(text, kind, "file", newest=newest), indent) == text


@pytest.mark.parametrize("name", ["status", "status-staging"])
def test_a_champion_of_an_older_version_keeps_its_content(name: str) -> None:
    champion = json.loads((KEPT / "expected" / f"{name}.json").read_text())["champion"]
    assert json.loads(encode(decode(json.dumps(champion), Champion, "file"))) == champion


FAULTS = [
    (Champion, {**RELEASE, "release": "3"}, "file says that release is '3', which is no whole"),
    (Champion, {**RELEASE, "recall": None}, "file says that recall is None, which is no number"),
    (Champion, {**RELEASE, "against": 3}, "against is 3, which is no object"),
    (Champion, {**RELEASE, "against": {"tag": "x"}}, "against of file lacks digest, model"),
    (
        Champion,
        {**RELEASE, "standing": {"fresh": 1}},
        "standing of file says that fresh is 1, which is no truth value",
    ),
    (
        Champion,
        {**RELEASE, "standing": {"policy_changes": {"since": [1]}}},
        "policy_changes since 1 of standing of file is 1, which is no text",
    ),
    (Champion, {**RELEASE, "restored": {"from": "u"}}, "restored of file lacks when, who, why"),
    (Anchor, {**RELEASE, "colour": "blue"}, "file has what this version of Sluice does not know"),
    (Quarantine, {}, "file lacks entries"),
    (Quarantine, {"entries": [{}]}, "entry 1 of file lacks digest, release, tag, when, who, why"),
    (
        Quarantine,
        {"entries": [BARRED, {**BARRED, "lifted": {"who": "x"}}]},
        "lifted of entry 2 of file lacks when, why",
    ),
    (Quarantine, {"entries": [{**BARRED, "why": 3}]}, "entry 1 of file says that why is 3"),
    (FirstLedger, {"releases": [{"number": 1}]}, "release 1 of file lacks candidate"),
    (
        FirstLedger,
        {"holdouts": {"s": {**HOLDOUT, "sketch": ["x"]}}},
        "sketch 1 of holdout s of file is 'x', which is no whole number",
    ),
]


@pytest.mark.parametrize(("kind", "document", "said"), FAULTS, ids=[said for *_, said in FAULTS])
def test_a_fault_is_named_with_file_entry_field_and_value(
    kind: type[Struct], document: dict[str, Any], said: str
) -> None:
    with pytest.raises(SluiceError) as raised:
        decode(json.dumps(document), kind, "file")
    assert said in raised.value.what
    assert "history" in raised.value.fix


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(SluiceError, match="schema of file is 2; this version of Sluice reads 1"):
        decode(json.dumps({**RELEASE, "schema": 2, "colour": "blue"}), Champion, "file")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from([(Champion, CHAMPION), (Quarantine, {"entries": [BARRED]})]),
    st.data(),
    JSON,
)
def test_whatever_stands_in_a_field_is_read_or_named(
    pair: tuple[type[Struct], dict[str, Any]], data: st.DataObject, value: object
) -> None:
    kind, document = pair
    field = data.draw(st.sampled_from(sorted(document)))
    try:
        decode(json.dumps({**document, field: value}), kind, "file")
    except SluiceError as error:
        assert "file" in error.what
        assert "is not what it should be" not in error.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "file is not JSON: Expecting value"),
        ("{", "file is not JSON: Expecting property name"),
        ("[" * 100_000, "file is not JSON: "),
        ("[]", "file holds no JSON object"),
        ("null", "file holds no JSON object"),
        ('"champion"', "file holds no JSON object"),
    ],
)
def test_what_is_no_json_object_is_named_and_can_be_restored(text: str, what: str) -> None:
    with pytest.raises(SluiceError) as raised:
        decode(text, Champion, "file")
    assert raised.value.what.startswith(what)
    assert "history" in raised.value.fix
