# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A :class:`~spectramac.model.network.Layer` evaluated directly: matrix algebra on whole batches.

This is the meaning of a network, free of memories, lanes and order of execution. The accelerator's golden model
(:mod:`spectramac.model.accelerator`) executes a compiled image instead; the two agree on every bit whenever no
accumulator saturates, which tests assert.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fft import fft
from spectramac.model.fixed import Ints, round_shift, saturate
from spectramac.model.network import Layer, Network, Transform
from spectramac.model.requantize import requantize
from spectramac.model.spectrum import merge, pair_map, split, threshold
from spectramac.spec.fft_config import FFTConfig

__all__ = ["LayerResult", "backward", "fft_config", "forward", "run_layer", "run_network"]


@dataclass(frozen=True, eq=False)
class LayerResult:
    """Output and side effects of one layer.

    Attributes
    ----------
    y : int array (batch, n_out)
    mask : bool array (batch, columns)
        Columns that passed the threshold.
    rows : int array (batch, rows)
        The row sums, before narrowing.
    """

    y: Ints
    mask: NDArray[np.bool_]
    rows: Ints


def run_layer(
    layer: Layer, x: Ints, *, data_width: int = 16, twiddle_width: int = 16
) -> LayerResult:
    """Evaluate one layer on int8 inputs.

    Inferences are taken in pairs (0, 1), (2, 3), …, as the hardware does: the two share one complex FFT, whose
    rounding may depend on both when stages are halved or twiddles round. An odd batch gets a zero partner.

    Parameters
    ----------
    layer : Layer
    x : int array (batch, n_in)
    data_width, twiddle_width : int
        Word lengths of the accelerator (:class:`~spectramac.spec.config.AcceleratorConfig`).
    """
    x = np.asarray(x, np.int64)
    if x.ndim != 2 or x.shape[1] != layer.n_in:
        raise ValueError(
            f"layer {layer.name!r}: input must have shape (batch, {layer.n_in}), not {x.shape}"
        )
    batch = len(x)
    config = fft_config(layer, data_width, twiddle_width)
    padded = np.zeros((batch + batch % 2, layer.t_in.padded(layer.n_in)), np.int64)
    padded[:batch, : layer.n_in] = x
    pairs = padded.reshape(-1, 2, padded.shape[1])
    columns, masks, _ = forward(pairs, layer.t_in, config, halve=layer.halve_in, level=layer.level)
    columns, masks = columns.reshape(padded.shape), masks.reshape(padded.shape)
    # Below 2**53 in float64: exact, and much faster.
    rows = (columns.astype(np.float64) @ layer.coefficients.T.astype(np.float64)).astype(np.int64)
    pairs = rows.reshape(-1, 2, rows.shape[1])
    z, _ = backward(pairs, layer.t_out, config, row_shift=layer.row_shift, halve=layer.halve_out)
    z = z.reshape(rows.shape)[:batch, : layer.n_out]
    y, _ = requantize(z, layer.bias, layer.multiplier, layer.shift, layer.relu)
    return LayerResult(y, masks[:batch], rows[:batch])


def fft_config(layer: Layer, data_width: int, twiddle_width: int) -> FFTConfig:
    """Of both transforms of a layer."""
    log2_n = max(3, layer.t_in.log2_n, layer.t_out.log2_n)
    return FFTConfig(log2_n_max=log2_n, data_width=data_width, twiddle_width=twiddle_width)


def forward(
    x: Ints, t: Transform, config: FFTConfig, *, halve: int, level: int
) -> tuple[Ints, NDArray[np.bool_], bool]:
    """From activations to the columns that the lanes multiply: forward FFT, split, threshold.

    Parameters
    ----------
    x : int array (pairs, 2, ..., n)
        Pairs of inferences; the last axis is whole blocks of ``t``.
    t : Transform
    config : FFTConfig
    halve, level : int
        As of :class:`~spectramac.model.network.Layer`.

    Returns
    -------
    (columns, mask, overflow) : int array, bool array, bool
        Arrays of the shape of ``x``; the mask says which columns passed the threshold; whether the FFT saturated.
    """
    blocks = x.reshape(*x.shape[:-1], x.shape[-1] // t.n, t.n)
    z_re, z_im = blocks[:, 0], blocks[:, 1]
    overflow = False
    if t.is_fft:
        spectrum = fft(z_re, z_im, config=config, log2_n=t.log2_n, two_d=t.two_d, halve=halve)
        z_re, z_im = spectrum.re, spectrum.im
        overflow = bool(spectrum.overflow.any())
    u1, u2 = split(z_re, z_im, t.n, t.two_d)
    columns, mask = threshold(np.stack([u1, u2], 1), t.n, t.two_d, level)
    return columns.reshape(x.shape), mask.reshape(x.shape), overflow


def backward(
    rows: Ints, t: Transform, config: FFTConfig, *, row_shift: int | NDArray[Any], halve: int
) -> tuple[Ints, dict[str, bool]]:
    """From row sums to values before requantization: merge, row shift, inverse FFT.

    Parameters
    ----------
    rows : int array (pairs, 2, ..., n)
        The last axis is whole blocks of ``t``.
    t : Transform
    config : FFTConfig
    row_shift : int or int array (n / 2,)
    halve : int

    Returns
    -------
    (z, overflows) : int array, dict
        Of the shape of ``rows``, in ``config.data``; whether ``merge`` and ``inverse_fft`` saturated.
    """
    blocks = rows.reshape(*rows.shape[:-1], rows.shape[-1] // t.n, t.n)
    z_re, z_im = merge(blocks[:, 0], blocks[:, 1], t.n, t.two_d)
    shifts = np.broadcast_to(np.asarray(row_shift, np.int64), (rows.shape[-1] // 2,))
    shift = _pair_to_bin(shifts.reshape(-1, t.n // 2), t.n, t.two_d)
    z_re, clipped_re = saturate(round_shift(z_re, shift), config.data)
    z_im, clipped_im = saturate(round_shift(z_im, shift), config.data)
    overflows = {"merge": bool(clipped_re.any() or clipped_im.any()), "inverse_fft": False}
    if t.is_fft:
        values = fft(
            z_re,
            z_im,
            config=config,
            log2_n=t.log2_n,
            two_d=t.two_d,
            inverse=True,
            halve=halve,
        )
        z_re, z_im = values.re, values.im
        overflows["inverse_fft"] = bool(values.overflow.any())
    return np.stack([z_re, z_im], 1).reshape(rows.shape), overflows


def _pair_to_bin(values: Ints, n: int, two_d: bool) -> Ints:
    """Spread one value per pair to the two bins of the pair: (..., n/2) to (..., n)."""
    p = pair_map(n, two_d)
    bins = np.empty((*values.shape[:-1], n), np.int64)
    bins[..., p.first] = values
    bins[..., p.second] = values
    return bins


def run_network(
    network: Network, x: Ints, *, data_width: int = 16, twiddle_width: int = 16
) -> Ints:
    """Evaluate a whole network on int8 inputs (batch, n_inputs); returns (batch, n_outputs).

    An odd batch gets one zero input as a partner, carried through all layers.
    """
    x = np.asarray(x, np.int64)
    if network.input_map is not None:
        mapped = np.zeros((len(x), network.layers[0].n_in), np.int64)
        mapped[:, network.input_map] = x
        x = mapped
    batch = len(x)
    x = np.pad(x, ((0, batch % 2), (0, 0)))  # the partner of the last input of an odd batch
    for layer in network.layers:
        x = run_layer(layer, x, data_width=data_width, twiddle_width=twiddle_width).y
    return x[:batch]
