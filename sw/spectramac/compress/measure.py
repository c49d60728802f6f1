# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Figures of an integer network: accuracy on the golden model, and what it takes on a configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.bounds import upper_bounds
from spectramac.compiler.compile import compile_network
from spectramac.compress.blocks import Floats
from spectramac.compress.size import layers_cost
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.layer import run_network
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image

__all__ = [
    "Evaluated",
    "Score",
    "Size",
    "cross_entropy",
    "evaluated",
    "integer_accuracy",
    "measure",
    "predicted_cycles",
]


class Score(NamedTuple):
    """What networks are chosen by on validation samples: accuracy; of equals, the lower loss.

    Few samples are often all right: accuracy alone could not choose then.

    Attributes
    ----------
    accuracy : float
        In percent.
    loss : float
        :func:`cross_entropy`.
    """

    accuracy: float
    loss: float

    @property
    def order(self) -> tuple[float, float]:
        """The better, the larger."""
        return self.accuracy, -self.loss

    def fields(self) -> dict[str, float]:
        """Of a row of results."""
        return {"validation": self.accuracy, "validation_loss": self.loss}

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Score":
        """That of a row. Rows of earlier versions have no loss: of equals they come last."""
        return cls(row["validation"], row.get("validation_loss", np.inf))

    @classmethod
    def pooled(cls, scores: Sequence["Score"], n_samples: Sequence[int]) -> "Score":
        """That of all samples together, from those of disjoint parts of them.

        So many right ones are the same accuracy however they are spread over the parts.
        """
        accuracy, loss = np.average(scores, axis=0, weights=n_samples)
        return cls(round(float(accuracy), 9), float(loss))


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
    network : Network or GraphNetwork
    size : Size
    accuracy : float
        Percent of the samples it was measured on, of the integer network.
    loss : float
        :func:`cross_entropy` of its outputs in real units.
    multiplications : float
        Of an inference, those of the transforms counted.
    """

    network: Network | GraphNetwork
    size: Size
    accuracy: float
    loss: float
    multiplications: float

    @property
    def score(self) -> Score:
        """What it is chosen by."""
        return Score(self.accuracy, self.loss)


def predicted_cycles(image: Image, config: AcceleratorConfig) -> float:
    """Cycles of an inference in a run of as many as the activation memory holds, with no column skipped."""
    n_pairs = image.max_pairs
    return (sum(upper_bounds(image, config, n_pairs)) + 1) / (2 * n_pairs)


def cross_entropy(logits: Floats, labels: NDArray[np.int64]) -> float:
    """Mean of -log softmax(logits)[label], in nats.

    Parameters
    ----------
    logits : float array (samples, classes)
    labels : int array (samples,)
    """
    largest = np.max(logits, axis=1, keepdims=True)
    log_sums = np.log(np.sum(np.exp(logits - largest), axis=1, keepdims=True)) + largest
    return float(np.mean(log_sums - np.take_along_axis(logits, labels[:, None], axis=1)))


def _outputs(network: Network, x: Floats, config: AcceleratorConfig) -> NDArray[np.int64]:
    """Of the golden model in this configuration's widths for real inputs (samples, n_in)."""
    return run_network(
        network,
        quantize_input(x, network.input_scale).astype(np.int64),
        data_width=config.data_width,
        twiddle_width=config.twiddle_width,
    )


def integer_accuracy(
    network: Network, x: Floats, labels: NDArray[np.int64], config: AcceleratorConfig
) -> float:
    """Percent of real inputs (samples, n_in) that the golden model gets right, in this configuration's widths."""
    return accuracy(_outputs(network, x, config), labels)


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
    outputs = _outputs(network, x, config)
    loss = cross_entropy(outputs.astype(np.float64) * network.output_scale, labels)
    return evaluated(network, Score(accuracy(outputs, labels), loss), config)


def evaluated(network: Network, score: Score, config: AcceleratorConfig) -> Evaluated:
    """Compile a network whose score is known.

    Raises
    ------
    CompileError
        If it does not fit the configuration.
    """
    size = Size.of(compile_network(network, config), config)
    products = layers_cost(network.layers, config).total_multiplications
    return Evaluated(network, size, *score, products)
