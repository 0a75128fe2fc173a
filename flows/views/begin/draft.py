"""A draft as a person reads it: a line for each column with its evidence, and the floors."""

from shlex import quote

from rich.table import Table

from flows.views import terminal
from flows.views.escape import escape
from flows.views.wording import count
from sluice.draft.beyond import SURELY, Beyond, labels_needed
from sluice.draft.classes import ClassLimits
from sluice.draft.domains import NONE
from sluice.draft.drafting import Draft
from sluice.draft.limits import SMALL, Limits
from sluice.draft.number import NumberLimits
from sluice.draft.operating import share_of_answer
from sluice.draft.proposals import times_in
from sluice.percent import four_digits, percent

QUESTION = (
    "How many may be flagged? A line from 1, or what a miss and a false alarm cost, such as 5:1;"
    " Enter for the best F1"
)
_COLOURS = {"ignored": "yellow", "target": "bold", "protected": "magenta", "group": "cyan"}
_MORE = 0.03  # of ROC-AUC: so much more than its best column a model is soon seen to know


def show(draft: Draft) -> None:
    """How the table is written, what each column is, what a quick model reaches, and the floors."""
    out = terminal.console(stderr=False)
    for sentence in draft.said:
        out.print(f"[dim]{escape(sentence[:1].upper() + sentence[1:])}.[/]")
    areas = {look.name: look.roc_auc for look in draft.looks}
    table = Table("Column", "Role", "Alone", "Why", box=None, pad_edge=False, header_style="dim")
    for column in draft.roles.columns:
        role = f"[{_COLOURS.get(column.role, 'none')}]{column.role}[/]"
        area = f"{areas[column.name]:.2f}" if column.name in areas else ""
        table.add_row(escape(column.name), role, area, escape(column.why))
    out.print(table)
    of_number = isinstance(draft.limits, NumberLimits)
    alone = "skill" if of_number else "ROC-AUC"
    nothing = "0.00" if of_number else "0.50"
    out.print(f"[dim]Alone: the {alone} of the column by itself; {nothing} says nothing.[/]")
    out.print()
    if isinstance(draft.limits, ClassLimits):
        out.print(_classes(draft.limits))
    elif isinstance(draft.limits, Limits):
        out.print(_points(draft.limits))
        out.print(
            "[dim]--point 0.1 writes the point that flags 10 % of the rows into the policy.[/]"
        )
    for sentence in _sentences(draft.limits):
        out.print(escape(sentence))
    if sentence := best_column(draft):
        out.print(escape(sentence))
    if draft.as_of:
        out.print(
            f"Rows are split by the time in {escape(draft.as_of)}: a model learns from the past and"
            " is judged on the newest rows."
        )
    elif times := times_of(draft):
        out.print(
            f"Each row has a time, in {escape(times[0])}: --as-of {escape(quote(times[0]))} learns"
            " from the past and judges on the newest rows, as the model will be used."
        )
    if draft.domain != NONE:
        out.print(
            f"Statements of use, misuse and duties are those of {draft.domain}; --domain takes"
            " others."
        )


def _sentences(limits: Limits | ClassLimits | NumberLimits) -> list[str]:
    """What a quick model reaches, and what the floors rest on."""
    if isinstance(limits, NumberLimits):
        return told_of_number(limits)
    return told_of_classes(limits) if isinstance(limits, ClassLimits) else told(limits)


def told_of_number(limits: NumberLimits) -> list[str]:
    """What the quick model and the floor rest on, a sentence each."""
    about = "about " if limits.sampled else ""
    first = (
        "A quick model, cross-validated without the holdout, is"
        f" {four_digits(limits.mae)} off on average;"
        f" who always says the median is {four_digits(limits.naive_mae)} off: a skill of"
        f" {limits.skill:.3f}. The holdout, {about}{count(limits.holdout, 'row')}, was counted and"
        " not looked at."
    )
    if not limits.skill_floor:
        return [first, "No floor of this table can be told from chance: label more rows."]
    return [
        first,
        "Floor of the skill, from what it reaches and not from what is needed:"
        f" {limits.skill_floor:g}. Read policy.toml, and write reviewed = true there.",
    ]


def times_of(draft: Draft) -> tuple[str, ...]:
    """The columns with a day or a time in each row."""
    return times_in(draft.roles)


def by_time(name: str) -> str:
    """What a person is asked of a column of times."""
    return f"Each row has a time, in {name}. Learn from the past, and judge on the newest rows?"


def has_points(draft: Draft) -> bool:
    """Whether a person can choose how many are flagged."""
    return isinstance(draft.limits, Limits) and draft.limits.proposal is not None


