"""The words of a contract: neutral where it gives none, strict where it gives some."""

import pytest
from support.gate_cases import SMALL, contract, small

from sluice.errors import UsageError
from sluice.served.contract import Contract, load_contract
from sluice.served.statements import statements
from sluice.served.tiers import Tiers
from sluice.served.words import Statements, Words

TARGET = 'positive_label = "Leaves"'
WORDED = SMALL.replace(TARGET, f'{TARGET}, singular = "loss", plural = "losses"')
TIERED = (
    SMALL
    + """
[[tiers]]
name = "calm"
below = 0.3

[[tiers]]
name = "near"
below = 0.7

[[tiers]]
name = "now"
"""
)


def stated(table: str) -> Contract:
    return load_contract(f"{SMALL}\n[statements]\n{table}\n", "small.toml")


def test_a_contract_without_words_has_neutral_ones() -> None:
    bare = small()
    assert bare.words == Words("positive", "positives")
    assert (bare.row, bare.rows) == ("row", "rows")
    assert bare.tiers == Tiers(("very low", "low", "medium", "high"), (0.25, 0.45, 0.65))
    assert bare.statements == Statements()


def test_a_positive_has_the_name_that_the_contract_gives_it() -> None:
    words = load_contract(WORDED).words
    assert words == Words("loss", "losses")
    assert (words.counted(1), words.counted(1_204)) == ("1 loss", "1,204 losses")
    assert (words.more(1), words.more(0)) == ("1 more loss", "0 more losses")


def test_the_shipped_contract_names_leavers_and_employees() -> None:
    assert contract().words == Words("leaver", "leavers")
    assert (contract().row, contract().rows) == ("employee", "employees")


@pytest.mark.parametrize(
    ("probability", "tier"),
    [(0.0, "calm"), (0.29, "calm"), (0.3, "near"), (0.7, "now"), (1.0, "now")],
)
def test_tiers_have_the_names_and_limits_of_the_contract(probability: float, tier: str) -> None:
    assert load_contract(TIERED).tiers.of(probability) == tier


def test_a_list_of_statements_replaces_the_neutral_one_and_no_other() -> None:
    given = stated('use = ["Calls alone."]\nduties = []')
    assert given.statements == Statements(use=("Calls alone.",), duties=())
    [proxies] = statements(given)["duties"]  # what follows from protected columns stays
    assert proxies.startswith("Not fed to the model: Sex. Other columns can stand in")
    assert statements(given)["use"] == ["Calls alone."]


def test_without_protected_columns_there_is_no_duty_about_them() -> None:
    open_to_all = SMALL.replace('role = "protected"', 'role = "feature"')
    assert statements(load_contract(open_to_all))["duties"] == list(Statements().duties)


# what is wrong: (the contract, words that the error must hold)
DEFECTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a singular alone": (
        SMALL.replace(TARGET, f'{TARGET}, singular = "loss"'),
        ("the target, plural is None", "a text"),
    ),
    "a plural alone": (
        SMALL.replace(TARGET, f'{TARGET}, plural = "losses"'),
        ("the target, singular is None",),
    ),
    "an empty word": (WORDED.replace('"losses"', '" "'), ("the target, plural is ' '",)),
    "a word that is a number": (WORDED.replace('"losses"', "3"), ("the target, plural is 3",)),
    "a word over two lines": (WORDED.replace('"losses"', '"a\\nb"'), ("the target, plural",)),
    "a row that is no text": (f"row = 3\n{SMALL}", ("the top level, row is 3",)),
    "tiers that are no list": (f"tiers = 3\n{SMALL}", ("tiers is 3", "[[tiers]]", "2 to 4")),
    "one tier": (f'{SMALL}\n[[tiers]]\nname = "all"\n', ("tiers is", "2 to 4")),
    "five tiers": (TIERED + '[[tiers]]\nname = "x"\n[[tiers]]\nname = "y"\n', ("2 to 4",)),
    "tiers of texts": (f'tiers = ["a", "b"]\n{SMALL}', ("tier 1", "not a table")),
    "a tier of another key": (
        TIERED.replace("below = 0.3", "above = 0.3"),
        ("tier 1, above is not a known key", "name, below"),
    ),
    "a tier without a name": (TIERED.replace('name = "near"', ""), ("tier 2, name is None",)),
    "a name twice": (TIERED.replace('"near"', '"calm"'), ("tier 2, name 'calm' is taken",)),
    "no limit": (TIERED.replace("below = 0.7", ""), ("tier 2, below is None", "between 0 and 1")),
    "a limit of 1": (TIERED.replace("0.7", "1.0"), ("tier 2, below is 1.0", "between 0 and 1")),
    "a limit that is a text": (TIERED.replace("0.7", '"0.7"'), ("tier 2, below is '0.7'",)),
    "limits that fall": (TIERED.replace("0.7", "0.2"), ("tier 2, below is 0.2", "above 0.3")),
    "a limit of the last": (f"{TIERED}below = 0.9\n", ("tier 3, below is 0.9", "no limit")),
    "statements that are a list": (f"statements = [1]\n{SMALL}", ("statements is [1]",)),
    "unknown statements": (
        f'{SMALL}\n[statements]\nuses = ["x"]\n',
        ("the statements, uses is not a known key", "use, misuse, limits, duties"),
    ),
    "one statement": (
        f'{SMALL}\n[statements]\nuse = "x"\n',
        ("the statements, use is 'x'", "a list of texts"),
    ),
    "an empty statement": (
        f'{SMALL}\n[statements]\nuse = ["x", ""]\n',
        ("the statements, use, entry 2 is ''",),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_error_names_file_place_and_key_and_says_what_to_do(defect: str) -> None:
    text, words = DEFECTS[defect]
    with pytest.raises(UsageError) as caught:
        load_contract(text, "models/small/contract.toml")
    assert caught.value.what.startswith("models/small/contract.toml: ")
    assert caught.value.fix
    assert [word for word in words if word not in str(caught.value)] == []
