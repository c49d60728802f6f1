# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The automatic mix in the benchmark: technique, block, bits and density of every layer, how many neurons or filters,
and the learning rate, chosen for a budget of bytes as everything else there: on the validation part, or on the folds of
a small data set.

It begins with what the benchmark knows: every single technique with every rate is a trial of the study from the start.
So the best trial is never worse than the best of them. The trials that are best with the first seed, which
all trials have, are trained with all seeds (single techniques are so already). Of those and of the single
techniques the one with the best mean is the mix: if no trial is better than a technique alone, that technique is.
Best is the highest accuracy of the validation part; of equals, the lowest cross-entropy there: of few samples many
techniques get all right.

The same epochs, teacher and data as for a single technique. Needs the extras ``search`` and ``train``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from spectramac.compress.bench_budgets import MIX
from spectramac.compress.bench_integer import IntegerBench
from spectramac.compress.bench_results import Target
from spectramac.compress.measure import Score
from spectramac.compress.search import open_study, work
from spectramac.compress.techniques import NotRunnableError

__all__ = ["Mix"]

Row = dict[str, Any]


@dataclass(eq=False)
class Mix:
    """The mixes for one data set. Run the single techniques before.

    Parameters
    ----------
    bench : IntegerBench
    trials : int
        Of each budget, besides the single techniques.
    finalists : int
        So many of all trials, the best ones, single techniques among them, are trained with all seeds.
    """

    bench: IntegerBench[Any]
    trials: int
    finalists: int = 3

    def run(self, budget: int, seeds: Sequence[int]) -> None:
        """The mix for a budget, with all seeds; what is in the study or the results already is not done again."""
        bench, key = self.bench, {"dataset": self.bench.data.name, "budget": budget}
        missing = [s for s in seeds if not bench.results.find("results", **key, method=MIX, seed=s)]
        if not missing:
            return
        study = self.study(budget)
        choices = self._singles(budget, seeds)
        for trial in self._best(study):
            try:
                choices.append(self._trained(budget, trial, seeds))
            except (NotRunnableError, ValueError) as error:  # with another seed than the search's
                bench.log(
                    f"{bench.data.name}, mix in {budget} bytes, trial {trial.number}: {error}"
                )
        if not choices:
            reason = f"no technique and none of {self.trials} trials stays within the budget"
            for seed in missing:
                bench.results.add("results", **key, method=MIX, seed=seed, refusal=reason)
            return
        for row in max(choices, key=_order):
            if row["seed"] in missing:
                self._add(key, row)

    def study(self, budget: int) -> Study:
        """The study of a budget with all its trials."""
        storage = str(self.bench.out / "mix" / "study.journal")
        name = f"{self.bench.data.name}-{budget}"
        problem = self.bench.problem(budget, 0)
        known = self.known(budget, problem)
        study = open_study(problem, storage, name, known=known)
        n_known = sum("single" in t.user_attrs for t in study.get_trials(deepcopy=False))
        sampler_seed = len(study.get_trials(deepcopy=False))
        work(problem, storage, name, n_known + self.trials, sampler_seed)
        return study

    def known(self, budget: int, problem: Any) -> list[FrozenTrial]:
        """Every single technique that the space has, with every rate, as the benchmark measured it."""
        bench, found = self.bench, []
        target = Target(budget=budget)
        for row in bench.results.tables["rates"]:
            if (row["dataset"], row.get("budget"), row["seed"]) != (bench.data.name, budget, 0):
                continue
            density = bench.density(row["method"], target, 0)
            params = bench.parameters(row["method"], density, problem, 0)
            if params is not None:
                found.append(_known(problem, params | {"rate": row["rate"]}, row, budget))
        return found

    def _best(self, study: Study) -> list[FrozenTrial]:
        """Those among the best on the validation part with the first seed that are no single techniques."""
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        within = [t for t in trials if t.user_attrs["excess"] <= 0]
        best = sorted(within, key=lambda t: _score(t).order, reverse=True)[: self.finalists]
        return [t for t in best if "single" not in t.user_attrs]

    def _trained(self, budget: int, trial: FrozenTrial, seeds: Sequence[int]) -> list[Row]:
        """Rows of a trial with all seeds; networks and validation are kept."""
        bench, rows = self.bench, []
        for seed in seeds:
            key = {"dataset": bench.data.name, "budget": budget, "trial": trial.number}
            row = bench.results.find("finalists", **key, seed=seed)
            if row is None:
                problem = bench.problem(budget, seed)
                found, choices = problem.evaluate(FixedTrial(trial.params))
                name = f"{bench.data.name}-mix-{budget}B-{trial.number}-{seed}.npz"
                (bench.out / "networks").mkdir(parents=True, exist_ok=True)
                bench.save(found.network, bench.out / "networks" / name)
                row = {
                    **key,
                    "seed": seed,
                    "rate": trial.params["rate"],
                    **found.score.fields(),
                    "bytes": found.size.stored_bytes,
                    "network": name,
                    "plan": bench.plan_of(trial.params, choices),
                }
                bench.results.add("finalists", **row)
                bench.log(
                    f"{bench.data.name}, mix in {budget} bytes, trial {trial.number}, seed {seed}: "
                    f"{found.accuracy:.2f} % of the validation samples"
                )
            rows.append(row)
        return rows

    def _singles(self, budget: int, seeds: Sequence[int]) -> list[list[Row]]:
        """Rows of every single technique that is there with all seeds."""
        rows: dict[str, list[Row]] = {}
        for row in self.bench.results.tables["results"]:
            wanted = (self.bench.data.name, budget)
            if (row["dataset"], row.get("budget")) == wanted and "refusal" not in row:
                rows.setdefault(row["method"], []).append(row)
        return [same for same in rows.values() if {r["seed"] for r in same} >= set(seeds)]

    def _add(self, key: dict[str, Any], row: Row) -> None:
        bench = self.bench
        if "method" in row:
            added = {**row, "method": MIX, "plan": [f"{row['method']} alone"]}
        else:
            name = row["network"].removesuffix(".npz")
            network = bench.load(bench.out / "networks" / row["network"])
            added = {**row, "method": MIX, **bench.figures(network, name)}
        bench.results.add("results", **added)
        bench.log(
            f"{bench.data.name}, mix in {key['budget']} bytes, seed {row['seed']}, rate {row['rate']:g}: "
            f"{added['accuracy']:.2f} % in {added['bytes']} bytes: {'; '.join(added['plan'])}"
        )


def _score(trial: FrozenTrial) -> Score:
    return Score(trial.user_attrs["accuracy"], trial.user_attrs["loss"])


def _order(rows: Sequence[Row]) -> tuple[float, float]:
    """By the mean score; sums of the same accuracies in another order are equal."""
    accuracy, loss = np.mean([Score.of(row) for row in rows], axis=0)
    return Score(round(float(accuracy), 9), float(loss)).order


def _known(problem: Any, params: dict[str, Any], row: Row, budget: int) -> FrozenTrial:
    """A finished trial, as if the study had run it."""
    trial = FixedTrial(params)
    choices = problem.asked(trial)
    attributes = {
        "single": row["method"],
        "excess": 0.0,
        "accuracy": row["validation"],
        "loss": Score.of(row).loss,
        "stored_bytes": budget,
        "techniques": [choice.technique.name for choice in choices],
    }
    return create_trial(
        value=row["validation"],
        params={name: params[name] for name in trial.distributions},
        distributions=trial.distributions,
        user_attrs=attributes,
        constraints={"demand": 0.0},
    )
