"""The column that names the model of a fleet, and what a fleet asks of contract and policy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import tomli_w

from sluice.errors import Refused, UsageError
from sluice.policy import Policy
from sluice.served.contract import KEY, Column, Contract, load_contract
from sluice.toml_text import read_toml

_PLAIN = "Release it without --each."


def require_fleet(contract: Contract, policy: Policy, name: str) -> Column:
    """The column that names the models. Raises UsageError where it can name none, or where the
    contract or the policy asks for what a fleet does not do.
    """
    column = contract.find(name)
    named = next((one for one in contract.features if one.name == name or one.key == name), None)
    if named is None:
        known = [one.name for one in contract.features if one.kind == "category"]
        role = f"has the role {column.role}" if column is not None else "is no column"
        raise UsageError(
            f"--each {name!r} {role} of the contract; a feature is required",
            f"Categories that are features: {', '.join(known) or 'none'}.",
        )
    if named.kind != "category" or named.kept or named.other:
        raise UsageError(
            f"--each {name!r} is of kind {named.kind}"
            + (", and a value may be missing or any text" if named.kind == "category" else "")
            + "; a category whose values are all listed is required",
            "List its values, and refuse or fill what is missing.",
        )
    _require_plain(contract, policy)
    return named


def _require_plain(contract: Contract, policy: Policy) -> None:
    """Raises UsageError for the first thing that only a single model can do."""
    faults = {
        "the target has several classes": contract.target.several,
        "the target is a number": contract.target.quantity is not None,
        "the contract has a column of weights": contract.weight is not None,
        "a column says in which direction a score may move (monotone)": any(
            column.monotone for column in contract.features
        ),
        "[search] positive_weight is not 1": policy.search.positive_weight != 1.0,
        '[split] by is "time"': policy.split.by_time,
        "[gate] states costs": policy.gate.costed,
        f'[gate] told is "{policy.gate.told}"': policy.gate.worded,
        '[gate] look_choice is "best"': policy.gate.look_days > 0
        and policy.gate.look_choice == "best",
        "[search] families leaves out logistic_regression": "logistic_regression"
        not in policy.search.families,
    }
    for fault, there in faults.items():
        if there:
            raise UsageError(f"{fault}, and a fleet of models does not do that", _PLAIN)
    for column in contract.features:
        if column.encoding == "target" or column.encoding == "frequency" or column.minimum_count:
            raise UsageError(
                f"{column.name!r} is looked up by its value, and a fleet of models looks up its key"
                " alone",
                "List the values of the column that people need, without encoding.",
            )


def contract_of(text: str, column: Column, keys: Sequence[str], source: str) -> str:
    """The text of the contract that ships with a fleet of these keys, ascending: its key column
    takes no other value.
    """
    document = read_toml(text, source)
    named = document["columns"][column.name]
    named["values"], named["encoding"] = list(keys), KEY
    if "example" in named and named["example"] not in keys:
        named["example"] = keys[0]
    if "fill" in named and named["fill"] not in keys:
        raise Refused(
            f"{column.name!r} is filled with {named['fill']!r}, and no model of it is served",
            "Refuse what is missing in this column, or bring more rows of that value.",
        )
    return tomli_w.dumps(document)


def without_key(contract: Contract, column: Column) -> Contract:
    """The contract without segments of the key: each model has one group of it."""
    kept = tuple(one for one in contract.segments if one.column != column.key)
    return replace(contract, segments=kept)


def loaded(text: str, column: Column, keys: Sequence[str], source: str) -> Contract:
    """The contract that `contract_of` writes, read."""
    return load_contract(contract_of(text, column, keys, source), source)


def by_key(values: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of the rows of each key, ascending, by key in the order of the alphabet."""
    texts = values.astype(str)
    order = np.argsort(texts, kind="stable")
    ranked = texts[order]
    edges = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    parts = np.split(order, edges[1:])
    return {str(ranked[edge]): rows for edge, rows in zip(edges, parts, strict=True)}


def too_few(labels: Mapping[str, np.ndarray], folds: int) -> str:
    """Why no model can be taught on rows with these labels, by part; empty where one can."""
    for part, values in labels.items():
        positives = int(values.sum())
        negatives = len(values) - positives
        least = folds if part == "train" else 2
        if min(positives, negatives) < least:
            return (
                f"its {part} rows have {positives} positives and {negatives} negatives; at least"
                f" {least} of each are required"
            )
    return ""
