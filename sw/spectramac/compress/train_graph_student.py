# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The network graph that is trained: made from a graph and the forms of its layers, thresholded, quantized."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectramac.compress.graph_codes import Form, check_forms, kernel_4d
from spectramac.compress.graph_steps import Plan, window_of
from spectramac.compress.lower_graph import keeps_scale
from spectramac.compress.post_training import Choice
from spectramac.compress.techniques import (
    PrunedConv,
    Pruning,
    SpectralConv,
    StructuredConv,
    Thresholding,
)
from spectramac.compress.torch_graph import GraphRunner
from spectramac.compress.torch_layers import (
    DepthwiseConv2d,
    StructuredConv2d,
    StructuredLinear,
    first_step,
)
from spectramac.compress.torch_stage import ActivationQuantizer
from spectramac.compress.train_student import ThresholdedNetwork
from spectramac.graph.nodes import Conv, Dense
from spectramac.model.network import Layer

__all__ = ["GraphStudent"]


def _choice(node: Conv | Dense, form: Form | None) -> Choice:
    """How a layer is trained: a technique that keeps all, if it has none."""
    form = form or Form()
    whole = PrunedConv() if isinstance(node, Conv) else Pruning()
    technique = form.technique or whole
    if not isinstance(technique, Thresholding) or isinstance(technique, SpectralConv):
        raise ValueError(
            f"layer {node.name!r} must have a technique that only thresholds, and not in tiles, to be trained, "
            f"not {technique.name!r}"
        )
    form.quantization.check_runnable(technique.name)
    return Choice(technique, form.density, form.quantization)


class GraphStudent(ThresholdedNetwork):
    """Compressed layers of a graph, each thresholded and quantized as its form says.

    Depthwise layers keep all weights.

    Parameters
    ----------
    plan : Plan
    forms : mapping of str to Form
        By node; the others keep all weights in 8 bits.

    Raises
    ------
    ValueError
        If a form is for no layer, its technique does more than threshold, or does not suit the layer.
    """

    def __init__(self, plan: Plan, forms: Mapping[str, Form]) -> None:
        check_forms(plan.graph, forms)
        self.nodes: list[str] = []
        layers: list[nn.Module] = []
        choices, depthwise = [], {}
        orders = {s.node.name: s.inputs[0].order for s in plan.steps}
        for node in plan.graph.nodes:
            if not isinstance(node, Conv | Dense):
                continue
            form = forms.get(node.name)
            if isinstance(node, Conv) and node.is_depthwise:
                if form is not None and form.technique is not None:
                    raise ValueError(
                        f"depthwise layer {node.name!r} must have no technique to be trained"
                    )
                window, bits = window_of(node), (form or Form()).quantization.bits
                depthwise[node.name] = DepthwiseConv2d(
                    kernel_4d(node.weight), node.bias, bits, window.padding, window.stride
                )
                continue
            choice = _choice(node, form)
            assert isinstance(choice.technique, Thresholding)
            layers.append(_module(node, choice, choice.technique, orders[node.name]))
            choices.append(choice)
            self.nodes.append(node.name)
        super().__init__(layers, choices)
        self._plan, self._runner = plan, GraphRunner(plan)
        # Layers without a technique stay whole, whatever budget there is.
        self._thresholded = {name for name, form in forms.items() if form.technique is not None}
        self._depthwise = {name: i for i, name in enumerate(depthwise)}
        self.depthwise = nn.ModuleList(depthwise.values())
        rounding = [step for step in plan.steps if not keeps_scale(step.node)]
        self._roundings = {step.tensor: i for i, step in enumerate(rounding)}
        self.activations = nn.ModuleList(ActivationQuantizer(step.relu) for step in rounding)

    def layer(self, name: str) -> nn.Module:
        """That of a node."""
        if name in self._depthwise:
            return self.depthwise[self._depthwise[name]]
        return self.layers[self.nodes.index(name)]

    def trace(self, x: Tensor) -> list[Tensor]:
        """See :meth:`TracedNetwork.trace`; of the last layer only."""
        return [self._run(x)]

    def _run(self, x: Tensor, before: Callable[[str, Tensor], None] = lambda *_: None) -> Tensor:
        """``before`` sees the input of every layer, ahead of it."""

        def layer(node: Conv | Dense, values: Tensor) -> Tensor:
            before(node.name, values)
            y: Tensor = self.layer(node.name)(values)
            return y

        return self._runner.run(x, layer, self._rounded)

    def _rounded(self, name: str, values: Tensor) -> Tensor:
        if name not in self._roundings:
            return values
        y: Tensor = self.activations[self._roundings[name]](values)
        return y

    @torch.no_grad()
    def choose_masks(self, x: Tensor, progress: float, factor: float = 1.0) -> None:
        """See :meth:`ThresholdedNetwork.choose_masks`."""

        def choose(name: str, values: Tensor) -> None:
            if name not in self._depthwise:
                own = factor if name in self._thresholded else 1.0
                self.choose_mask(self.nodes.index(name), values, progress, own)

        self._run(x, choose)

    @torch.no_grad()
    def start_quantization(self, x: Tensor) -> None:
        """See :meth:`ThresholdedNetwork.start_quantization`."""

        def layer(node: Conv | Dense, values: Tensor) -> Tensor:
            module = self.layer(node.name)
            if isinstance(module, DepthwiseConv2d):
                module.start_quantization()
            else:
                choice = self.choices[self.nodes.index(node.name)]
                module.start_quantization(choice.quantization, values)
            y: Tensor = module(values)
            return y

        def rounded(name: str, values: Tensor) -> Tensor:
            if name in self._roundings:
                self.activations[self._roundings[name]].start(first_step(values))
            return self._rounded(name, values)

        self._runner.run(x, layer, rounded)

    def skeletons(self) -> dict[str, Layer]:
        """What the present masks store, without values, by the name of the node; depthwise layers are left out."""
        found = {}
        for name, layer, choice in zip(self.nodes, self.layers, self.choices, strict=True):
            (stage,) = layer.to_structured().stages
            found[name] = stage.skeleton(choice.quantization)
        return found

    def scales(self, input_scale: float) -> dict[str, float]:
        """Real value of one step of every map, by its name."""
        found = {self._plan.input.map: input_scale}
        for step in self._plan.steps:
            if step.tensor in self._roundings:
                found[step.node.name] = self.activations[self._roundings[step.tensor]].step
            else:
                found[step.node.name] = found[step.inputs[0].map]
        return found


def _module(
    node: Conv | Dense, choice: Choice, technique: Thresholding, order: NDArray[np.int64]
) -> nn.Module:
    bits = choice.quantization.bits
    if isinstance(node, Dense):
        return StructuredLinear(technique.whole(node.weight[:, order]), node.bias, bits)
    window, structured = window_of(node), technique.whole(kernel_4d(node.weight))
    assert isinstance(structured, StructuredConv)
    return StructuredConv2d(structured, node.bias, bits, window.padding, window.stride)
