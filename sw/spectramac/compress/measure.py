# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Figures of an integer network: accuracy on the golden model, and what it takes on a configuration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.bounds import upper_bounds
from spectramac.compiler.compile import compile_network
from spectramac.compress.blocks import Floats
from spectramac.compress.size import layers_cost
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.layer import run_network
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image

__all__ = ["Evaluated", "Size", "integer_accuracy", "measure", "predicted_cycles"]


@dataclass(frozen=True)
class Size:
    """What a network takes.

    Attributes
    ----------
    stored_bytes : int
        Of the compiled image.
    cycles : float
        Of an inference, at most.
    """

    stored_bytes: int
    cycles: float

    @classmethod
    def of(cls, image: Image, config: AcceleratorConfig) -> "Size":
        """That of a compiled network."""
        return cls(image.stored_bytes, predicted_cycles(image, config))


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A network and its figures.

    Attributes
    ----------
    network : Network
    size : Size
    accuracy : float
        Percent of the samples it was measured on, of the integer network.
    multiplications : float
        Of an inference, those of the transforms counted.
    """

    network: Network
    size: Size
    accuracy: float
    multiplications: float


def predicted_cycles(image: Image, config: AcceleratorConfig) -> float:
    """Cycles of an inference in a run of as many as the activation memory holds, with no column skipped."""
    n_pairs = image.max_pairs
    return (sum(upper_bounds(image, config, n_pairs)) + 1) / (2 * n_pairs)


def integer_accuracy(
    network: Network, x: Floats, labels: NDArray[np.int64], config: AcceleratorConfig
) -> float:
    """Percent of real inputs (samples, n_in) that the golden model gets right, in this configuration's widths."""
    outputs = run_network(
        network,
        quantize_input(x, network.input_scale).astype(np.int64),
        data_width=config.data_width,
        twiddle_width=config.twiddle_width,
    )
    return accuracy(outputs, labels)


def measure(
    network: Network, x: Floats, labels: NDArray[np.int64], config: AcceleratorConfig
) -> Evaluated:
    """Compile a network, and run it on the golden model.

    Parameters
    ----------
    network : Network
    x : float array (samples, n_in)
    labels : int array (samples,)
    config : AcceleratorConfig

    Raises
    ------
    CompileError
        If it does not fit the configuration.
    """
    image = compile_network(network, config)
    return Evaluated(
        network,
        Size.of(image, config),
        integer_accuracy(network, x, labels, config),
        layers_cost(network.layers, config).total_multiplications,
    )
