"""From the bytes of a table to contract and policy, in the order in which it is looked at."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from sluice.draft import classes, leaks, limits, number, proposals, sniffing, toml_files
from sluice.draft.classes import ClassLimits, limits_of_classes
from sluice.draft.domains import domain_of
from sluice.draft.leaks import Look
from sluice.draft.limits import Judged, Limits
from sluice.draft.marginals import marginals
from sluice.draft.number import NumberLimits, limits_of_number
from sluice.draft.operating import share_of_costs
from sluice.draft.proposals import Choices, Proposal, Roles
from sluice.draft.sample_file import sample_text
from sluice.draft.sampling import Sample, Seen
from sluice.errors import Refused, UsageError
from sluice.model.data.split import deciding, parts, parts_by_time, row_hashes
from sluice.model.data.table import read_table, typed
from sluice.model.data.times import TIME
from sluice.percent import percent
from sluice.policy import SplitPolicy
from sluice.served.contract import load_contract


@dataclass(frozen=True)
class Draft:
    """Contract, policy and the shares of generated rows as texts, and what they rest on.

    `said` is how the table is written, `looks` what each feature says alone. `rows` is how many the
    table has, `looked_at` how many of them were drawn; the rest is estimated from these.
    `judged` is what other floors can be tried on, `domain` the one whose statements it has, `as_of`
    the column by whose time rows are split, empty where it is by lots. Where the target has several
    classes or is a number there are no other floors to try.
    """

    contract: str
    policy: str
    sample: str
    roles: Roles
    looks: tuple[Look, ...]
    limits: Limits | ClassLimits | NumberLimits
    said: tuple[str, ...]
    rows: int
    looked_at: int
    judged: Judged | None
    domain: str
    as_of: str = ""


def at_share(drafted: Draft, model: str, share: float, seen: Seen) -> Draft:
    """The same draft with floors where `share` of the rows is flagged. Raises as `floors_at`."""
    if drafted.judged is None or not isinstance(drafted.limits, Limits):
        what = f"a share of {share:g} is given and the target has no positive class"
        raise UsageError(what, "Nothing is flagged there: leave it out.")
    proposal = limits.floors_at(drafted.judged, share, seen)
    surely = limits.beyond_at(drafted.judged, proposal)
    found = replace(drafted.limits, proposal=proposal, beyond=surely)
    return replace(
        drafted, limits=found, policy=split_by(toml_files.policy_text(model, found), drafted.as_of)
    )


def split_by(policy: str, as_of: str) -> str:
    """The text of a policy that splits by time, where a column says when each row was."""
    if not as_of:
        return policy
    return policy.replace("[split]\n", '[split]\nby = "time"\n', 1)


def draft(
    data: bytes, source: str, model: str, choices: Choices, seen: Seen = lambda _what, _share: None
) -> Draft:
    """Draft a model from a table; `source` names it in messages, `seen` hears how far it is.

    Raises UsageError for a choice that does not fit, Refused where the table allows no model.
    """
    return draft_from(Sample(data, 0), source, model, choices, seen)


def draft_from(sample: Sample, source: str, model: str, choices: Choices, seen: Seen) -> Draft:
    """The same from a sample of the rows of a table; a sample of 0 rows is the whole of it."""
    sniffed = sniffing.sniff(sample.data, source)
    size = len(sniffed.frame)
    drawn = np.ones(size, dtype=bool) if sample.drawn is None else sample.drawn
    total = sample.rows or size
    roles = proposals.propose(sniffed.frame, choices, sample.distinct, total)
    domain = choices.domain or domain_of(column.name for column in roles.columns)
    as_of = choices.as_of
    text = toml_files.contract_text(model, roles, sniffed.reading, source, domain, as_of)
    contract = load_contract(text, f"models/{model}/contract.toml")
    columns = typed(read_table(sample.data, contract, source), contract)
    labels = columns[contract.target.column]
    split = SplitPolicy(f"{model}-1", limits.TRAIN, limits.VALIDATION, limits.HOLDOUT)
    deciders = row_hashes(split.salt, deciding(contract, columns))
    # Rows that chance did not draw show ranges and values, and count for nothing else.
    split_rows = (
        parts_by_time(
            split,
            columns[TIME],
            deciders if contract.group else None,
            labels,
            contract.target.outcomes,
        )
        if as_of
        else parts(split, deciders, labels, contract.target.outcomes)
    )
    rows = {part: of[drawn[of]] for part, of in split_rows.items()}
    known = np.concatenate([rows["train"], rows["validation"]])
    mine = {key: values[known] for key, values in columns.items()}
    looks = leaks.look(contract, mine, labels[known])
    roles = _without_leaks(roles, looks)
    if not roles.role("feature"):
        what = f"{source} has no column that a model may use; at least one is required"
        raise Refused(what, "Each one is a key, empty, constant, or gives the answer away.")
    text = toml_files.contract_text(model, roles, sniffed.reading, source, domain, as_of)
    contract = load_contract(text, f"models/{model}/contract.toml")
    groups = deciders if contract.group else None
    looked_at = int(drawn.sum())
    table = limits.Table(contract, columns, labels, rows, groups, total / looked_at)
    honest = tuple(look for look in looks if not look.leak)
    said = _said(sniffed.said, total, looked_at)
    if contract.target.several or contract.target.quantity:
        no_side: ClassLimits | NumberLimits
        if contract.target.quantity:
            no_side = limits_of_number(table, honest, seen)
            policy = number.policy_text(model, no_side)
        else:
            no_side = limits_of_classes(table, honest, seen)
            policy = classes.policy_text(model, no_side)
        shares = marginals(contract, columns, labels, np.sort(known), total)
        made = sample_text(model, shares)
        return Draft(
            text,
            split_by(policy, as_of),
            made,
            roles,
            looks,
            no_side,
            said,
            total,
            looked_at,
            None,
            domain,
            as_of,
        )
    judged = limits.judge(table, seen)
    share = share_of_costs(choices.costs, judged) if choices.costs else choices.point
    found = limits.limits_of(table, judged, honest, share, seen)
    policy = split_by(toml_files.policy_text(model, found), as_of)
    shares = marginals(contract, columns, labels, np.sort(known), total)
    made = sample_text(model, shares)
    return Draft(
        text, policy, made, roles, looks, found, said, total, looked_at, judged, domain, as_of
    )


def _said(said: tuple[str, ...], rows: int, looked_at: int) -> tuple[str, ...]:
    """How the table is written, and with which error a part of it stands for the whole."""
    if looked_at == rows:
        return said
    error = 1.96 * math.sqrt(0.25 / looked_at)
    sampled = (
        f"{rows:,} rows were read for values, ranges and keys; shares, leaks and limits come from"
        f" {looked_at:,} of them, drawn by chance: a share is at most {percent(error, 1)} off, 19"
        " times in 20"
    )
    [first, *others] = said
    return (first.replace(first.partition(" rows")[0], f"{rows:,}", 1), sampled, *others)


def _without_leaks(roles: Roles, looks: Iterable[Look]) -> Roles:
    """The same roles, a feature that gives the answer away ignored with the figure."""
    told = {look.name: look.leak for look in looks if look.leak}
    return replace(roles, columns=tuple(_as_leak(column, told) for column in roles.columns))


def _as_leak(column: Proposal, told: dict[str, str]) -> Proposal:
    if column.name not in told:
        return column
    return Proposal(column.name, column.key, "ignored", why=f"leak: {told[column.name]}")
