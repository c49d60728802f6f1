# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The comparison behind ``spectramac compress --data``, with and without training, and what it chooses."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from spectramac.host import cli_report
from spectramac.host.cli_compress_options import ReportOptions
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Choosing", "trained", "untrained"]


def _methods(
    options: ReportOptions, config: AcceleratorConfig, layers: Sequence[Any], calibration: Any
) -> list[Any]:
    from spectramac.compress.methods import methods_for
    from spectramac.compress.ordered import with_ordered

    methods = methods_for(config, options.bits)
    return with_ordered(methods, layers, calibration) if options.reorder else methods


def _orders(
    candidate: Any, methods: Iterable[Any], layers: Sequence[Any], calibration: Any
) -> list[Any]:
    """What was measured for the hidden layers of a candidate, if its method orders them."""
    from spectramac.compress.ordered import OrderedMethod
    from spectramac.compress.techniques import INT8

    method = next(m for m in methods if m.name == candidate.method)
    if not isinstance(method, OrderedMethod):
        return []
    return method.reordered(layers, candidate.density, INT8, calibration)[2]


def untrained(options: ReportOptions, config: AcceleratorConfig, layers: Sequence[Any]) -> Any:
    """Compress in every way, in one step, and choose: an :class:`~spectramac.compress.report.Outcome`.

    Raises
    ------
    NoCandidateError
        If no candidate meets the demand.
    """
    from spectramac.compress.candidates import Comparison
    from spectramac.compress.compare import compare, float_accuracy, seen_calibration, spectra_of
    from spectramac.compress.labelled import load_labelled
    from spectramac.compress.report import Outcome

    n_in, n_out = layers[0][0].shape[1], len(layers[-1][0])
    data = load_labelled(options.data, n_in, n_out, seed=options.seed)
    seen = seen_calibration(data.calibration, options.input_scale)
    methods = _methods(options, config, layers, seen)
    common: dict[str, Any] = {
        "bits": options.bits,
        "input_scale": options.input_scale,
        "methods": methods,
    }
    found = []
    total = len(methods) * len(options.densities)
    with cli_report.progress("comparing") as progress:
        for candidate in compare(layers, data, config, densities=options.densities, **common):
            found.append(candidate)
            progress(len(found), total)
    comparison = Comparison(tuple(found), float_accuracy(layers, data.x, data.labels))
    chosen = comparison.choose(options.demand)
    best = comparison.candidates[chosen]
    return Outcome(
        comparison=comparison,
        chosen=chosen,
        spectra=spectra_of(best, layers, data, config, **common),
        orders=_orders(best, methods, layers, seen),
        selection=data,
    )


def trained(options: ReportOptions, config: AcceleratorConfig, layers: Sequence[Any]) -> Any:
    """Train in every way, choose, and adjust the density of the chosen method to the demand; gives an
    :class:`~spectramac.compress.report.Outcome`.

    Raises
    ------
    NoCandidateError
        If no candidate meets the demand.
    """
    from spectramac.compress.candidates import Comparison
    from spectramac.compress.compare import float_accuracy, seen_calibration
    from spectramac.compress.compare_trained import TrainedComparison
    from spectramac.compress.report import Outcome
    from spectramac.compress.split import load_split

    n_in, n_out = layers[0][0].shape[1], len(layers[-1][0])
    data = load_split(options.data, n_in, n_out, seed=options.seed)
    seen = seen_calibration(data.calibration, options.input_scale)
    methods = _methods(options, config, layers, seen)
    training = options.training(len(data.x_train))
    plans = TrainedComparison(
        layers=layers,
        data=data,
        config=config,
        training=training,
        densities=options.densities,
        bits=options.bits,
        input_scale=options.input_scale,
        methods=methods,
        seed=options.seed,
    )
    reference = float_accuracy(layers, data.x_validation, data.y_validation)
    choice = Choosing(options.demand, Comparison((), reference))
    cli_report.note(
        f"training {len(methods) * len(options.densities)} candidates, each in {training.epochs} passes over "
        f"{len(data.x_train)} samples"
    )
    with cli_report.progress("training") as progress:
        choice.take(plans.candidates(progress))
    chosen = choice.comparison.choose(options.demand)
    first = choice.comparison.candidates[chosen]
    with cli_report.progress(f"adjusting {first.method}") as progress:
        choice.take(plans.adjust(choice.best, options.demand, options.adjust, progress))
    return Outcome(
        comparison=choice.comparison,
        chosen=choice.comparison.choose(options.demand),
        spectra=choice.best.spectra(),
        orders=_orders(first, methods, layers, seen),
        selection=data.selection,
        test=data.test,
        training=options.training_figures(training, len(data.x_train)),
    )


@dataclass(eq=False)
class Choosing:
    """The best of what was tried so far; of the others only the figures are kept."""

    demand: Any
    comparison: Any
    best: Any = None

    def take(self, more: Iterable[Any]) -> None:
        """Look at more attempts, which have a ``candidate``."""
        from spectramac.compress.candidates import NoCandidateError

        for trained in more:
            candidates = (*self.comparison.candidates, trained.candidate)
            self.comparison = replace(self.comparison, candidates=candidates)
            with suppress(NoCandidateError):
                if self.comparison.choose(self.demand) == len(candidates) - 1:
                    self.best = trained
