"""Ledgers that must not forget: each attack meets one in which a holdout decided three times,
before there is any release.

Who attacks can push to the branch of the ledger and change what a holdout is called, and has no
rights in the registry, where its secret and its marks lie.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flows.adapters.git import git
from flows.decision import holdout
from flows.drills.gate.baseline import Ground
from flows.drills.gate.kept import kept
from flows.engine.phases import Candidate
from flows.gitops import ledger
from flows.gitops.ledger import LEDGER
from flows.project.settings import Settings
from flows.steps.split import SPLIT
from sluice.errors import Refused, SluiceError
from sluice.gate import spending
from sluice.gate.ledger import Ledger, Use, name_of, sealed
from sluice.model.data.split import row_hashes
from sluice.policy import SplitPolicy

LEDGER_RULE = "ledger"
_LOOKS = ("first", "second", "third")
_NEXT = "fourth"
_MALLORY = "Mallory <mallory@example.com>"
_OWN_SECRET = b"mallory's secret of thirty-two b"
_CHOSEN, _TRIED = 512, 20_000  # made-up people that are added, of so many
_SAMPLE = 2_048  # positives of which the ledger counts what they have spent
_FAR = 5.0  # standard errors of such a sample


@dataclass(frozen=True)
class Spent:
    """A ledger in which the holdout of `use` decided three times; everything lies under the home of
    `settings`. `candidate` is whose holdout it is.
    """

    settings: Settings
    model: str
    candidate: Candidate
    use: Use

    @property
    def repo(self) -> Path:
        """The bare repository with the branch of the ledger."""
        return Path(self.settings.manifest_url)


@dataclass(frozen=True)
class LedgerAttack:
    """What somebody does before the next candidate looks, and the look that is then reserved."""

    name: str
    attack: Callable[[Spent], Use]


def ledger_attacks() -> Iterator[LedgerAttack]:
    """All of them."""
    yield LedgerAttack("what the holdout spent taken out of the ledger", _changing(_forget))
    yield LedgerAttack("what the holdout spent halved in the ledger", _changing(_halve))
    yield LedgerAttack("the newest candidates taken out of the ledger", _changing(_shorten))
    yield LedgerAttack("the ledger begun anew by a push", _changing(_begin_anew))
    yield LedgerAttack("an empty ledger under a secret of one's own", _own_secret)
    yield LedgerAttack("the branch of the ledger deleted before the first release", _delete)
    yield LedgerAttack("the branch of the ledger set back to its first candidate", _set_back)
    yield LedgerAttack("a split of 0.5999 in the place of 0.6, with the same holdout", _same_rows)
    yield LedgerAttack("another salt of the split", _other_salt)
    yield LedgerAttack("512 made-up people, chosen for the hashes of their ids", _chosen)


def spent(ground: Ground, folder: Path) -> Spent:
    """A ledger under `folder` in which the holdout of the ground decided; begun where none is."""
    candidate = ground.candidate
    settings = candidate.request.settings.model_copy(
        update={"home": folder, "manifests": "", "registry": ""}
    )
    there = Spent(settings, candidate.request.model, candidate, holdout.use(candidate, _LOOKS[0]))
    if there.repo.exists():
        return there
    git.seed(there.repo, {"README.md": b"A drill\n"}, "main", "Begin", settings.signature)
    for name in _LOOKS:
        ledger.reserve(settings, there.model, look(there.use, name))
    return there


def look(use: Use, candidate: str) -> Use:
    """A look at the same rows by a candidate with a model of its own.

    The same model looked at again would go on with its use.
    """
    return replace(use, candidate=candidate, model=candidate)


def copied(there: Spent, folder: Path) -> Spent:
    """The same ledger in a folder of its own, to be attacked there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(there.settings.home, folder)
    return replace(there, settings=there.settings.model_copy(update={"home": folder}))


def remembered(there: Spent, attack: LedgerAttack) -> str:
    """What the ledger says to the next look after the attack; empty where it forgot.

    A look counts as remembered where it is refused, or is counted for as many of its rows as
    decided before. Raises ValueError where nothing was changed, or where the holdout had not
    decided three times: then the attack would prove nothing.
    """
    honest = look(there.use, _NEXT)
    before = ledger.peek(there.settings, there.model, honest).uses
    if before != len(_LOOKS):
        raise ValueError(f"the holdout decided {before} times; {len(_LOOKS)} are required")
    tip = git.tip(there.settings.remote, LEDGER)
    use = attack.attack(there)
    if use == honest and git.tip(there.settings.remote, LEDGER) == tip:
        raise ValueError("neither the ledger nor the holdout was changed")
    try:
        _, counted = ledger.reserve(there.settings, there.model, use)
    except Refused:
        return ""  # of what the policy allows, which is not what is tried here
    except SluiceError as error:
        return error.what
    wanted = least(there.use, use)
    known = f"the holdout is known to have decided {counted.uses} times; {wanted} are required"
    return known if counted.uses >= max(wanted, 1) else ""


