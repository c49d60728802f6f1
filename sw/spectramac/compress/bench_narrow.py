# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of narrow networks behind a spectral input (:mod:`spectramac.compress.train_narrow`)."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.train_conv_teacher import cached_conv_logits
from spectramac.compress.train_narrow import NarrowPlan, train_narrow
from spectramac.compress.versions import Versions, image_versions
from spectramac.model.batch import quantize_input
from spectramac.spec.config import AcceleratorConfig, preset

__all__ = ["CONFIG", "PLANS", "NarrowBench"]

CONFIG: AcceleratorConfig = preset("small").replace(
    name="narrow",
    n_lanes=5,
    log2_n_max=8,
    coefficient_depth=4096,
    activation_depth=8192,
    directory_depth=1024,
)
"""As ``small``, with tiles of 16 x 16, and as many lanes as ten classes have row pairs: none is ever idle."""

INPUT_SCALE = 1 / 127
"""Real value of one int8 step: pixels are from 0 to 1."""


def _plan(name: str, image: int, tile: int, bins: int, *hidden: int, **given: Any) -> NarrowPlan:
    return NarrowPlan(name=name, image=(image, image), tile=tile, bins=bins, hidden=hidden, **given)


PLANS: dict[str, tuple[NarrowPlan, ...]] = {
    "fashion-mnist": (
        _plan("16 kB", 28, 16, 120, 150, 60, 20, rate=1e-2),
        _plan("8.7 kB", 28, 16, 100, 100, 40, 20, rate=1e-2),
        _plan("4.4 kB", 28, 16, 80, 60, 30, 20, rate=2e-2, float_epochs=40, tune_epochs=25),
        _plan("2.3 kB", 28, 16, 60, 40, 20, 10, rate=2e-2, float_epochs=60, tune_epochs=40),
    ),
    "digits": (
        _plan("1.6 kB", 8, 8, 36, 40, 20, rate=2e-2, float_epochs=90, tune_epochs=60),
        _plan("1.2 kB", 8, 8, 32, 40, rate=2e-2, float_epochs=90, tune_epochs=60),
    ),
}
"""By data set. Widths, rates and epochs were chosen on the validation part, or on folds."""

FOLDS = {"digits": 5}
"""Data sets whose plans were chosen on so many folds of the training part: all of it trains what is reported."""

METHOD = "narrow-int4"
"""Name in the results."""

MIRRORED = ("fashion-mnist",)
"""Whose pictures may be mirrored left to right."""


@dataclass(eq=False)
class NarrowBench:
    """The narrow networks of one data set.

    Parameters
    ----------
    bench : DenseBench
        Its data, dense networks (what accuracies are compared with) and results.
    teacher_epochs : int
        Of the convolutional teacher; see :func:`~spectramac.compress.training.passes`.
    """

    bench: DenseBench
    teacher_epochs: int

    @cached_property
    def versions(self) -> Versions:
        """Of the training images, with the logits of the convolutional teacher; trained once."""
        bench, data = self.bench, self.bench.data
        inputs = image_versions(
            quantize_input(data.x_train, INPUT_SCALE), data.shape, mirror=data.name in MIRRORED
        )
        logits = cached_conv_logits(
            bench.out / "teacher",
            inputs,
            data.y_train,
            data.shape,
            epochs=self.teacher_epochs * bench.passes,
            seed=0,
            progress=lambda done, of: bench.log(f"{data.name}, teacher: epoch {done} of {of}"),
        )
        return Versions(inputs=inputs, logits=logits)

    def run(self, plan: NarrowPlan, seeds: Sequence[int]) -> None:
        """One network with all seeds; what is in the results already is not done again."""
        for seed in seeds:
            key = {
                "dataset": self.bench.data.name,
                "method": METHOD,
                "plan": plan.name,
                "seed": seed,
            }
            if self.bench.results.find("results", **key) is None:
                self._run(plan, key, seed)

    def _run(self, plan: NarrowPlan, key: dict[str, Any], seed: int) -> None:
        bench, data = self.bench, self.bench.data
        start = time.perf_counter()
        longer = dataclasses.replace(
            plan,
            float_epochs=plan.float_epochs * bench.passes,
            tune_epochs=plan.tune_epochs * bench.passes,
        )
        network = train_narrow(
            longer, data, self.versions, CONFIG, input_scale=INPUT_SCALE, seed=seed
        )
        found = bench.figures(network, f"{data.name}-{plan.name.replace(' ', '-')}-{seed}")
        bench.results.add(
            "results",
            **key,
            density=plan.bins / plan.columns,
            rate=plan.rate,
            trained=dataclasses.asdict(longer),
            **(bench.validate(network).fields() if len(data.y_validation) else {}),
            **found,
        )
        bench.log(
            f"{data.name}, {plan.name}, seed {seed}: {found['accuracy']:.2f} % in "
            f"{found['bytes']} bytes ({time.perf_counter() - start:.0f} s)"
        )
