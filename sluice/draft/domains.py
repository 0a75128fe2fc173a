"""What a draft says of use, limits and duties, by the domain that its columns belong to.

The texts are written into the contract, where a person corrects them; nothing reads them here
again. Where no domain is found, the neutral statements hold, which stand in no contract.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.served.column_keys import key_of

NONE = "none"


@dataclass(frozen=True)
class Domain:
    """What a row is called where it stands for itself, words by which columns tell the domain, and
    the statements that differ from the neutral ones.
    """

    row: str
    rows: str
    words: frozenset[str]
    use: tuple[str, ...]
    misuse: tuple[str, ...]
    duties: tuple[str, ...]


_BIAS = (
    "Advice of a machine is trusted too readily (automation bias): ask for a reason beside every"
    " score."
)
_RECORD = "Keep a record of what was overridden."

DOMAINS: Mapping[str, Domain] = {
    "employment": Domain(
        row="employee",
        rows="employees",
        words=frozenset(("employee", "attrition", "job", "overtime", "salary", "hire", "hiring")),
        use=(
            "Advice for a conversation. A person decides, knows the limits below, and may set the"
            " score aside.",
        ),
        misuse=(
            "Deciding on its own about dismissal, promotion, pay, tasks or hiring.",
            "Watching single people without their knowledge.",
        ),
        duties=(
            _BIAS,
            "Inform those concerned and their representatives before use, and keep a record of what"
            " was overridden.",
        ),
    ),
    "customers": Domain(
        row="customer",
        rows="customers",
        words=frozenset(
            ("customer", "churn", "churned", "subscriber", "subscription", "tariff", "visitor")
        ),
        use=(
            "To choose whom to ask, to help or to make an offer; a person answers for the choice.",
        ),
        misuse=(
            "Refusing a service, or setting a price for one customer, by the score alone.",
            "Reaching out to those who have objected to it.",
        ),
        duties=(_BIAS, "Look at whom the offers leave out, and keep a record of it."),
    ),
    "credit": Domain(
        row="applicant",
        rows="applicants",
        words=frozenset(("loan", "credit", "borrower", "debt", "default", "defaulted", "mortgage")),
        use=(
            "To sort what a person looks at first; a person decides on each application, and knows"
            " the limits below.",
        ),
        misuse=(
            "Refusing or granting credit by the score alone.",
            "Use for another product, or for those who are unlike the ones it learnt from.",
        ),
        duties=(
            _BIAS,
            "Tell each applicant who is refused the reasons, and how to have them looked at again.",
            _RECORD,
        ),
    ),
    "health": Domain(
        row="patient",
        rows="patients",
        words=frozenset(
            ("patient", "diagnosis", "diag", "hospital", "readmitted", "discharge", "glucose")
        ),
        use=(
            "To see who may need more attention; a clinician decides, and knows the limits below.",
        ),
        misuse=(
            "A diagnosis, or withholding care, by the score alone.",
            "Use at another site before it was judged there.",
        ),
        duties=(
            _BIAS,
            "Follow the rules for medical devices where you use it on patients.",
            _RECORD,
        ),
    ),
    "machines": Domain(
        row="machine",
        rows="machines",
        words=frozenset(
            ("machine", "torque", "rpm", "vibration", "sensor", "tool", "makine", "rotational")
        ),
        use=("To choose what is inspected first; an engineer decides.",),
        misuse=("Skipping an inspection that a rule of safety asks for.",),
        duties=(
            _BIAS,
            "Write down what an inspection found: it is what the next model learns from.",
        ),
    ),
}


def domain_of(names: Iterable[str]) -> str:
    """The domain whose words stand in the most names of columns, from two on; else `none`."""
    parts = [set(key_of(name).split("_")) for name in names]
    counts = {name: sum(bool(part & one.words) for part in parts) for name, one in DOMAINS.items()}
    best = max(counts.values())
    found = [name for name, count in counts.items() if count == best]
    return found[0] if best > 1 and len(found) == 1 else NONE
