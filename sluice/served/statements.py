"""What a reader must know before using the model; for card, evidence and page.

Served with the model.
"""

from sluice.served.contract import Contract


def statements(contract: Contract) -> dict[str, list[str]]:
    """The statements of a contract: `use`, `misuse`, `limits` and `duties`, one sentence each.

    A contract with protected columns adds one duty, the first: other columns can stand in for them.
    """
    words = contract.statements
    duties = list(words.duties)
    protected = [column.name for column in contract.role("protected")]
    if protected:
        proxies = (
            f"Not fed to the model: {' and '.join(protected)}. Other columns can stand in for that:"
            " read the table of groups."
        )
        duties.insert(0, proxies)
    return {
        "use": list(words.use),
        "misuse": list(words.misuse),
        "limits": list(words.limits),
        "duties": duties,
    }