def share_of(answer: str, draft: Draft) -> float:
    """The share of the rows that an answer to QUESTION means. Raises UsageError."""
    if draft.judged is None or not isinstance(draft.limits, Limits):
        return 0.0
    return share_of_answer(answer, draft.limits.points, draft.judged)


def floors_of(draft: Draft) -> str:
    """The floors of a draft, in a sentence."""
    return floors(draft.limits) if isinstance(draft.limits, Limits) else ""


def _classes(limits: ClassLimits) -> Table:
    table = Table("Class", box=None, pad_edge=False, header_style="dim")
    for heading in ("rows", "recall", "in a holdout like yours", "floor"):
        table.add_column(heading, justify="right")
    if limits.weighed:
        table.add_column("weight", justify="right")
    for one in limits.classes:
        cells = [
            escape(one.name),
            f"{one.rows:,}",
            f"{one.recall:.2f}",
            f"{one.limits[0]:.2f} to {one.limits[1]:.2f}",
            f"{one.floor:g}" if one.floor else "none",
        ]
        if limits.weighed:
            cells.append(f"{one.weight:g}")
        table.add_row(*cells)
    return table


def told_of_classes(limits: ClassLimits) -> list[str]:
    """What the quick model and the floors rest on, a sentence each."""
    about = "about " if limits.sampled else ""
    sentences = [
        "A quick model, cross-validated without the holdout, has a mean recall over"
        f" {len(limits.classes)} classes of {limits.recall:.3f}, and a mean ROC-AUC of"
        f" {limits.roc_auc:.3f}. The holdout, {about}{count(limits.holdout, 'row')}, was counted"
        " and not looked at."
    ]
    if limits.weighed:
        sentences.append(
            "The most probable class would leave one of them hardly ever answered: rarer classes"
            f" weigh more. Without weights the mean recall is {limits.plain:.3f}."
        )
    if not limits.recall_floor:
        return [*sentences, "No floor of this table can be told from chance: label more rows."]
    return [
        *sentences,
        f"Floor of the mean recall, from what it reaches and not from what is needed:"
        f" {limits.recall_floor:g}. Read policy.toml, and write reviewed = true there.",
    ]


def best_column(draft: Draft) -> str:
    """Where one feature alone says nearly as much as the quick model, a sentence that says what a
    release has to show; else empty.
    """
    if draft.limits.beyond is not None:
        return _beyond(draft.limits, draft.limits.beyond, draft.rows)
    if isinstance(draft.limits, NumberLimits):
        return ""
    features = {column.name for column in draft.roles.role("feature")}
    looks = [look for look in draft.looks if look.name in features]
    best = max(looks, key=lambda look: look.roc_auc, default=None)
    if best is None or draft.limits.roc_auc - best.roc_auc >= _MORE:
        return ""
    return (
        f"{best.name} alone has a ROC-AUC of {best.roc_auc:.3f}. A release has to be shown to find"
        " more than its best column does; a holdout like this one may be too small for that."
    )


def _beyond(limits: Limits | ClassLimits | NumberLimits, found: Beyond, rows: int) -> str:
    """How surely a release is shown to know more than its best column; empty where it is."""
    if found.shown >= SURELY:
        return ""
    needed = labels_needed(found, rows)
    of_number = isinstance(limits, NumberLimits)
    alike = "answers nearly as well" if of_number else "finds nearly as many"
    better = "answer better than" if of_number else "find more than"
    most = (
        f"{found.column} alone {alike}. A release has to be shown to {better} its best column"
        f" does: {percent(found.shown)} of the releases of such a model would be"
    )
    if needed is None:
        return f"{most}. It knows no more, and more rows do not help."
    return f"{most}. About {needed:,} labelled rows are needed for {percent(SURELY)}."


def _points(limits: Limits) -> Table:
    table = Table("", "Flagged", box=None, pad_edge=False, header_style="dim")
    for heading in ("recall", "in a holdout like yours", "precision", "in a holdout like yours"):
        table.add_column(heading, justify="right")
    for line, point in enumerate(limits.points, 1):
        recall, precision = point.recall_limits, point.precision_limits
        table.add_row(
            str(line),
            f"{percent(point.flagged)}",
            f"{point.recall:.2f}",
            f"{recall[0]:.2f} to {recall[1]:.2f}",
            f"{point.precision:.2f}",
            f"{precision[0]:.2f} to {precision[1]:.2f}",
        )
    return table


