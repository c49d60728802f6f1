# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``python -m spectramac.host.bench_conv``: convolutional networks on the simulated accelerator, cycles counted.

The four MLPerf Tiny topologies with random weights, from ONNX, and single layers whose speed is of interest. Each is
quantized, compiled and run for one pair of inferences on the Verilated RTL. The outputs must be those of the golden
model of graphs, the cycles of every layer the predicted ones; the tables compare them with a perfect dense int8 engine
of as many multipliers. Exit status 1 if anything differs.
"""

import argparse
import json
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.host.bench_command import log, run_command
from spectramac.spec.config import PRESETS, AcceleratorConfig, preset

__all__ = ["Measured", "main", "measure_network", "speed_layers"]


@dataclass(frozen=True)
class Measured:
    """One network or layer on the RTL.

    Attributes
    ----------
    name : str
    config : str
    n_multipliers : int
    rows : list of dict
        Of every node: ``node``, ``form``, ``passes``, ``bytes``, ``predicted`` and ``counted`` (cycles of a pair),
        ``ideal`` (cycles of a pair on the dense engine).
    different : int
        Output bytes that differ from the golden model's.
    seconds : float
        Of the run on the RTL.
    """

    name: str
    config: str
    n_multipliers: int
    rows: list[dict[str, Any]]
    different: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Nothing differs, and every node took the predicted cycles."""
        return not self.different and all(r["counted"] == r["predicted"] for r in self.rows)

    def total(self, key: str) -> float:
        """Over all nodes."""
        return sum(float(row[key]) for row in self.rows)


def measure_network(
    network: Any, x: Any, config: AcceleratorConfig, transport: str = "sim"
) -> Measured:
    """Compile a graph and run one pair of inferences.

    Parameters
    ----------
    network : GraphNetwork
    x : int8 array (2, height, width, channels)
    config : AcceleratorConfig
    transport : str
        See :func:`~spectramac.host.transport.open_transport`.
    """
    from spectramac.compiler.graph_compile import compile_graph
    from spectramac.compiler.graph_explain import explain_graph
    from spectramac.host.graph_accelerator import GraphAccelerator
    from spectramac.host.transport import open_transport
    from spectramac.model.graph_network import run_graph
    from spectramac.model.map_node import Arithmetic

    image = compile_graph(network, config)
    plans = explain_graph(image, config, x)
    expected = run_graph(network, x, Arithmetic.of(config))
    start = time.perf_counter()
    with open_transport(transport, config) as bus:
        device = GraphAccelerator(bus, config)
        device.load(image)
        found = device.run(x, timeout=3600)
    rows = [
        {
            "node": plan.node,
            "form": plan.form,
            "passes": plan.n_passes,
            "bytes": plan.n_bytes,
            "predicted": plan.cycles,
            "counted": found.node_cycles[plan.node],
            "ideal": 2 * plan.ideal_dense_cycles(config),
            "bound": plan.bound,
        }
        for plan in plans
    ]
    different = int(np.count_nonzero(found.outputs != expected))
    return Measured(
        network.name,
        config.name,
        config.n_multipliers,
        rows,
        different,
        time.perf_counter() - start,
    )


def _topology(name: str, form: Any = None) -> tuple[Any, Any]:
    """A topology with random weights and an input; ``form`` is that of its convolutions from 8 channels on."""
    from spectramac.compress.quantize_graph import quantize_graph
    from spectramac.graph.nodes import Conv
    from spectramac.graph.onnx_import import from_onnx
    from spectramac.graph.onnx_mlperf_tiny import TOPOLOGIES

    graph = from_onnx(TOPOLOGIES[name](0))
    wide = [n.name for n in graph.nodes if isinstance(n, Conv) and min(n.weight.shape[:2]) >= 8]
    forms = None if form is None else dict.fromkeys(wide, form)
    rng = np.random.default_rng(1)
    calibration = rng.normal(size=(16, *graph.input.shape))
    quantized = quantize_graph(graph, calibration, forms=forms)
    x = quantized.quantize_input(rng.normal(size=(2, *graph.input.shape)))
    network = (
        quantized.network
        if form is None
        else replace(quantized.network, name=f"{name}, SFT, density {form.density:g}")
    )
    return network, x


def _layer(name: str, kernel: int, form: Any) -> tuple[Any, Any]:
    """32 to 32 channels on 32 x 32 pixels, random weights."""
    from spectramac.compress.quantize_graph import quantize_graph
    from spectramac.graph.graph import Graph, Tensor
    from spectramac.graph.nodes import Conv

    rng = np.random.default_rng(0)
    pad = kernel // 2
    conv = Conv(
        name="conv",
        inputs=("x",),
        weight=rng.normal(size=(32, 32, kernel, kernel)) / (6 * kernel),
        bias=rng.normal(size=32) / 10,
        padding=((pad, pad), (pad, pad)),
    )
    graph = Graph(name=name, input=Tensor(name="x", shape=(32, 32, 32)), nodes=(conv,))
    quantized = quantize_graph(graph, rng.normal(size=(4, 32, 32, 32)), forms={"conv": form})
    return quantized.network, quantized.quantize_input(rng.normal(size=(2, 32, 32, 32)))


