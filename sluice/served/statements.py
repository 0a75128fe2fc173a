"""What a reader must know before using the model; for card, evidence and page. Served with the
model.
"""

from sluice.served.contract import Contract


def statements(contract: Contract) -> dict[str, list[str]]:
    """What a reader must know before using the model: `use`, `misuse`, `limits` and `duties`, one
    sentence each.
    """
    excluded = " and ".join(column.name for column in contract.role("protected"))
    proxies = (
        f"{excluded} are not fed to the model, but other columns can stand in for them: read the"
        " table of groups."
    )
    return {
        "use": [
            (
                "Advice for a conversation. A person decides, knows the limits below, and may set"
                " the score aside."
            ),
            (
                "To see where support may be needed, in groups or one by one, by people trained to"
                " read a probability."
            ),
        ],
        "misuse": [
            "Deciding on its own about dismissal, promotion, pay, tasks or hiring.",
            "Ranking people, or watching single people without their knowledge.",
        ],
        "limits": [
            (
                "A score is a probability among people like those it learnt from; it never says"
                " what one person will do."
            ),
            (
                "It shows what goes together, not what causes what: changing a value is not known"
                " to change the outcome."
            ),
            (
                "It was judged on rows from the same source and time; elsewhere and later it has to"
                " be judged anew."
            ),
            (
                "At the shipped threshold it errs both ways: it flags some it should not and misses"
                " others."
            ),
        ],
        "duties": [
            *([proxies] if excluded else []),
            (
                "People trust a machine's advice too readily (automation bias): ask for a reason"
                " beside every score."
            ),
            (
                "Inform those concerned and their representatives before use, and keep a record of"
                " what was overridden."
            ),
        ],
    }
