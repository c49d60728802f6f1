# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Automatic search over technique, block, density and bits of every layer, and hidden widths, with Optuna.

The study lives in a storage: a file of a journal, or a database. It is taken up again from there, and any number
of processes, on any machines that reach the storage, may work on it at the same time. A trial that a killed
process leaves behind is counted by nobody. Needs the extra ``search``.
"""

import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback, Study
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from spectramac.compress.measure import Evaluated
from spectramac.compress.post_training import Choice
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_space import Trial
from spectramac.compress.techniques import NotRunnableError

__all__ = [
    "NothingFoundError",
    "Result",
    "best_trial",
    "open_storage",
    "open_study",
    "search",
    "work",
]

_DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_POLL_SECONDS = 0.2
_LOCK_SECONDS = 60
_IDENTITY = "spectramac"


class Problem(Protocol):
    """What is searched: :class:`~spectramac.compress.search_problem.Problem` of a chain of dense layers,
    :class:`~spectramac.compress.search_graph.GraphProblem` of a network graph.
    """

    @property
    def demand(self) -> Demand:
        """What it is searched for."""

    @property
    def seed(self) -> int:
        """Of all training."""

    @property
    def reference(self) -> float:
        """Validation accuracy of the network before compression, in percent."""

    def layer_names(self, n_layers: int) -> list[str]:
        """Of the layers that a trial chooses for, in order, if they are so many."""

    def identity(self) -> dict[str, Any]:
        """What must be the same for all processes of a study, as JSON values."""

    def starting_points(self) -> list[dict[str, Any]]:
        """Parameters that a search begins with."""

    def evaluate(self, trial: Trial) -> tuple[Evaluated, list[Choice]]:
        """Everything about the point of a trial; the same parameters give the same network."""


class NothingFoundError(ValueError):
    """No trial meets the demand; says how near the nearest comes."""


def open_storage(text: str) -> BaseStorage:
    """A database by its URL, as ``sqlite:///study.db`` or ``postgresql://…``; else a journal, the path of a file.

    SQLite is for processes of one machine; a journal also for machines that share the folder.

    Raises
    ------
    ValueError
        If a path has the suffix of a database.
    """
    if "://" in text:
        if not text.startswith("sqlite"):
            return RDBStorage(text)
        storage = RDBStorage(text, engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}})
        _lock_early(storage.engine)
        return storage
    path = Path(text)
    if path.suffix in (".db", ".sqlite", ".sqlite3"):
        raise ValueError(f"storage must be a URL for a database: sqlite:///{text}, not {text!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def _lock_early(engine: sqlalchemy.Engine) -> None:
    """Make SQLite lock a transaction from its start.

    SQLite knows no ``SELECT … FOR UPDATE``, and by default locks with the first write: two processes that read a
    waiting trial would both take it. The recipe is SQLAlchemy's (pysqlite, "Serializable isolation").
    """

    @sqlalchemy.event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections made before


def open_study(
    problem: Problem,
    storage: str,
    name: str,
    sampler_seed: int = 0,
    known: Sequence[FrozenTrial] = (),
) -> Study:
    """Make a study, or take it up again. A new one tries every technique alone first, if none is known yet.

    Raises
    ------
    ValueError
        If the storage has a study of this name of another problem; names the difference.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=open_storage(storage),
        study_name=name,
        load_if_exists=True,
        direction="maximize" if problem.demand.is_budget else "minimize",
        sampler=optuna.samplers.TPESampler(seed=sampler_seed),
    )
    wanted, found = problem.identity(), study.user_attrs.get(_IDENTITY)
    if found is None:
        study.set_user_attr(_IDENTITY, wanted)
        study.add_trials(known)
        for point in [] if known else problem.starting_points():
            study.enqueue_trial(point, skip_if_exists=True)
    elif found != wanted:
        key = next(k for k in wanted if found.get(k) != wanted[k])
        raise ValueError(
            f"study {name!r} in {storage} was made with {key} {found.get(key)!r}, not "
            f"{wanted[key]!r}; give the study another name, or use the same options"
        )
    return study