def told(limits: Limits) -> list[str]:
    """What the quick model and the floors rest on, a sentence each."""
    about = "about " if limits.sampled else ""
    quick = (
        "A quick model, cross-validated without the holdout, has a ROC-AUC of"
        f" {limits.roc_auc:.3f}. The holdout, {about}{count(limits.holdout, 'row')} with"
        f" {count(limits.positives, 'positive')}, was counted and not looked at."
    )
    if limits.repeats:
        quick += (
            f" Rows repeat each other; up to {percent(limits.duplicate_ceiling)} are allowed"
            " to. Are"
            " they copies, or do few columns with few values make them alike?"
        )
    if limits.proposal is None:
        return [
            quick,
            "No floor of this table can be told from chance. About"
            f" {limits.labels:,} labelled rows are needed where a model is five points above it; a"
            " release before that ends without a promotion.",
            _seen(limits),
        ]
    return [quick, floors(limits), _seen(limits)]


def floors(limits: Limits) -> str:
    """The floors, in a sentence; empty where there are none."""
    proposal = limits.proposal
    if proposal is None:
        return ""
    precision = f"precision {proposal.precision_floor:g}"
    if proposal.lift_floor:
        precision = f"a lift of {proposal.lift_floor:g}"
    return (
        f"Floors where {percent(proposal.point.flagged)} of the rows are flagged, from what it"
        f" reaches and not from what is needed: recall {proposal.recall_floor:g}, {precision}. Read"
        " policy.toml, and write reviewed = true there."
    )


def _seen(limits: Limits) -> str:
    """How small a gain the first use of the holdout sees."""
    who = f"This holdout, {count(limits.positives, 'positive')},"
    takes = f"; that takes {limits.wanted:,} positives" if limits.wanted else ""
    if limits.gain is None:
        return f"{who} sees no gain in recall that another model may have, such as 1 point{takes}."
    sees = f"{who} sees gains in recall of {100 * limits.gain:.1f} points"
    return f"{sees}." if limits.gain <= SMALL else f"{sees}, not of 1{takes}."


def document(draft: Draft) -> dict[str, object]:
    """The draft for a program: columns with role and evidence, leaks, floors."""
    return {**_of_table(draft), **_of_limits(draft.limits, draft.rows)}


def _of_limits(limits: Limits | ClassLimits | NumberLimits, rows: int) -> dict[str, object]:
    """What a quick model reaches, and the floors."""
    if isinstance(limits, NumberLimits):
        return {
            "skill": round(limits.skill, 4),
            "mae": float(f"{limits.mae:.6g}"),
            "naive_mae": float(f"{limits.naive_mae:.6g}"),
            "holdout": {"rows": limits.holdout},
            "skill_floor": limits.skill_floor,
            "best_column": _of_best_column(limits.beyond, rows),
        }
    if isinstance(limits, ClassLimits):
        return {
            "roc_auc": round(limits.roc_auc, 4),
            "recall": round(limits.recall, 4),
            "holdout": {"rows": limits.holdout},
            "classes": [
                {
                    "name": one.name,
                    "rows": one.rows,
                    "recall": round(one.recall, 4),
                    "floor": one.floor,
                    "weight": one.weight,
                }
                for one in limits.classes
            ],
            "recall_floor": limits.recall_floor,
            "best_column": _of_best_column(limits.beyond, rows),
        }
    floors = limits.proposal.lines() if limits.proposal else ()
    return {
        "roc_auc": round(limits.roc_auc, 4),
        "holdout": {
            "rows": limits.holdout,
            "positives": limits.positives,
            "gain": None if limits.gain is None else round(limits.gain, 4),
        },
        "floors": list(floors),
        "labels_needed": 0 if limits.proposal else limits.labels,
        "best_column": _of_best_column(limits.beyond, rows),
    }


def _of_best_column(found: Beyond | None, rows: int) -> dict[str, object] | None:
    """How surely a release finds more than its best column."""
    if found is None:
        return None
    return {
        "name": found.column,
        "shown": round(found.shown, 3),
        "labels_needed": labels_needed(found, rows),
    }


def _of_table(draft: Draft) -> dict[str, object]:
    """What the table is."""
    return {
        "schema": 1,
        "rows": draft.rows,
        "looked_at": draft.looked_at,
        "domain": draft.domain,
        "read": list(draft.said),
        "target": draft.roles.role("target")[0].name,
        "positive": draft.roles.positive,
        "columns": [
            {"name": one.name, "key": one.key, "role": one.role, "kind": one.kind, "why": one.why}
            for one in draft.roles.columns
        ],
        "times": list(times_of(draft)),
        "as_of": draft.as_of,
        "leaks": [look.name for look in draft.looks if look.leak],
    }
