"""A draft for a target of several classes."""

from dataclasses import replace

import pytest
from support import parcels, strange_tables

from flows.project.models import model_folder
from flows.project.root import ROOT
from sluice.class_policy import require_kind
from sluice.draft.classes import ClassLimits, policy_text
from sluice.draft.drafting import Draft, at_share, draft
from sluice.draft.generated import generate
from sluice.draft.proposals import Choices
from sluice.draft.sample_file import read_sample
from sluice.errors import Refused, UsageError
from sluice.model.data.table import read_table, typed
from sluice.model.fit.adaptive_search import most_fits, searched
from sluice.model.fit.coding import coding_of
from sluice.model.fit.conversion import check_agreement, convert
from sluice.model.fit.training import Rows, fit_rows
from sluice.policy import ADAPTIVE, FAMILIES, load_policy
from sluice.served.contract import load_contract
from sluice.served.encoding import encode, numeric_features


@pytest.fixture(scope="module")
def drafted() -> Draft:
    return draft(parcels.to_csv(2_000), "parcels.csv", "parcels", Choices())


def test_the_target_is_found_by_its_name_and_its_values_are_the_classes(drafted: Draft) -> None:
    contract = load_contract(drafted.contract)
    assert contract.role("target")[0].name == "Outcome"
    assert sorted(contract.target.classes) == sorted(parcels.CLASSES)
    assert contract.target.words.counted(2) == "2 rows"
    assert "[[tiers]]" not in drafted.contract


def test_the_policy_is_one_of_these_classes_with_floors_that_its_model_reaches(
    drafted: Draft,
) -> None:
    policy, limits = load_policy(drafted.policy), drafted.limits
    assert isinstance(limits, ClassLimits)
    require_kind(load_contract(drafted.contract).target.classes, policy.classes, "policy.toml")
    assert policy.classes is not None
    assert 1 / 3 < policy.gate.recall_floor < limits.recall
    reached = {one.name: one.recall for one in limits.classes}
    assert {floor.name for floor in policy.classes.floors} <= set(reached)
    assert all(floor.recall < reached[floor.name] for floor in policy.classes.floors)
    assert policy.gate.one_column_ceiling < 1
    assert not policy.reviewed


def test_how_surely_more_than_its_best_column_is_found_is_tried_out(drafted: Draft) -> None:
    assert isinstance(drafted.limits, ClassLimits)
    found = drafted.limits.beyond
    assert found is not None
    assert found.column in {column.name for column in drafted.roles.role("feature")}
    assert 0 <= found.shown <= 1


def test_the_search_is_that_of_one_class(drafted: Draft) -> None:
    search = load_policy(drafted.policy).search
    assert (search.method, search.families) == (ADAPTIVE, FAMILIES)
    large = limits_of_any_size(drafted, 60_000)
    assert load_policy(policy_text("parcels", large)).search.families == FAMILIES[:2]