def least(old: Use, new: Use) -> int:
    """How many uses a holdout has at least, whose rows are partly those of one with three."""
    ids = set(new.ids)
    share = len(ids & set(old.ids)) / len(ids)
    if share == 0.0:
        return 0
    error = math.sqrt((1.0 - share) / (share * min(_SAMPLE, len(ids))))
    known = max(0.0, 1.0 - _FAR * error) * share
    return spending.uses_of(known * spending.spent_by(len(_LOOKS)))


def _next_of(there: Spent) -> Use:
    return look(there.use, _NEXT)


Content = dict[str, object]


def _changing(change: Callable[[Mapping[str, object]], Content]) -> Callable[[Spent], Use]:
    """Push a changed ledger, and look at the same holdout."""

    def attack(there: Spent) -> Use:
        with git.clone(there.settings.remote, LEDGER) as repo:
            name = ledger.path(there.model)
            content = change(json.loads(git.file(repo, name) or b"{}"))
            text = json.dumps(content, indent=1, sort_keys=True) + "\n"
            git.push(repo, git.commit(repo, {name: text.encode()}, "Look here\n", _MALLORY))
        return _next_of(there)

    return attack


def _forget(content: Mapping[str, object]) -> Content:
    return {**content, "memory": {"reach": 2**64 - 1, "cohorts": []}}


def _halve(content: Mapping[str, object]) -> Content:
    memory = json.loads(json.dumps(content["memory"]))
    for cohort in memory["cohorts"]:
        cohort.update(spent=cohort["spent"] / 2, pooled=cohort["pooled"] / 2)
    return {**content, "memory": memory}


def _shorten(content: Mapping[str, object]) -> Content:
    releases = content["releases"]
    if not isinstance(releases, list):
        raise TypeError("the releases of a ledger are a list")
    return {**content, "releases": releases[:1]}


def _begin_anew(_: Mapping[str, object]) -> Content:
    return {"releases": []}


def _own_secret(there: Spent) -> Use:
    """An empty ledger, sealed as it should be, by another secret."""
    own = sealed(Ledger(key=name_of(_OWN_SECRET)), _OWN_SECRET)
    text = json.loads(ledger.encoded(own))
    return _changing(lambda _: text)(there)


def _delete(there: Spent) -> Use:
    git.git("update-ref", "-d", f"refs/heads/{LEDGER}", bare=there.repo)
    return _next_of(there)


def _set_back(there: Spent) -> Use:
    commits = git.git("rev-list", f"--max-count={len(_LOOKS)}", LEDGER, bare=there.repo).split()
    git.git("update-ref", f"refs/heads/{LEDGER}", commits[-1], bare=there.repo)
    return _next_of(there)


def _split(there: Spent, split: SplitPolicy) -> Use:
    """The look at the holdout of another split of the same rows."""
    candidate = there.candidate
    policy = replace(candidate.request.policy, split=split)
    request = replace(candidate.request, policy=policy)
    again = kept(
        there.settings.home,
        SPLIT,
        repr(split),
        lambda folder: SPLIT.work(folder, request, candidate.validated),
    )
    return holdout.use(replace(candidate, request=request, split=again), _NEXT)


def _same_rows(there: Spent) -> Use:
    old = there.candidate.request.policy.split
    less = 0.0001
    return _split(there, replace(old, train=old.train - less, validation=old.validation + less))


def _other_salt(there: Spent) -> Use:
    return _split(there, replace(there.candidate.request.policy.split, salt="another salt"))


def _chosen(there: Spent) -> Use:
    """Those whose public hashes are the smallest, as an old ledger counted them."""
    salt = there.candidate.request.policy.split.salt
    people = [f"made up {number}" for number in range(_TRIED)]
    order = np.argsort(row_hashes(salt, people))
    chosen = tuple(people[place] for place in order[:_CHOSEN])
    return replace(_next_of(there), ids=there.use.ids + chosen)
