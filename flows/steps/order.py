"""The order of the steps: the only place that says it."""

from typing import Any

from flows.engine.step import Step
from flows.steps.evidence import EVIDENCE
from flows.steps.gate import GATE
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from flows.steps.replay import REPLAY
from flows.steps.score import SCORE
from flows.steps.smoke import SMOKE
from flows.steps.split import SPLIT
from flows.steps.train import TRAIN
from flows.steps.tune import TUNE
from flows.steps.validate import VALIDATE

# What a step takes differs from step to step, so nothing can be said of it for all of them.
AnyStep = Step[Any, Any]

TO_MODEL: tuple[AnyStep, ...] = (VALIDATE, SPLIT, TUNE, TRAIN)
TO_VERDICT: tuple[AnyStep, ...] = (SCORE, GATE, REPLAY, EVIDENCE)
TO_IMAGE: tuple[AnyStep, ...] = (PACKAGE, IMAGE, SMOKE)
STEPS: tuple[AnyStep, ...] = TO_MODEL + TO_VERDICT + TO_IMAGE
