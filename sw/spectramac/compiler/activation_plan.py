# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the maps of a graph are while it runs: in activation memory as long as they fit, otherwise on the host.

Maps get the first gap that is large enough, and leave it with the last node that reads them. If there is none, the
maps that are needed last go to the host and are loaded again. A node that does not fit on its own is computed in
boxes of its output, mostly stripes of whole rows, each from what it sees.
"""

from dataclasses import dataclass, field, replace

from spectramac.compiler.boxes import Region, Run, boxes
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_node import MapNode
from spectramac.spec.config import AcceleratorConfig

__all__ = ["ActivationPlan", "Load", "Store", "plan_activations"]


@dataclass(frozen=True)
class Load:
    """From the host to activation memory."""

    region: Region


@dataclass(frozen=True)
class Store:
    """From activation memory to the host."""

    region: Region


@dataclass(frozen=True)
class ActivationPlan:
    """What happens, in order.

    Parameters
    ----------
    actions : tuple of Load, Store or Run
    max_pairs : int
        Pairs of inferences that fit.
    """

    actions: tuple[Load | Store | Run, ...]
    max_pairs: int


def plan_activations(network: GraphNetwork, config: AcceleratorConfig) -> ActivationPlan:
    """Plan a network.

    Raises
    ------
    CompileError
        If not even one output of a node fits together with what it sees.
    """
    planner = _Planner(network, config)
    for number, node in enumerate(network.nodes):
        planner.run(number, node)
    most = config.activation_depth // planner.peak
    return ActivationPlan(tuple(planner.actions), min(most, (1 << 16) - 1))


@dataclass
class _Planner:
    network: GraphNetwork
    config: AcceleratorConfig
    actions: list[Load | Store | Run] = field(default_factory=list)
    resident: dict[str, Region] = field(default_factory=dict)
    peak: int = 0

    def __post_init__(self) -> None:
        self.on_host = {self.network.input_name}
        self.uses: dict[str, list[int]] = {}
        for number, node in enumerate(self.network.nodes):
            for name in node.inputs:
                self.uses.setdefault(name, []).append(number)

    def run(self, number: int, node: MapNode) -> None:
        """Plan a node."""
        before = list(self.actions), dict(self.resident), set(self.on_host), self.peak
        if not self._whole(number, node):
            self.actions, self.resident, self.on_host, self.peak = before
            for name in list(self.resident):
                self._evict(name)
            if not (self._fits_alone(node) and self._whole(number, node)):
                self._in_boxes(node)
        for name in [*node.inputs, node.name]:
            if not any(use > number for use in self.uses.get(name, [])):
                self.resident.pop(name, None)

    def _region(self, name: str) -> Region:
        height, width, channels = self.network.shapes[name]
        return Region(name, (0, height), (0, width), (0, channels))

    def _fits_alone(self, node: MapNode) -> bool:
        names = {*node.inputs, node.name}
        return sum(self._region(n).size for n in names) <= self.config.activation_depth

    def _whole(self, number: int, node: MapNode) -> bool:
        """Inputs and output whole, if they can be placed."""
        kept = {*node.inputs, node.name}
        for name in dict.fromkeys(node.inputs):
            if name not in self.resident:
                if not self._place(self._region(name), kept, number):
                    return False
                self.actions.append(Load(self.resident[name]))
        if not self._place(self._region(node.name), kept, number):
            return False
        inputs = tuple(self.resident[name] for name in node.inputs)
        output = self.resident[node.name]
        self.actions.append(Run(node, inputs, output))
        if node.name == self.network.output_name:
            self.actions.append(Store(output))
        return True

    def _place(self, region: Region, kept: set[str], number: int) -> bool:
        """Find room, if need be that of maps which are needed later than any other."""
        while (offset := self._gap(region.size)) is None:
            others = [name for name in self.resident if name not in kept]
            if not others:
                return False
            self._evict(max(others, key=lambda name: min(u for u in self.uses[name] if u > number)))
        placed = Region(region.map, region.rows, region.columns, region.channels, offset)
        self.resident[region.map] = placed
        self.peak = max(self.peak, offset + region.size)
        return True

    def _gap(self, size: int) -> int | None:
        start = 0
        for region in sorted(self.resident.values(), key=lambda r: r.offset):
            if region.offset - start >= size:
                return start
            start = region.offset + region.size
        return start if self.config.activation_depth - start >= size else None

    def _evict(self, name: str) -> None:
        region = self.resident.pop(name)
        if name not in self.on_host:
            self.actions.append(Store(region))
            self.on_host.add(name)

    def _in_boxes(self, node: MapNode) -> None:
        for box in boxes(self.network, node, self.config):
            offset, inputs = 0, []
            for region in box.inputs:
                inputs.append(replace(region, offset=offset))
                offset += region.size
            output = replace(box.output, offset=offset)
            self.peak = max(self.peak, offset + output.size)
            self.actions += [
                *map(Load, inputs),
                Run(box.node, tuple(inputs), output),
                Store(output),
            ]
        self.on_host.add(node.name)