def limits_of_any_size(drafted: Draft, rows: int) -> ClassLimits:
    assert isinstance(drafted.limits, ClassLimits)
    return replace(drafted.limits, minimum_rows=rows // 2)


@pytest.fixture(scope="module")
def pumps() -> Rows:
    """The generated rows of a model that ships, of which a third is enough."""
    folder = model_folder("pumps", ROOT)
    contract = load_contract((folder / "contract.toml").read_text(encoding="utf-8"))
    sample = (folder / "sample.toml").read_text(encoding="utf-8")
    made = read_sample(sample.replace("rows = 7000", "rows = 2400"), "sample.toml", contract)
    columns = typed(read_table(generate(made, contract), contract, "sample"), contract)
    features, labels = encode(contract, columns), columns[contract.target.column]
    return Rows(features, labels, numeric_features(contract), coding_of(contract))


def test_such_a_search_tries_each_family_on_the_rows_of_a_model_that_ships(
    drafted: Draft, pumps: Rows
) -> None:
    """Each ends as a graph that answers as it does; folds tell the winner from a lot."""
    search = replace(load_policy(drafted.policy).search, trials=4, folds=3)
    found = searched(pumps, search, lambda _: None, 2)
    assert {trial.family for trial in found.trials} == set(FAMILIES)
    assert found.fits <= most_fits(search)
    assert found.winner.roc_auc[0] > 0.7
    for trial in {one.family: one for one in found.trials}.values():
        model = fit_rows(trial.family, trial.parameters, pumps)
        graph = convert(model, pumps.features.shape[1])
        check_agreement(model, graph, pumps.features)


def test_generated_rows_have_the_classes_of_the_table_as_often(drafted: Draft) -> None:
    contract = load_contract(drafted.contract)
    sample = read_sample(drafted.sample, "sample.toml", contract)
    rows = generate(sample, contract)
    assert rows == generate(sample, contract)
    found = typed(read_table(rows, contract, "sample"), contract)
    real = typed(read_table(parcels.to_csv(2_000), contract, "parcels.csv"), contract)
    for place, name in enumerate(contract.target.classes):
        own = [columns["outcome"] == place for columns in (found, real)]
        assert own[0].mean() == pytest.approx(own[1].mean(), abs=0.05), name
        fragile = [
            float((columns["fragile"][of] == "yes").mean())
            for columns, of in zip((found, real), own, strict=True)
        ]
        assert fragile[0] == pytest.approx(fragile[1], abs=0.12), name
        for gone in ("negative", "positive"):
            assert f"{gone} =" not in drafted.sample


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"late" = ', '"early" = ', "its classes are on time, early, damaged"),
        ('[columns."Fragile"]', '[columns."Fragile"]\npositive = [5, 5]', "beside classes"),
        ('[columns."Fragile"]', '[columns."Fragile"]\nmissing = [5, 5]', "3 are required"),
    ],
)
def test_a_sample_of_other_classes_is_refused(
    drafted: Draft, old: str, new: str, said: str
) -> None:
    contract = load_contract(drafted.contract)
    with pytest.raises(UsageError, match=said):
        read_sample(drafted.sample.replace(old, new, 1), "sample.toml", contract)


def test_a_column_that_tells_one_class_from_the_rest_is_a_leak() -> None:
    head, *lines = parcels.to_csv(1_000).decode().splitlines()
    claimed = [f"{line},{'paid' if line.endswith('damaged') else 'none'}" for line in lines]
    table = "\n".join([f"{head},Claim", *claimed]).encode()
    found = draft(table, "parcels.csv", "parcels", Choices(target="Outcome"))
    assert [look.name for look in found.looks if look.leak] == ["Claim"]
    [column] = [one for one in found.roles.columns if one.name == "Claim"]
    assert column.role == "ignored"
    assert "damaged" in column.why


def test_labels_that_nothing_goes_with_get_no_floor() -> None:
    found = draft(strange_tables.three_classes(), "orders.csv", "orders", Choices())
    assert isinstance(found.limits, ClassLimits)
    assert load_policy(found.policy).classes is not None


@pytest.mark.parametrize(
    "choices", [Choices(positive="late"), Choices(point=0.1), Choices(costs="5:1")]
)
def test_a_choice_of_one_positive_class_is_refused(choices: Choices) -> None:
    with pytest.raises(UsageError, match="3 classes"):
        draft(parcels.to_csv(600), "parcels.csv", "parcels", choices)


def test_no_share_is_flagged_of_classes(drafted: Draft) -> None:
    with pytest.raises(UsageError, match="no positive class"):
        at_share(drafted, "parcels", 0.1, lambda *_: None)


def test_a_class_of_a_few_rows_is_named() -> None:
    table = parcels.to_csv(900).decode().replace(",late\n", ",lost\n", 3).encode()
    with pytest.raises(Refused, match="40 rows of each: lost has 3"):
        draft(table, "parcels.csv", "parcels", Choices(target="Outcome"))
