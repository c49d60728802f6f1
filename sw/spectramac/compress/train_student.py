# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The network that is trained: made from a dense chain and a choice for each layer, thresholded, quantized."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from spectramac.compress.blocks import Floats
from spectramac.compress.outline import bisected, skeleton_network
from spectramac.compress.post_training import Choice, DenseLayer, check_place
from spectramac.compress.techniques import Structured, Thresholding, remove_units
from spectramac.compress.torch_layers import StructuredLinear, first_step
from spectramac.compress.torch_stage import StageLinear
from spectramac.compress.train import SpectralNetwork, cubic_density
from spectramac.model.network import Network

__all__ = ["Student", "ThresholdedNetwork", "structure"]

_SPARSE = 0.5
"""Part of the coefficients below which it is faster to train a list of them."""
_FACTORS = (0.5, 2.0)
"""Of the planned densities, when masks must fit."""


def structure(choice: Choice, weights: Floats, x: Floats) -> Structured:
    """All coefficients, if they can be thresholded later; else at the final density."""
    if isinstance(choice.technique, Thresholding):
        return choice.technique.whole(weights)
    return choice.technique.fit(weights, choice.density, inputs=x)


class ThresholdedNetwork(SpectralNetwork):
    """Compressed layers, each thresholded and quantized as its choice says.

    Layers of a :class:`~spectramac.compress.techniques.Thresholding` technique have all coefficients until
    :meth:`choose_masks`.

    Parameters
    ----------
    layers : sequence of nn.Module
        Of :mod:`spectramac.compress.torch_layers`.
    choices : sequence of Choice
        One a layer.
    pools : sequence of nn.Module, optional
        As of :class:`~spectramac.compress.train.SpectralNetwork`.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        choices: Sequence[Choice],
        pools: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__(layers, pools)
        self.choices = tuple(choices)
        self.first_densities = [1.0] * len(choices)
        """That thresholding begins with."""

    def _seen(self, x: Tensor) -> Iterator[tuple[int, Choice, nn.Module, Tensor]]:
        """(number, choice, layer, its inputs) of every layer, one after the other."""
        for i, (choice, layer) in enumerate(zip(self.choices, self.layers, strict=True)):
            yield i, choice, layer, x
            x = self.output(i, x)

    @torch.no_grad()
    def choose_masks(self, x: Tensor, progress: float, factor: float = 1.0) -> None:
        """Keep the coefficients of the largest effect on the outputs of their layers.

        Parameters
        ----------
        x : float tensor (batch, …)
            Typical inputs.
        progress : float
            On the way from all coefficients (0) to the final density (1), see
            :func:`~spectramac.compress.train.cubic_density`.
        factor : float
            That all final densities are multiplied with; none becomes more than 1.
        """
        for i, _, _, seen in self._seen(x):
            self.choose_mask(i, seen, progress, factor)

    @torch.no_grad()
    def choose_mask(self, index: int, x: Tensor, progress: float, factor: float = 1.0) -> None:
        """As :meth:`choose_masks`, of one layer, for its own typical inputs."""
        choice, layer = self.choices[index], self.layers[index]
        if isinstance(choice.technique, Thresholding):
            (stage,) = layer.stages
            rms = layer.structured.column_rms(x.numpy(force=True))
            final = min(1.0, factor * choice.density)
            density = cubic_density(progress, final, self.first_densities[index])
            stage.set_mask(choice.technique.select(stage.all_values(), density, rms))

    def choose_masks_within(self, x: Tensor, fits: Callable[[], bool]) -> None:
        """Final masks, all densities multiplied by nearly the largest factor with which the network fits.

        Trained coefficients lie elsewhere than those of the dense network that densities were planned with, and
        so do their indices: bytes differ by a few percent.

        Parameters
        ----------
        x : float tensor (batch, …)
            Typical inputs.
        fits : callable () -> bool
            Whether the network with its present masks does.

        Raises
        ------
        ValueError
            If it does not even at a small part of the densities.
        """

        def fits_with(factor: float) -> bool:
            self.choose_masks(x, 1.0, factor)
            return fits()

        low, high = _FACTORS
        if not fits_with(low):
            raise ValueError(f"at {low:g} of the planned densities the network must fit")
        self.choose_masks(x, 1.0, bisected(fits_with, low, high, 8))

    @torch.no_grad()
    def start_quantization(self, x: Tensor) -> None:
        """Round coefficients and activations from now on, in calibrated steps; what is rounded already stays so."""
        for i, choice, layer, seen in self._seen(x):
            if not layer.stages[0].quantized:
                layer.start_quantization(choice.quantization, seen)
            if not self.activations[i].enabled:
                self.activations[i].start(first_step(self.output(i, seen)))

    def stages(self) -> list[StageLinear]:
        """Of all layers."""
        return [stage for layer in self.layers for stage in layer.stages]

    def compact(self) -> None:
        """Fix the masks, and train only what they keep (:meth:`StageLinear.compact`)."""
        for stage in self.stages():
            if len(stage.stored) < _SPARSE * stage.mask.numel():
                stage.compact()

    def expand(self) -> None:
        """Undo :meth:`compact`."""
        for stage in self.stages():
            stage.expand()


class Student(ThresholdedNetwork):
    """Compressed layers that compute what a dense chain does, as far as their structure allows.

    Removed neurons are gone from the next layer too, their mean in its bias.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        ReLU follows each but the last.
    choices : sequence of Choice
        One a layer.
    x : float array (batch, n_in)
        Typical inputs.

    Raises
    ------
    ValueError
        If a technique cannot be at its place in a chain.
    """

    def __init__(self, layers: Sequence[DenseLayer], choices: Sequence[Choice], x: Floats) -> None:
        chain, modules, last = list(layers), [], len(layers) - 1
        for i, choice in enumerate(choices):
            weights, bias = chain[i]
            structured = structure(choice, weights, x)
            x = np.maximum(x @ weights.T + bias, 0)
            kept = structured.output_map
            if kept is not None and i < last:
                chain = remove_units(chain, i, kept, x.mean(axis=0))
                shape = (len(kept), *structured.shape[1:])
                structured = replace(structured, shape=shape, output_map=None)
                bias, x = bias[kept], x[:, kept]
            check_place(i, structured)
            modules.append(StructuredLinear(structured, bias, choice.quantization.bits))
        super().__init__(modules, choices)

    def skeleton(self) -> Network:
        """A network that stores what the present masks say, without values."""
        return skeleton_network([layer.to_structured() for layer in self.layers], self.choices)

    def take(self, other: "Student") -> None:
        """Go on from another student of the same chain, in the layers that can be thresholded anew."""
        for i, (choice, new, old) in enumerate(
            zip(self.choices, self.layers, other.layers, strict=True)
        ):
            same = (choice.technique, choice.quantization) == (
                other.choices[i].technique, other.choices[i].quantization,
            )  # fmt: skip
            if (
                same
                and isinstance(choice.technique, Thresholding)
                and new.structured.shape == old.structured.shape
            ):
                self.layers[i] = copy.deepcopy(old)
                self.activations[i] = copy.deepcopy(other.activations[i])
                self.first_densities[i] = other.choices[i].density
