"""A search that begins with what fits the table, and ends a trial as soon as it falls behind.

Its budget is a count of fits: half of what the trials of the policy would take on all folds. Each
family begins at one point that follows from the size of the table, and is judged on all folds. A
family that is surely behind the best after its first round gets no other. The others take turns: a
few points at once, each judged on two folds; Wilcoxon's signed-rank test of these against the same
folds of the best so far says whether the other folds are worth their fits. Nothing depends on time
or on the number of processors, so equal inputs have an equal winner.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from sluice.model.fit.search_space import Space, space_of, table_of
from sluice.model.fit.training import (
    Fold,
    FoldScores,
    Progress,
    Rows,
    all_folds,
    judge_fold,
    one_thread_each,
    preload,
    trial_of,
    tune,
    tuning_of,
    weighted,
)
from sluice.model.fit.tuning_file import Parameters, Trial, Tuning, whole
from sluice.policy import ADAPTIVE, SearchPolicy

if TYPE_CHECKING:
    import optuna
    from joblib import Parallel

Point = tuple[str, Parameters]  # a family and its parameters
Scores = list[FoldScores]
Judge = Callable[[Sequence[Point], Iterable[int]], list[Scores]]

MOST_ROWS = 100_000  # settings are told apart on so many as well as on more
RARE = 0.01  # of the rows, below which all of a class are looked at
_AT_ONCE = 2  # points of one round: a fixed number, because that of the workers must not show
_FIRST_FOLDS = 2  # of a trial, before the pruner is asked
# Two folds that are both worse have a one-sided p of 1/4; there is no smaller one for two.
_BEHIND = 0.3
_SURELY = 2.0  # standard errors of a paired difference
_HOPELESS = 5.0  # times what is surely behind: no setting of a family makes that up
_AT_RANDOM = 4  # trials before the sampler follows what it has seen


class Drawn(NamedTuple):
    """Rows that a search looks at: their places, ascending, and for how many each of them counts,
    which is None where all count alike; `of_rare` is how many are of a rare class.
    """

    places: np.ndarray
    counted: np.ndarray | None = None
    of_rare: int | UnsetType = UNSET


def rows_looked_at(
    rows: int, seed: int, positive: np.ndarray | None = None, most: int = MOST_ROWS
) -> Drawn | None:
    """The rows that a search looks at, drawn by chance where there are more than `most`; None for
    all of them. Where one of two classes is rare, all of it is kept, up to half of what is looked
    at, and each row counts for as many as it was drawn from: `positive`, bool of shape (rows,),
    says which rows are of one class.
    """
    if rows <= most:
        return None
    chance = np.random.default_rng(seed)
    rare = None if positive is None else _rarer(positive)
    if rare is None:
        return Drawn(np.sort(chance.choice(rows, most, replace=False, shuffle=False)))
    few, many = np.flatnonzero(rare), np.flatnonzero(~rare)
    kept = few
    if len(few) > most // 2:
        kept = chance.choice(few, most // 2, replace=False, shuffle=False)
    others = chance.choice(many, most - len(kept), replace=False, shuffle=False)
    places = np.sort(np.concatenate([kept, others]))
    counted = np.where(rare[places], len(few) / len(kept), len(many) / len(others))
    return Drawn(places, counted, len(kept))


def _rarer(positive: np.ndarray) -> np.ndarray | None:
    """Which rows are of a class that is rare; None where neither is."""
    share = float(positive.mean())
    if not 0 < min(share, 1 - share) < RARE:
        return None
    return positive if share < RARE else ~positive


def fits_of(policy: SearchPolicy) -> int:
    """How many fits a search takes, at most, by the method of the policy."""
    return most_fits(policy) if policy.method == ADAPTIVE else policy.trials * policy.folds


def most_fits(policy: SearchPolicy) -> int:
    """How many fits a search takes at most: half of those of all trials on all folds, and at least
    one trial of each family.
    """
    return max(policy.trials * policy.folds // 2, len(policy.families) * policy.folds)


def searched(
    rows: Rows,
    policy: SearchPolicy,
    progress: Progress,
    workers: int,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> Tuning:
    """Search by the method of the policy; the arguments are as those of `training.tune`."""
    if policy.method == ADAPTIVE:
        return search(rows, policy, progress, workers, groups, times)
    return tune(
        rows.features,
        rows.labels,
        rows.numeric,
        policy,
        progress,
        workers,
        groups=groups,
        times=times,
        coding=rows.coding,
        weights=rows.weights,
        monotone=rows.monotone,
    )


def search(
    rows: Rows,
    policy: SearchPolicy,
    progress: Progress,
    workers: int = 1,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> Tuning:
    """Search the families of a policy within `most_fits`; the arguments are as those of
    `training.tune`.

    Trials are in the order in which they were asked for. One that was ended early has the scores
    of its first folds, and never wins.
    """
    from joblib import Parallel

    preload()  # what threads import sets the filters of warnings back
    folds = all_folds(rows.labels, groups, times, policy)
    table = table_of(rows, folds[-1][0])
    weight = weighted({}, policy)
    spaces = {family: space_of(family, table, weight) for family in policy.families}
    with Parallel(n_jobs=workers, prefer="threads") as parallel, one_thread_each():
        judge = _judge(parallel, rows, folds)
        race = _Race(_study(policy.seed), spaces, judge, len(folds), progress)
        race.begin()
        race.go_on(most_fits(policy))
    return msgspec.structs.replace(tuning_of(race.trials), winner=winner_of(race.trials))


def winner_of(trials: Sequence[Trial]) -> Trial:
    """The best trial; or, of those that can hardly be told from it, the one whose probabilities are
    nearest.

    Ranks do not see a probability that is drawn to the middle, as a strong penalty draws it; people
    read it, and the gate has a ceiling for it.
    """
    best = tuning_of(trials).winner
    alike = [trial for trial in whole(trials) if trial is best or _alike(trial, best)]
    return min(alike, key=lambda trial: (_loss(trial), -trial.score, trial.number))


def _alike(trial: Trial, best: Trial) -> bool:
    """Whether a trial is behind by no more than folds say of the difference, and by no more than
    half of what is known of the best score.
    """
    lost = np.subtract(best.folds, trial.folds)
    error = float(lost.std(ddof=1)) / len(lost) ** 0.5
    known = best.std / (len(best.folds) - 1) ** 0.5
    return float(lost.mean()) <= min(error, known / 2)


def _loss(trial: Trial) -> float:
    """Its mean log loss; 0 of a number, which has none."""
    return 0.0 if isinstance(trial.log_loss, UnsetType) else float(np.mean(trial.log_loss))


def _with_losses(trial: Trial, scores: Scores) -> Trial:
    """The trial with the log loss of each fold, where there is one."""
    losses = tuple(one.log_loss for one in scores)
    return trial if np.isnan(losses).any() else msgspec.structs.replace(trial, log_loss=losses)


def _study(seed: int) -> "optuna.Study":
    import optuna

    warnings.filterwarnings("ignore", message="WilcoxonPruner is experimental")  # it is pinned
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=_AT_RANDOM)
    pruner = optuna.pruners.WilcoxonPruner(p_threshold=_BEHIND, n_startup_steps=_FIRST_FOLDS)
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)


def _judge(parallel: "Parallel", rows: Rows, folds: Sequence[Fold]) -> Judge:
    """What gives the scores of points on some folds: a list for each point, folds in order."""
    from joblib import delayed

    def judged(points: Sequence[Point], places: Iterable[int]) -> list[Scores]:
        chosen = [folds[place] for place in places]
        jobs = [
            delayed(judge_fold)(family, parameters, rows, fold)
            for family, parameters in points
            for fold in chosen
        ]
        flat = list(parallel(jobs))
        return [flat[at * len(chosen) : (at + 1) * len(chosen)] for at in range(len(points))]

    return judged


@dataclass
class _Race:
    """Families and their trials so far; `fits` and `rounds` are counts."""

    study: "optuna.Study"
    spaces: dict[str, Space]
    judge: Judge
    folds: int
    progress: Progress
    trials: list[Trial] = field(default_factory=list)
    fits: int = 0
    rounds: dict[str, int] = field(default_factory=dict)
    beside: dict[str, list[Parameters]] = field(default_factory=dict)

    def begin(self) -> None:
        """Judge the first point of each family on all folds."""
        for family, space in self.spaces.items():
            self.beside[family] = space.neighbours
            self.study.enqueue_trial(space.start)
        asked = [self.study.ask() for _ in self.spaces]
        points = _points(asked, list(self.spaces.values()))
        scores = self.judge(points, range(self.folds))
        for trial, point, found in zip(asked, points, scores, strict=True):
            self._report(trial, found, range(self.folds))
            self._end(trial, point, found)

    def go_on(self, most: int) -> None:
        """One round after the other, as long as all of its fits are within the most."""
        while self.fits + self.folds <= most:
            family = self._next_family()
            self.rounds[family] = self.rounds.get(family, 0) + 1
            self._round(family, min(_AT_ONCE, (most - self.fits) // self.folds))

    def _round(self, family: str, count: int) -> None:
        """So many points of a family: all on the first folds, on the others what is not behind."""
        first = range(min(_FIRST_FOLDS, self.folds))
        rest = range(len(first), self.folds)
        asked = [self._asked(family) for _ in range(count)]
        points = _points(asked, [self.spaces[family]] * count)
        scores = self.judge(points, first)
        for trial, found in zip(asked, scores, strict=True):
            self._report(trial, found, first)
        going = [place for place, trial in enumerate(asked) if not trial.should_prune()]
        more = self.judge([points[place] for place in going], rest)
        for place, others in zip(going, more, strict=True):
            scores[place] = scores[place] + others
            self._report(asked[place], scores[place], rest)
        for trial, point, found in zip(asked, points, scores, strict=True):
            self._end(trial, point, found)

    def _asked(self, family: str) -> "optuna.Trial":
        """The next point of a family: beside its start first, then as the sampler proposes."""
        if self.beside[family]:
            self.study.enqueue_trial(self.beside[family].pop(0))
        return self.study.ask()

    def _report(self, trial: "optuna.Trial", scores: Scores, places: Iterable[int]) -> None:
        """Tell the pruner these folds of a trial, each less that of the first trial: folds differ
        more than settings do.
        """
        gains = self._gains(scores)
        for place in places:
            trial.report(gains[place], place)

    def _gains(self, scores: Scores) -> list[float]:
        mine = tuple(one.average_precision for one in scores)
        first = self.trials[0].folds if self.trials else mine
        return [score - base for score, base in zip(mine, first, strict=False)]

    def _end(self, trial: "optuna.Trial", point: Point, scores: Scores) -> None:
        """Keep a trial, and tell the sampler how it ended."""
        from optuna.trial import TrialState

        if len(scores) == self.folds:
            self.study.tell(trial, float(np.mean(self._gains(scores))))
        else:
            self.study.tell(trial, state=TrialState.PRUNED)
        self.fits += len(scores)
        self.trials.append(_with_losses(trial_of(len(self.trials), *point, scores), scores))
        self.progress(self.trials[-1])

    def _next_family(self) -> str:
        """The one with the fewest rounds of those that may still win; of equals the better one.
        Each that is not hopeless has one: where a family begins need not be where it is good.
        """
        best = {family: self._best(family) for family in self.spaces}
        leader = tuning_of(list(best.values())).winner
        running = [
            family
            for family, trial in best.items()
            if not _surely_behind(trial, leader, 1.0 if family in self.rounds else _HOPELESS)
        ]
        return min(running, key=lambda name: (self.rounds.get(name, 0), -best[name].score))

    def _best(self, family: str) -> Trial:
        return tuning_of([one for one in whole(self.trials) if one.family == family]).winner


def _points(asked: Sequence["optuna.Trial"], spaces: Sequence[Space]) -> list[Point]:
    pairs = zip(asked, spaces, strict=True)
    return [(space.family, space.suggested(trial)) for trial, space in pairs]


def _surely_behind(trial: Trial, leader: Trial, times: float) -> bool:
    """Whether a trial is behind by more than what folds say of the difference, and by more than so
    many times the standard error of the leader's score, which other settings of the same family may
    make up.
    """
    lost = np.subtract(leader.folds, trial.folds)
    error = float(lost.std(ddof=1)) / len(lost) ** 0.5
    known = leader.std / (len(leader.folds) - 1) ** 0.5
    return float(lost.mean()) > max(_SURELY * error, times * known)
