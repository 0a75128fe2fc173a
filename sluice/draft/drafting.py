"""From the bytes of a table to contract and policy, in the order in which it is looked at."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from sluice.draft import leaks, limits, proposals, sniffing, toml_files
from sluice.draft.leaks import Look
from sluice.draft.limits import Limits
from sluice.draft.proposals import Choices, Proposal, Roles
from sluice.errors import Refused
from sluice.model.split import deciding, parts, row_hashes
from sluice.model.table import read_table, typed
from sluice.policy import SplitPolicy
from sluice.served.contract import load_contract


@dataclass(frozen=True)
class Draft:
    """Contract and policy as texts, and what they rest on.

    `said` is how the table is written, `looks` what each feature says alone.
    """

    contract: str
    policy: str
    roles: Roles
    looks: tuple[Look, ...]
    limits: Limits
    said: tuple[str, ...]
    rows: int


def draft(data: bytes, source: str, model: str, choices: Choices) -> Draft:
    """Draft a model from a table; `source` names it in messages.

    Raises UsageError for a choice that does not fit, Refused where the table allows no model.
    """
    sniffed = sniffing.sniff(data, source)
    roles = proposals.propose(sniffed.frame, choices)
    text = toml_files.contract_text(model, roles, sniffed.reading, source)
    contract = load_contract(text, f"models/{model}/contract.toml")
    columns = typed(read_table(data, contract, source), contract)
    labels = columns[contract.target.column]
    split = SplitPolicy(f"{model}-1", limits.TRAIN, limits.VALIDATION, limits.HOLDOUT)
    deciders = row_hashes(split.salt, deciding(contract, columns))
    rows = parts(split, deciders, labels)
    known = np.concatenate([rows["train"], rows["validation"]])
    mine = {key: values[known] for key, values in columns.items()}
    looks = leaks.look(contract, mine, labels[known])
    roles = _without_leaks(roles, looks)
    if not roles.role("feature"):
        what = f"{source} has no column that a model may use; at least one is required"
        raise Refused(what, "Each one is a key, empty, constant, or gives the answer away.")
    text = toml_files.contract_text(model, roles, sniffed.reading, source)
    contract = load_contract(text, f"models/{model}/contract.toml")
    honest = tuple(look for look in looks if not look.leak)
    groups = deciders if contract.group else None
    found = limits.limits_of(contract, columns, labels, rows, groups, honest, choices.point)
    policy = toml_files.policy_text(model, found)
    return Draft(text, policy, roles, looks, found, sniffed.said, len(labels))


def _without_leaks(roles: Roles, looks: Iterable[Look]) -> Roles:
    """The same roles, a feature that gives the answer away ignored with the figure."""
    told = {look.name: look.leak for look in looks if look.leak}
    return replace(roles, columns=tuple(_as_leak(column, told) for column in roles.columns))


def _as_leak(column: Proposal, told: dict[str, str]) -> Proposal:
    if column.name not in told:
        return column
    return Proposal(column.name, column.key, "ignored", why=f"leak: {told[column.name]}")
