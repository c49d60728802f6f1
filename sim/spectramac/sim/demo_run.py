# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the demonstration's networks over the digits, on the simulated RTL and on the golden model."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.compile import compile_network
from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.data import digits
from spectramac.compress.size import dense_bytes, dense_graph_bytes
from spectramac.host import cli_graph
from spectramac.host.accelerator import Accelerator
from spectramac.host.cli_files import Model
from spectramac.host.cli_graph import GraphModel
from spectramac.host.cli_run import Counted, compare
from spectramac.host.graph_accelerator import GraphAccelerator
from spectramac.host.transport import Transport, open_transport
from spectramac.model.batch import accuracy
from spectramac.model.depthwise import AveragePooling
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.network import Network, load_network
from spectramac.sim.demo_result import DemoResult
from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig, preset

__all__ = ["Progress", "demo_graph", "demo_network", "run_demo", "run_graph_demo", "run_preset"]

Progress = Callable[[int, int], None]
_WEIGHTLESS = (Addition, AveragePooling, MaxPooling, Rectifier)


def _shipped(name: str) -> Path:
    import spectramac.compress.data as package

    path = Path(str(package.__file__)).parent / "data" / name
    if not path.is_file():
        raise FileNotFoundError(
            f"the demonstration network must be at {path}; `spectramac train-demo` makes it"
        )
    return path


def demo_network() -> Network:
    """The trained, compressed, fully-connected demonstration network that comes with the project.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    return load_network(_shipped("digits.npz"))


def demo_graph() -> GraphNetwork:
    """The convolutional one; errors as of :func:`demo_network`."""
    return load_graph(_shipped("digits-conv.npz"))


def _channels(network: GraphNetwork) -> str:
    """Of the input and behind every layer that has weights, outputs last."""
    layers = [n for n in network.nodes if not isinstance(n, _WEIGHTLESS)]
    shapes = [network.input_shape, *(network.shapes[node.name] for node in layers)]
    return "-".join(str(channels) for _, _, channels in shapes)


class _Result(Counted, Protocol):
    @property
    def cycles_per_inference(self) -> float: ...


@dataclass(frozen=True, eq=False)
class _Case:
    """A compiled network, and how its driver runs it.

    ``n_multiplications``: of one inference of the same network, dense.
    """

    config: AcceleratorConfig
    network: str
    meta: Mapping[str, Any]
    x: NDArray[np.int8]
    labels: NDArray[np.int64]
    run: Callable[[Transport, Progress | None], _Result]
    compare: Callable[[Any, Any], list[str]]
    dense_bytes: int
    stored_bytes: int
    n_multiplications: int


def _run_case(case: _Case, progress: Progress | None) -> DemoResult:
    config = case.config
    with open_transport("model", config) as device:
        golden = case.run(device, None)
    with SimTransport(config) as simulated:
        start, first = time.perf_counter(), simulated.cycles
        rtl = case.run(simulated, progress)
        seconds, cycles = time.perf_counter() - start, simulated.cycles - first
    noted = case.meta.get("float_accuracy")
    return DemoResult(
        preset=config.name,
        network=case.network,
        float_accuracy=None if noted is None else float(noted),
        golden_accuracy=accuracy(golden.outputs.reshape(len(case.x), -1), case.labels),
        rtl_accuracy=accuracy(rtl.outputs.reshape(len(case.x), -1), case.labels),
        n_inferences=len(case.x),
        n_outputs=rtl.outputs.size,
        n_different=int((rtl.outputs != golden.outputs).sum()),
        differences=case.compare(rtl, golden),
        dense_bytes=case.dense_bytes,
        stored_bytes=case.stored_bytes,
        counted=rtl.cycles_per_inference,
        predicted=golden.cycles_per_inference,
        utilisation=rtl.counters["lane_busy"] / rtl.counters["cycles"],
        n_multipliers=config.n_multipliers,
        n_lane_multipliers=config.multipliers["lanes"],
        dense_cycles=case.n_multiplications / config.n_multipliers,
        simulated_cycles=cycles,
        seconds=seconds,
    )


def _runner(
    driver: Any, config: AcceleratorConfig, image: Any, x: NDArray[np.int8]
) -> Callable[[Transport, Progress | None], _Result]:
    """Runs ``image`` on ``x`` with a driver of this class."""

    def run(transport: Transport, progress: Progress | None) -> _Result:
        accelerator = driver(transport, config)
        accelerator.identify()
        accelerator.load(image)
        result: _Result = accelerator.run(x, progress=progress)
        return result

    return run


def run_demo(
    preset_name: str,
    *,
    network: Network | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> DemoResult:
    """Classify the held-out digits with fully-connected layers.

    Parameters
    ----------
    preset_name : str
    network : Network, optional
        64 inputs, 10 outputs; the demonstration's by default.
    limit : int, optional
        Only the first images.
    progress : callable, optional
        Called with the inferences done on the RTL, and their total.
    """
    network = demo_network() if network is None else network
    config = preset(preset_name)
    model = Model(compile_network(network, config), config, network)
    sample = digits()
    x = sample.x_test[:limit]
    sizes = [network.n_inputs, *(layer.n_out for layer in network.layers)]

    case = _Case(
        config=config,
        network=f"fully-connected, {'-'.join(map(str, sizes))}",
        meta=network.meta,
        x=x,
        labels=sample.y_test[:limit],
        run=_runner(Accelerator, config, model.image, x),
        compare=lambda rtl, golden: compare(model, x, rtl, golden),
        dense_bytes=dense_bytes(sizes),
        stored_bytes=model.image.stored_bytes,
        n_multiplications=sum(a * b for a, b in itertools.pairwise(sizes)),
    )
    return _run_case(case, progress)


def run_graph_demo(
    config: AcceleratorConfig,
    *,
    network: GraphNetwork | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> DemoResult:
    """Classify the held-out digits with convolutions.

    Parameters
    ----------
    config : AcceleratorConfig
        With ``maps``.
    network : GraphNetwork, optional
        Of maps of 8 x 8 x 1, 10 outputs; the demonstration's by default.
    limit, progress
        As of :func:`run_demo`.
    """
    network = demo_graph() if network is None else network
    model = GraphModel(compile_graph(network, config), config, network)
    sample = digits()
    x = cli_graph.to_maps(sample.x_test[:limit], model.image.input_shape)

    case = _Case(
        config=config,
        network=f"convolutional, {_channels(network)}",
        meta=network.meta,
        x=x,
        labels=sample.y_test[:limit],
        run=_runner(GraphAccelerator, config, model.image, x),
        compare=lambda rtl, golden: cli_graph.compare(model, x, rtl, golden),
        dense_bytes=dense_graph_bytes(network),
        stored_bytes=model.image.stored_bytes,
        n_multiplications=sum(layer["multiplications"] for layer in model.image.layers),
    )
    return _run_case(case, progress)


def run_preset(
    preset_name: str, *, limit: int | None = None, progress: Progress | None = None
) -> DemoResult:
    """The convolutional network on a preset with ``maps``, the fully-connected one on another."""
    config = preset(preset_name)
    if config.maps:
        return run_graph_demo(config, limit=limit, progress=progress)
    return run_demo(preset_name, limit=limit, progress=progress)
