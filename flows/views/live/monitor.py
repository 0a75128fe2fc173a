"""The report of the monitor and the labels that were added, in a terminal."""

from rich.console import Console

from flows.adapters.plain_text import in_markdown
from flows.monitoring.candidate import Ran, Tried
from flows.monitoring.labels import Added
from flows.views.escape import escape
from flows.views.terminal import console, row
from flows.views.wording import count
from sluice.monitor.report import ACT, FINE, WATCH, Figures, LiveClass, LiveNumber, Report
from sluice.percent import four_digits, percent

_COLOURS = {FINE: "bold green", WATCH: "bold yellow", ACT: "bold red"}
_LABEL = 10


def sentence_of_labels(added: Added) -> str:
    """What became of a table of labels, in a line."""
    did = "Kept" if added.new else "Known already"
    parts = [f"{did}: {count(added.labels, 'label')}", f"{count(added.ids, 'answer')} labelled"]
    parts += [
        f"{number:,} {word}"
        for word, number in (
            ("repeated", added.repeated),
            ("corrected", added.corrected),
            ("in conflict and left out", added.conflicting),
        )
        if number
    ]
    return ", ".join(parts) + "."


def show(report: Report, tried: Tried | None = None) -> None:
    """What was seen, each finding with what helps, whether a candidate is due where that was
    asked, and the verdict last.
    """
    out = console(stderr=False)
    row(out, "Log", _log_in_words(report), width=_LABEL)
    row(out, "Labels", labels_in_words(report), width=_LABEL)
    row(out, "Live", live_in_words(report), width=_LABEL)
    row(out, "Promised", promised_in_words(report), width=_LABEL)
    for one in report.classes:
        row(out, "", class_in_words(one), width=_LABEL)
    for finding in report.findings:
        _show_finding(out, finding.severity, finding.sentence, finding.response)
    for note in report.notes:
        out.print(f"[dim]{escape(note)}[/]")
    if tried:
        _show_tried(out, tried, report.model)
    name = f"{report.verdict.upper()}: release {report.release} of {report.model}."
    colour = _COLOURS[report.verdict]
    out.print(f"[{colour}]{escape(name)}[/] {escape(report.sentence)}")


def _show_tried(out: Console, tried: Tried, model: str) -> None:
    if tried.ran:
        _show_ran(out, tried.ran)
        return
    decision = tried.decision
    what = decision.sentence
    if decision.due:
        what += f" Begin it: `sluice monitor {model} --start`"
    row(out, "Candidate", what, width=_LABEL)
    for reason in decision.reasons:
        row(out, "", f"{reason.kind}, since {reason.day}: {reason.sentence}", width=_LABEL)
    for brake in decision.brakes:
        row(out, "", brake, width=_LABEL)


def markdown(report: Report, tried: Tried | None, pictures: str) -> str:
    """The same for the page of a run; `pictures` says where they are, if anywhere."""
    rows = {
        "Log": _log_in_words(report),
        "Labels": labels_in_words(report),
        "Live": live_in_words(report),
        "Promised": promised_in_words(report),
    }
    if report.classes:
        rows["Classes"] = "; ".join(map(class_in_words, report.classes))
    if pictures:
        rows["Pictures"] = pictures
    if tried:
        rows["Candidate"] = tried.decision.sentence
    told = "".join(f"- **{name}**: {in_markdown(what)}\n" for name, what in rows.items())
    head = in_markdown(f"{report.verdict.upper()}: release {report.release} of {report.model}")
    return f"# {head}\n\n{in_markdown(report.sentence)}\n\n{told}{_findings(report)}"


def _findings(report: Report) -> str:
    """What was found, and below each what helps; nothing where nothing was.

    No table: Prefect's page does not break its lines.
    """
    items = [
        f"- **{finding.severity}**: {in_markdown(finding.sentence)}\n"
        f"    - {in_markdown(finding.response)}\n"
        for finding in report.findings
    ]
    return "".join(["\n## What was found, and what helps\n\n", *items]) if items else ""