def _objective(problem: Problem) -> Callable[[optuna.Trial], float]:
    def objective(trial: optuna.Trial) -> float:
        start = time.perf_counter()
        trial.set_user_attr("worker", f"{platform.node()}:{os.getpid()}")
        try:
            found, choices = problem.evaluate(trial)
        except (NotRunnableError, ValueError) as error:
            # The inputs were checked: what is left is what cannot be encoded, or does not fit.
            trial.set_user_attr("reason", str(error))
            raise optuna.TrialPruned(str(error)) from None
        excess = problem.demand.excess(found.size, found.accuracy, problem.reference)
        trial.set_constraint("demand", excess)
        for key, value in (
            ("excess", excess),
            ("accuracy", found.accuracy),
            ("loss", found.loss),
            ("stored_bytes", found.size.stored_bytes),
            ("cycles", found.size.cycles),
            ("multiplications", found.multiplications),
            ("techniques", [c.technique.name for c in choices]),
            ("densities", [c.density for c in choices]),
            ("bits", [c.quantization.bits for c in choices]),
            ("steps", [c.quantization.steps for c in choices]),
            ("seconds", time.perf_counter() - start),
        ):
            trial.set_user_attr(key, value)
        return found.accuracy if problem.demand.is_budget else float(found.size.stored_bytes)

    return objective


def _n_done(study: Study) -> int:
    return len(study.get_trials(deepcopy=False, states=_DONE))


def work(problem: Problem, storage: str, name: str, n_trials: int, sampler_seed: int) -> None:
    """Evaluate points in this process until the study has ``n_trials``; arguments as of :func:`search`."""
    study = open_study(problem, storage, name, sampler_seed)
    if _n_done(study) < n_trials:
        study.optimize(_objective(problem), callbacks=[MaxTrialsCallback(n_trials, states=_DONE)])


def best_trial(study: Study) -> FrozenTrial:
    """The best trial that meets the demand; of equals the one of fewer bytes, then of higher accuracy, then the first.

    Raises
    ------
    NothingFoundError
        If none does.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    good = [t for t in complete if t.user_attrs["excess"] <= 0]
    if good:
        sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1

        def order(t: FrozenTrial) -> tuple[float, ...]:
            assert t.value is not None
            attrs = t.user_attrs
            return sign * t.value, attrs["stored_bytes"], -attrs["accuracy"], t.number

        return min(good, key=order)
    if complete:
        nearest = min(complete, key=lambda t: t.user_attrs["excess"]).user_attrs
        raise NothingFoundError(
            f"none of {_n_done(study)} trials meets the demand; the nearest has "
            f"{nearest['accuracy']:.2f} % in {nearest['stored_bytes']} bytes and "
            f"{nearest['cycles']:.1f} cycles"
        )
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    reason = pruned[-1].user_attrs.get("reason", "?") if pruned else "nothing was tried"
    raise NothingFoundError(f"none of {len(pruned)} trials could be evaluated; the last: {reason}")


@dataclass(frozen=True, eq=False)
class Result:
    """What a search found.

    Attributes
    ----------
    trial : optuna.trial.FrozenTrial
    found : Evaluated
        Of its parameters, evaluated once more.
    study : optuna.Study
    """

    trial: FrozenTrial
    found: Evaluated
    study: Study


def search(
    problem: Problem,
    storage: str,
    *,
    name: str = "spectramac",
    n_trials: int = 100,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Evaluate points until the study has ``n_trials``, those of earlier runs and other processes counted.

    With several processes it may get up to one more from each but the last to finish.

    Parameters
    ----------
    problem : Problem
    storage : str
        See :func:`open_storage`.
    name : str
        Of the study.
    n_trials : int
    jobs : int
        Processes here.
    progress : callable (done, of), optional

    Raises
    ------
    NothingFoundError
        If no trial meets the demand.
    ValueError
        If the study is one of another problem.
    ChildProcessError
        If a process fails.
    """
    study = open_study(problem, storage, name)
    # Samplers of later runs draw other points.
    start = len(study.get_trials(deepcopy=False))
    jobs = jobs if _n_done(study) < n_trials else 0
    seeds = [1000 * problem.seed + start + i for i in range(jobs)]
    arguments = [(problem, storage, name, n_trials, seed) for seed in seeds]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=a) for a in arguments]
    try:
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            if progress is not None:
                progress(min(_n_done(study), n_trials), n_trials)
            time.sleep(_POLL_SECONDS)
    finally:
        for worker in workers:
            if worker.pid is None:  # the start of one before it failed
                continue
            if worker.is_alive():
                worker.terminate()
            worker.join()
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed:
        raise ChildProcessError(f"{len(failed)} of {jobs} processes ended with status {failed[0]}")
    if progress is not None:
        progress(n_trials, n_trials)
    trial = best_trial(study)
    found, _ = problem.evaluate(FixedTrial(trial.params))
    return Result(trial, found, study)
