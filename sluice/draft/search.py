"""The search of a first policy, whatever the target is."""

from sluice.draft.limits import FOLDS

_TRIALS = 16
_SEED = 20_260_101
_FORESTS = 20_000  # rows up to which a forest is tried: it takes ten times as long as boosting


def search_text(minimum_rows: int) -> str:
    """[search] of policy.toml, for a table of twice as many rows as it is to have at least."""
    return f"""\
[search]
method = "adaptive"     # begins with what fits the table; half as many fits as trials times folds
trials = {_TRIALS}
families = [{_families(2 * minimum_rows)}]
folds = {FOLDS}
seed = {_SEED}"""


def _families(rows: int) -> str:
    """The families that are worth their time on a table of this size."""
    tried = ["logistic_regression", "gradient_boosting"]
    if rows <= _FORESTS:
        tried.append("random_forest")
    return ", ".join(f'"{name}"' for name in tried)