Make = Callable[[], tuple[Any, Any]]
"""How to make a network and its input."""


def speed_layers(config: AcceleratorConfig) -> dict[str, Make]:
    """Layers and networks whose speed is of interest, by name."""
    from spectramac.compress.graph_codes import Form
    from spectramac.compress.lanes import reach_of_bits
    from spectramac.compress.techniques import Quantization, Selection, SftConv, SpectralConv

    balanced = SftConv(8, 8, Selection("lanes", config.n_lanes, reach_of_bits(8)))

    def sft(density: float) -> Form:
        return Form(balanced, density, Quantization(8, "layer"))

    def layer(density: float) -> Make:
        name = f"3 x 3, SFT over channels, density {density:g}"
        return partial(_layer, name, 3, sft(density))

    tiles = Form(SpectralConv(16), 1.0, Quantization(8, "row"))
    return {
        "sft-quarter": layer(0.25),
        "sft-eighth": layer(0.125),
        "tiles-dense": partial(_layer, "7 x 7, tiles of 16 x 16, dense", 7, tiles),
        "resnet8-quarter": partial(_topology, "resnet8", sft(0.25)),
    }


def _table(measured: Sequence[Measured]) -> list[str]:
    head = ["network", "configuration, multipliers", "different", "cycles of a pair: predicted"]
    head += ["counted", "perfect dense int8", "times fewer"]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|---|---|"]
    for m in measured:
        counted, ideal = m.total("counted"), m.total("ideal")
        lines.append(
            f"| {m.name} | {m.config}, {m.n_multipliers} | {m.different} | {m.total('predicted'):.0f} "
            f"| {counted:.0f} | {ideal:.0f} | {ideal / counted:.2f} |"
        )
    return lines


def _nodes(m: Measured) -> list[str]:
    lines = [
        f"## {m.name}",
        "",
        "| node | form | passes | bytes | predicted | counted | perfect dense int8 | bound by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in m.rows:
        lines.append(
            f"| {r['node']} | {r['form']} | {r['passes']} | {r['bytes']} | {r['predicted']} "
            f"| {r['counted']} | {r['ideal']:.0f} | {r['bound']} |"
        )
    return [*lines, ""]


def _about(command: str) -> str:
    return (
        f"Made by `{command}`. One pair of inferences on the Verilated RTL; weights and inputs are random, so that no "
        "column is skipped but for exact zeros behind ReLU. *Different*: output bytes that differ from the golden "
        "model of graphs. *Perfect dense int8*: multiplications of the dense network, divided by all multipliers of "
        "the configuration, those of the FFTs included."
    )


def _report(measured: Sequence[Measured], command: str) -> str:
    text = [
        "# Convolutional networks: counted cycles",
        "",
        _about(command),
        "",
        *_table(measured),
        "",
    ]
    for m in measured:
        text += _nodes(m)
    return "\n".join(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.host.bench_conv",
        description="Run convolutional networks on the simulated RTL; needs the extras hdl, sim and import.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--networks", default="autoencoder,dscnn,resnet8,mobilenet", help="with commas; or none")
    add(
        "--layers",
        default="sft-quarter,sft-eighth,tiles-dense,resnet8-quarter",
        help="with commas; or none",
    )
    add("--preset", choices=list(PRESETS), default="conv", help="configuration")
    add("--transport", choices=["sim", "model"], default="sim", help="RTL, or golden model")
    add("--out", type=Path, default=Path("build/bench-conv"), help="folder")
    return parser


def _names(text: str, known: Sequence[str], what: str) -> list[str]:
    names = [] if text in ("", "none") else text.split(",")
    for name in names:
        if name not in known:
            raise ValueError(f"{what} must be of {', '.join(known)}, not {name!r}")
    return names


def _run(options: argparse.Namespace) -> bool:
    from spectramac.graph.onnx_mlperf_tiny import TOPOLOGIES

    config = preset(options.preset)
    layers = speed_layers(config)
    jobs = [(name, layers[name]) for name in _names(options.layers, list(layers), "layers")]
    for name in _names(options.networks, list(TOPOLOGIES), "networks"):
        jobs.append((name, partial(_topology, name)))
    measured = []
    options.out.mkdir(parents=True, exist_ok=True)
    for name, make in jobs:
        log(f"{name} ...")
        measured.append(measure_network(*make(), config, options.transport))
        m = measured[-1]
        log(
            f"{m.name}: {m.different} bytes differ, {m.total('counted'):.0f} cycles, predicted "
            f"{m.total('predicted'):.0f}, {m.total('ideal') / m.total('counted'):.2f} times fewer than "
            f"dense ({m.seconds:.0f} s)"
        )
        command = f"python -m spectramac.host.bench_conv {shlex.join(options.arguments)}".strip()
        (options.out / "bench-conv.md").write_text(_report(measured, command), encoding="utf-8")
        text = json.dumps([asdict(m) for m in measured], indent=1) + "\n"
        (options.out / "bench-conv.json").write_text(text, encoding="utf-8")
    print("\n".join(_table(measured)))
    return all(m.exact for m in measured)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    run_command(_parser(), _run, arguments)


if __name__ == "__main__":
    main()
