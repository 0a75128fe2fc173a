"""What is told of a search: nothing where there is nothing to tell."""

from msgspec import structs

from sluice.model.fit.search_words import remarks
from sluice.model.fit.training import trial_of, tuning_of

WHOLE = trial_of(0, "gradient_boosting", {}, [(0.5, 0.8), (0.6, 0.8), (0.7, 0.8), (0.6, 0.8)])
EARLY = trial_of(1, "gradient_boosting", {}, [(0.4, 0.8), (0.5, 0.8)])


def test_a_search_of_all_families_on_all_rows_and_folds_needs_no_words() -> None:
    assert remarks(tuning_of([WHOLE])) == ()


def test_trials_that_were_ended_early_are_counted() -> None:
    assert remarks(tuning_of([WHOLE, EARLY])) == (
        "6 models were fitted: 1 of the 2 trials fell behind on the first folds and went no"
        " further.",
    )


def test_families_that_were_left_out_are_named_with_the_reason() -> None:
    tuning = structs.replace(tuning_of([WHOLE]), left_out={"random_forest": "it is slow"})
    assert remarks(tuning) == ("Not tried: random forest, because it is slow.",)


def test_a_sample_is_told_with_the_error_of_the_score() -> None:
    [told] = remarks(structs.replace(tuning_of([WHOLE]), looked_at=100_000))
    assert told.startswith("Trials saw 100,000 training rows, drawn by chance;")
    # The standard deviation of 0.5, 0.6, 0.7 and 0.6 is 0.0816; their mean is known to 0.0408.
    assert told.endswith("Its score has a standard error of 0.0408 over the folds.")


def test_of_a_rare_class_the_rows_that_were_kept_are_told() -> None:
    drawn = structs.replace(tuning_of([WHOLE]), looked_at=100_000, of_rare=2_400)
    [told] = remarks(drawn)
    assert told.startswith(
        "Trials saw 100,000 training rows: 2,400 of the rare class, the others drawn by chance, and"
        " each counts for as many as it stands for; the winner was fitted to all."
    )
