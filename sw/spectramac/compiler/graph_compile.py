# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compiles an integer network graph for one accelerator configuration: programs, memory contents, transfers.

A program holds as many descriptors as the memories have room for; what does not fit makes the next *segment*, whose
memories the host writes while maps stay in activation memory (:mod:`spectramac.compiler.activation_plan`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectramac.compiler.activation_plan import ActivationPlan, Load, Store, plan_activations
from spectramac.compiler.boxes import Region, Run
from spectramac.compiler.layout import CompileError
from spectramac.compiler.lower_nodes import node_passes
from spectramac.compiler.map_view import Pass
from spectramac.compiler.segment import Program
from spectramac.model.graph_network import GraphNetwork
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.graph_image import GraphImage
from spectramac.spec.graph_segment import Segment, Transfer
from spectramac.spec.memory import memories
from spectramac.spec.section import Section

__all__ = ["compile_graph"]


def compile_graph(
    network: GraphNetwork, config: AcceleratorConfig, *, meta: Mapping[str, Any] | None = None
) -> GraphImage:
    """Compile a network graph.

    Parameters
    ----------
    network : GraphNetwork
    config : AcceleratorConfig
        With ``maps``.
    meta : mapping, optional
        Anything that is JSON, for the image.

    Returns
    -------
    GraphImage
        The report of a layer has ``node``, ``kind``, ``form`` (:func:`form`), ``stored_pairs``, ``entries`` and
        ``bytes`` (what later layers share is counted once) and ``multiplications`` of a dense layer, one inference.

    Raises
    ------
    CompileError
        If the network exceeds a resource however it is cut; names node, resource, both numbers and a remedy.
    """
    if not config.maps:
        raise CompileError(
            f"configuration {config.name!r} must have maps to run a network graph; use one with maps"
        )
    plan = plan_activations(network, config)
    builder = _Builder(network, config, plan)
    for action in plan.actions:
        builder.add(action)
    builder.close()
    on_host = {t.map for s in builder.segments for t in (*s.loads, *s.stores)}
    names = [network.input_name, *(node.name for node in network.nodes)]
    return GraphImage(
        name=network.name,
        identity=config.identity(),
        build_id=config.build_id,
        maps={n: network.shapes[n] for n in names if n in on_host | {network.input_name}},
        input=network.input_name,
        output=network.output_name,
        input_scale=network.input_scale,
        output_scale=network.output_scale,
        max_pairs=plan.max_pairs,
        sections=tuple(builder.sections),
        segments=tuple(builder.segments),
        meta=meta or {},
    )


def form(values: Mapping[str, int]) -> str:
    """How a descriptor computes its layer, in a few words."""
    kind = values["kind"]
    if kind in (Kind.LAYER, Kind.CONVOLUTION):
        sides = [_transform(values[f"{s}_log2_n"], values[f"{s}_two_d"]) for s in ("in", "out")]
        if sides == ["direct", "direct"]:
            return "direct"
        return " to ".join(sides)
    if kind == Kind.TILES:
        side = 1 << values["in_log2_n"] // 2
        return f"tiles {side} x {side}"
    if kind == Kind.DEPTHWISE:
        return "depthwise on lanes"
    if kind == Kind.WINDOW_SUM:
        return "average" if values["unit_kernel"] else "depthwise"
    return "maximum" if kind == Kind.WINDOW_MAXIMUM else "addition"


def _transform(log2_n: int, two_d: int) -> str:
    return ("fft2d " if two_d else "fft1d ") + str(1 << log2_n) if log2_n else "direct"


def _multiplications(values: Mapping[str, int]) -> int:
    """Of the same layer, dense and without transforms, for one inference."""
    kind = values["kind"]
    if kind == Kind.LAYER:
        return values["n_in"] * values["n_out"]
    if kind in (Kind.WINDOW_MAXIMUM, Kind.ADDITION) or values["unit_kernel"]:
        return 0
    outputs = values["out_height"] * values["out_width"] * values["n_out"]
    taps = values["kernel_height"] * values["kernel_width"]
    each = kind in (Kind.WINDOW_SUM, Kind.DEPTHWISE)
    return outputs * taps * (1 if each else values["n_in"])


@dataclass
class _Builder:
    """Segments, one after the other."""

    network: GraphNetwork
    config: AcceleratorConfig
    plan: ActivationPlan
    segments: list[Segment] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers: dict[Section, int] = {}
        self._reported: list[Any] = []  # tables that a report counts already
        self._open()

    def _open(self) -> None:
        self._program = Program(self.config)
        self._loads: list[Transfer] = []
        self._stores: list[Transfer] = []

    def add(self, action: Load | Store | Run) -> None:
        """The next action; maps are loaded before a segment's program, stored after it."""
        if isinstance(action, Store):
            self._stores.append(self._transfer(action.region))
        elif isinstance(action, Load):
            if self._program.passes or self._stores:
                self.close()
            self._loads.append(self._transfer(action.region))
        else:
            if self._stores:
                self.close()
            self._run(action)

    def _run(self, run: Run) -> None:
        n_pairs = self.plan.max_pairs
        sizes = [self.network.shapes[name][:2] for name in run.node.inputs]
        views = [region.view(n_pairs) for region in run.inputs]
        for some in node_passes(run.node, views, run.output.view(n_pairs), sizes, self.config):
            if self._program.passes and not self._program.takes(some):
                self.close()
            self._program.append(some)

    def close(self) -> None:
        """End the segment."""
        program = self._program
        if not (program.passes or self._loads or self._stores):
            return
        numbers = {name: self._number(section) for name, section in program.sections().items()}
        layers = tuple(self._report(some) for some in program.passes)
        self.segments.append(Segment(layers, numbers, tuple(self._loads), tuple(self._stores)))
        self._open()

    def _number(self, section: Section) -> int:
        if section not in self._numbers:
            self._numbers[section] = len(self.sections)
            self.sections.append(section)
        return self._numbers[section]

    def _transfer(self, region: Region) -> Transfer:
        base = region.offset * self.plan.max_pairs
        return Transfer(region.map, region.rows, region.columns, region.channels, base, region.size)

    def _report(self, some: Pass) -> dict[str, Any]:
        table = memories(self.config)
        tables = some.tables
        new = not any(tables is known for known in self._reported)
        if new:
            self._reported.append(tables)
        n_bytes = {n: -(-len(w) * table[n].width // 8) for n, w in tables.words.items()}
        return {
            "node": some.node,
            "kind": Kind(some.values["kind"]).name.lower(),
            "form": form(some.values),
            "stored_pairs": tables.stored_pairs if new else 0,
            "entries": tables.entries,
            "bytes": sum(n_bytes.values()) if new else 0,
            "multiplications": _multiplications(some.values),
        }
