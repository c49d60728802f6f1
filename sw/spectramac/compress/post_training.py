# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compression of a trained dense network in one step, without further training.

The layers are dense, with ReLU between them. Each is compressed by a technique, quantized, and given scales
from calibration data. Training afterwards recovers accuracy that high compression loses
(:mod:`spectramac.compress.train`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.calibrate import calibrate
from spectramac.compress.lanes import reach_of_bits
from spectramac.compress.techniques import (
    INT8,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    Sft,
    Structured,
    Technique,
)
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Network

__all__ = [
    "ChainBuilder",
    "Choice",
    "CompressedChain",
    "DenseLayer",
    "check_chain",
    "check_place",
    "compress_chain",
    "compress_dense",
    "compress_layers",
    "load_weights",
]

DenseLayer = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights (n_out, n_in) and bias (n_out,)."""


def load_weights(path: str | Path) -> list[DenseLayer]:
    """Read an ``.npz`` file with arrays ``w0`` (n_out, n_in), ``b0`` (n_out,), ``w1``, ``b1``, …

    A missing bias is zero. Nothing in the file is executed.

    Raises
    ------
    ValueError
        If a name, a shape or a value is wrong.
    """
    with np.load(Path(path), allow_pickle=False) as file:
        arrays = {name: np.asarray(file[name]) for name in file.files}
    unknown = sorted(name for name in arrays if not re.fullmatch(r"[wb]\d+", name))
    if unknown:
        raise ValueError(f"{path}: arrays must be called w0, b0, w1, b1, …, not {unknown[0]!r}")
    n_layers = sum(name.startswith("w") for name in arrays)
    return _check_chain(str(path), arrays, n_layers)


def _check_chain(path: str, arrays: Mapping[str, NDArray[Any]], n_layers: int) -> list[DenseLayer]:
    if not n_layers:
        raise ValueError(f"{path}: there must be an array w0")
    layers: list[DenseLayer] = []
    for i in range(n_layers):
        if f"w{i}" not in arrays:
            raise ValueError(f"{path}: w{i} must be present, because there are {n_layers} layers")
        w = arrays[f"w{i}"]
        n_in = layers[-1][0].shape[0] if layers else None
        if w.ndim != 2 or 0 in w.shape or (n_in is not None and w.shape[1] != n_in):
            wanted = f"(n_out, {'n_in' if n_in is None else n_in})"
            raise ValueError(f"{path}: w{i} must have shape {wanted}, not {w.shape}")
        b = arrays.get(f"b{i}", np.zeros(len(w)))
        if b.shape != (len(w),):
            raise ValueError(f"{path}: b{i} must have shape {(len(w),)}, not {b.shape}")
        for name, array in ((f"w{i}", w), (f"b{i}", b)):
            if array.dtype.kind not in "fiu" or not np.isfinite(array.astype(np.float64)).all():
                raise ValueError(f"{path}: {name} must hold finite numbers")
        layers.append((w.astype(np.float64), b.astype(np.float64)))
    return layers


@dataclass(frozen=True)
class Choice:
    """How one layer is compressed."""

    technique: Technique
    density: float = 1.0
    quantization: Quantization = INT8

    @property
    def text(self) -> str:
        """In words."""
        q = self.quantization
        return f"{self.technique.name} at {self.density:.3g}, int{q.bits}, steps a {q.steps}"


@dataclass(frozen=True, eq=False)
class CompressedChain:
    """An integer network and what its layers were made of.

    Attributes
    ----------
    network : Network
    fits : tuple of Structured
        One a dense layer, before quantization; each has become as many integer layers as it has stages.
    """

    network: Network
    fits: tuple[Structured, ...]


def check_chain(layers: Sequence[DenseLayer], choices: Sequence[Choice], x: NDArray[Any]) -> None:
    """Refuse inputs that are not those of the first layer, and choices that are not one a layer."""
    n_in = layers[0][0].shape[1]
    if x.ndim != 2 or x.shape[1] != n_in:
        raise ValueError(f"calibration data must have shape (batch, {n_in}), not {x.shape}")
    if len(choices) != len(layers):
        raise ValueError(f"there must be {len(layers)} choices, one a layer, not {len(choices)}")


def check_place(index: int, structured: Structured) -> None:
    """Refuse a layer that cannot be the one with this number in a chain."""
    if structured.output_map is not None:
        raise ValueError(
            f"layer {index}: technique must keep all outputs, not {structured.technique!r}; remove "
            "neurons from the chain first (spectramac.compress.techniques.remove_units)"
        )
    if index and structured.input_map is not None:
        raise ValueError(
            f"layer {index}: technique must keep the order of its inputs, not "
            f"{structured.technique!r}; only the first layer may rearrange them"
        )


class ChainBuilder:
    """Integer layers of a chain, made one after the other.

    Parameters
    ----------
    calibration : int8 array (batch, n_in)
        Typical inputs.
    input_scale : float
        Real value of one int8 step of them.
    accumulator_width : int
        That the sums of every layer must fit, in bits.

    Attributes
    ----------
    values : int array (batch, …)
        What the layers so far make of the calibration inputs.
    zero : int
        Their zero point.
    """

    def __init__(
        self, calibration: NDArray[np.int8], input_scale: float, accumulator_width: int = 27
    ) -> None:
        self.values: NDArray[np.int64] = calibration.astype(np.int64)
        self.zero = 0
        self._first_scale = self._scale = input_scale
        self._accumulator_width = accumulator_width
        self._layers: list[Layer] = []
        self._input_map: NDArray[np.int32] | None = None
        self._count = 0

    def add(
        self,
        structured: Structured,
        bias: NDArray[np.float64],
        *,
        output_scale: float,
        relu: bool,
        quantization: Quantization = INT8,
        steps: Sequence[NDArray[np.float64] | float] | None = None,
        scales: Sequence[float] | None = None,
        output_zero: int = 0,
    ) -> None:
        """Append a layer; parameters and errors are those of :meth:`Structured.export`."""
        check_place(self._count, structured)
        if self._count == 0:
            self._input_map = structured.input_map
        self._count += 1
        made = structured.export(
            f"fc{self._count}",
            bias,
            inputs=self.values,
            input_scale=self._scale,
            output_scale=output_scale,
            relu=relu,
            quantization=quantization,
            steps=steps,
            scales=scales,
            accumulator_width=self._accumulator_width,
            input_zero=self.zero,
            output_zero=output_zero,
        )
        self._layers += made
        self.values = structured.place(self.values)
        for layer in made:
            self.values = run_layer(layer, self.values).y
        self._scale, self.zero = output_scale, output_zero

    def network(self) -> Network:
        """All layers."""
        return Network(
            layers=tuple(self._layers),
            input_scale=self._first_scale,
            output_scale=self._scale,
            input_map=self._input_map,
        )


def compress_layers(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    calibration: NDArray[np.int8],
    **options: Any,
) -> Network:
    """The network of :func:`compress_chain`."""
    return compress_chain(layers, choices, calibration, **options).network


def compress_chain(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    calibration: NDArray[np.int8],
    *,
    input_scale: float = 1.0,
    activation_aware: bool = True,
    affine: bool = False,
    accumulator_width: int = 27,
) -> CompressedChain:
    """Compress a chain of dense layers, each in its own way.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        ReLU follows each but the last.
    choices : sequence of Choice
        One a layer.
    calibration : int8 array (batch, n_in)
        Typical inputs.
    input_scale : float
        Real value of one int8 step of the input.
    activation_aware : bool
        Choose coefficients by their effect on the output for the calibration data, not on the weights.
    affine : bool
        Give the activations between layers zero points (:mod:`spectramac.compress.calibrate`): steps half as
        large, for zero activations that are not skipped.
    accumulator_width : int
        That the sums of every layer must fit, in bits.

    Raises
    ------
    ValueError
        If the choices do not fit the chain, the calibration data does not fit the first layer, or a scale
        cannot be encoded.
    NotRunnableError
        If the engine cannot run a structure.
    """
    check_chain(layers, choices, calibration)
    real = calibration.astype(np.float64) * input_scale
    chain = ChainBuilder(calibration, input_scale, accumulator_width)
    fits: list[Structured] = []
    for i, ((w, b), choice) in enumerate(zip(layers, choices, strict=True)):
        last = i == len(layers) - 1
        inputs = chain.values - chain.zero if activation_aware else None
        structured = choice.technique.fit(w, choice.density, inputs=inputs)
        real = real @ w.T + b
        if not last:
            real = np.maximum(real, 0)
        output = calibrate(real, affine=affine and not last)
        chain.add(
            structured,
            b,
            output_scale=float(output.scale),
            relu=not last,
            quantization=choice.quantization,
            output_zero=int(output.zero_point),
        )
        fits.append(structured)
    return CompressedChain(chain.network(), tuple(fits))


def compress_dense(
    layers: list[DenseLayer],
    calibration: NDArray[np.int8],
    *,
    input_scale: float = 1.0,
    block: int = 8,
    density: float = 0.25,
    bits: int = 8,
    n_lanes: int = 3,
) -> Network:
    """Compress a chain of dense layers in the same way, to whole coefficient words.

    Parameters
    ----------
    layers : list of (weights, bias)
        ReLU follows each but the last.
    calibration : int8 array (batch, n_in)
        Typical inputs.
    input_scale : float
        Real value of one int8 step of the input.
    block : int
        Points of each transform; 0 keeps the weights as they are (plain pruning). The output of the last
        layer is not transformed.
    density : float
        Share of the coefficients that is kept, in (0, 1].
    bits : int
        Of a coefficient, 4 to 8.
    n_lanes : int
        Lanes of the accelerator, for balance.

    Raises
    ------
    ValueError
        If the calibration data does not fit the first layer, or a scale cannot be encoded.
    """
    words = Selection("lanes", n_lanes, reach_of_bits(bits))
    quantization = Quantization(bits, "row")
    hidden: Technique = Sft(block, block, selection=words) if block else Pruning(words)
    classifier: Technique = RowsSft(block, words) if block else Pruning(words)
    techniques = [hidden] * (len(layers) - 1) + [classifier]
    network = compress_layers(
        layers,
        [Choice(technique, density, quantization) for technique in techniques],
        calibration,
        input_scale=input_scale,
    )
    sizes = [layers[0][0].shape[1], *(len(w) for w, _ in layers)]
    meta = {"sizes": sizes, "density": density, "bits": bits, "block": block, "n_lanes": n_lanes}
    return replace(network, meta=meta)
