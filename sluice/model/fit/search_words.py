"""What people are told of a search beside its trials: what was not tried, ended early or drawn."""

from collections.abc import Iterator

from sluice.model.fit.tuning_file import Tuning, whole


def remarks(tuning: Tuning) -> tuple[str, ...]:
    """Sentences for card and page; none where every family had all trials on all rows and folds."""
    return tuple(_remarks(tuning))


def _remarks(tuning: Tuning) -> Iterator[str]:
    for family, why in (tuning.left_out or {}).items():
        yield f"Not tried: {family.replace('_', ' ')}, because {why}."
    early = len(tuning.trials) - len(whole(tuning.trials))
    if early:
        yield (
            f"{tuning.fits} models were fitted: {early} of the {len(tuning.trials)} trials fell"
            " behind on the first folds and went no further."
        )
    if tuning.looked_at:
        winner = tuning.winner
        drawn = ", drawn by chance;"
        if tuning.of_rare:
            drawn = (
                f": {tuning.of_rare:,} of the rare class, the others drawn by chance, and each"
                " counts for as many as it stands for;"
            )
        yield (
            f"Trials saw {tuning.looked_at:,} training rows{drawn} the winner was fitted to all."
            " Its score has a standard error of"
            f" {winner.std / max(len(winner.folds) - 1, 1) ** 0.5:.4f} over the folds."
        )