def _log_in_words(report: Report) -> str:
    answers = f"{count(report.rows, 'answer')} on {count(report.days, 'day')}"
    return f"{answers} since {report.since}"


def _show_ran(out: Console, ran: Ran) -> None:
    """What became of a candidate that a trigger began, and why it began."""
    went_on = ", gone on with now" if ran.again else ""
    began = f"begun at {ran.start.at}{went_on}"
    row(out, "Candidate", f"{ran.outcome}, {began}: {ran.sentence}.", width=_LABEL)
    for reason in ran.start.reasons:
        row(out, "", f"{reason.kind}, since {reason.day}: {reason.sentence}", width=_LABEL)


def labels_in_words(report: Report) -> str:
    """How many labels count."""
    live = report.live
    if not live.labelled:
        return "none that had time to come in"
    if report.classes:
        rarest = min(report.classes, key=lambda one: one.rows)
        return f'{count(live.labelled, "row")}, {rarest.rows:,} of them "{rarest.name}"'
    if report.number:
        return count(live.labelled, "row")
    return f"{count(live.labelled, 'row')}, {live.positives:,} of them positive"


def live_in_words(report: Report) -> str:
    """How good the model is now."""
    live = report.live
    if report.number:
        return _number_in_words(report.number)
    parts = [
        f"{name} {value:.4f}"
        for name, value in (
            ("mean recall" if report.classes else "recall", live.recall),
            ("precision", live.precision),
            ("Brier score", live.brier),
        )
        if value is not None
    ]
    if live.below < 1:
        parts.append(f"recall surely below {live.below:.2f}")
    if live.estimate is not None:
        parts.append(f"estimate of recall {live.estimate:.2f}")
    return ", ".join(parts) or "unknown without labels"


def _number_in_words(number: LiveNumber) -> str:
    """How far answers are off now."""
    if number.now is None:
        return "unknown without labels"
    words = figures_in_words(number.now, number)
    bound = f", skill surely below {number.below:.2f}" if number.below < 1 else ""
    return f"{words}, bias {_off(number.now.bias, number)}{bound}"


def figures_in_words(figures: Figures, number: LiveNumber) -> str:
    """The error, the skill and the share within the band."""
    return (
        f"mean absolute error {_off(figures.mae, number)}, skill {figures.skill:.4f},"
        f" {percent(figures.within, 1)} no more than {_off(number.band, number)} off"
    )


def _off(number: float, of: LiveNumber) -> str:
    """A distance in its unit, to four digits."""
    return f"{four_digits(number)} {of.unit}" if of.unit else four_digits(number)


def class_in_words(one: LiveClass) -> str:
    """A class: its recall now, and the one that was promised."""
    now = "unknown" if one.recall is None else f"{one.recall:.4f}"
    return f'"{one.name}": recall {now} of {count(one.rows, "row")}, promised {one.promised:.4f}'


def promised_in_words(report: Report) -> str:
    """What the release was measured at."""
    promised = report.promised
    if report.number:
        words = figures_in_words(report.number.promised, report.number)
        anchor = report.number.anchor
        return words if anchor is None else f"{words}; the anchor skill {anchor:.4f}"
    if promised is None:
        return "nothing"
    mean = "mean recall" if report.classes else "recall"
    words = (
        f"{mean} {promised.recall:.4f}, precision {promised.precision:.4f}, Brier score"
        f" {promised.brier:.4f}"
    )
    return words if promised.anchor is None else f"{words}; the anchor recall {promised.anchor:.4f}"


def _show_finding(out: Console, severity: str, sentence: str, response: str) -> None:
    colour = _COLOURS[severity]
    out.print(f"[{colour}]{severity:<5}[/]  {escape(sentence)}")
    out.print(f"       [dim]{escape(response)}[/]")
