# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Kernels as spectra of tiles in integers, without the matrix that they stand for.

What :class:`~spectramac.compress.techniques.spectral_conv.SpectralConv` keeps of a kernel, in the layout of
:class:`~spectramac.model.tiles.TileConvolution`: a pair (a, b) for each output channel, input channel and pair of
bins. The matrix of 32 channels and tiles of 16 x 16 would have 8192 x 8192 values, these are 32 x 32 x 128 x 2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.peaks import column_peaks, row_peaks
from spectramac.compress.quantize import SHRINK, best_steps, forward_halving
from spectramac.compress.requantization import encode_channels
from spectramac.compress.techniques.spectral_conv import cut_tiles
from spectramac.compress.threshold import column_rms, largest
from spectramac.model.fixed import Ints
from spectramac.model.map_node import Arithmetic
from spectramac.model.network import Transform
from spectramac.model.spectrum import basis, pair_map
from spectramac.model.tiles import TileConvolution

__all__ = ["TileCodes", "assemble_tiles", "keep_bins", "tile_codes", "tile_spectra"]


@dataclass(frozen=True, eq=False)
class TileCodes:
    """Quantized spectra of a kernel: (a, b) ≈ steps[o] · codes[o, i, r].

    Attributes
    ----------
    codes : int array (n_out, n_in, T² / 2, 2)
    steps : float array (n_out,)
    bits : int
    side : int
        T.
    """

    codes: NDArray[np.int64]
    steps: Floats
    bits: int
    side: int


def tile_spectra(weights: Floats, side: int) -> Floats:
    """Exact pairs of a kernel (n_out, n_in, height, width): float (n_out, n_in, T² / 2, 2).

    With c[-i mod T, -j mod T] = K[i, j] and λ = FFT(c): λ / 2 in a complex bin, whose columns are doubled, and the two
    λ of two real bins.
    """
    n_out, n_in, height, width = weights.shape
    t = Transform("fft2d", side * side)
    circular = np.zeros((n_out, n_in, side, side))
    rows, columns = -np.arange(height) % side, -np.arange(width) % side
    circular[:, :, rows[:, None], columns] = weights
    values = circular.reshape(n_out, n_in, t.n) @ basis(t.n, True).T
    joint = np.repeat(pair_map(t.n, True).joint, 2)
    return np.where(joint, values / 2, values).reshape(n_out, n_in, t.n // 2, 2)


def keep_bins(spectra: Floats, density: float, rms: Floats | None = None) -> NDArray[np.bool_]:
    """The ``round(density · pairs)`` pairs of largest effect on the output, bool (n_out, n_in, T² / 2).

    Parameters
    ----------
    spectra : float array (n_out, n_in, T² / 2, 2)
    density : float
    rms : float array (n_in, T² / 2, 2), optional
        Of the orthonormal columns that the pairs are applied to; default: equal.
    """
    joint = pair_map(2 * spectra.shape[2], True).joint
    square = spectra**2
    weights = np.ones(spectra.shape[1:]) if rms is None else rms**2
    real = (square * weights).sum(axis=-1)
    both = 4 * square.sum(axis=-1) * weights.sum(axis=-1)  # orthonormal: twice as large
    # Ties are broken bin by bin, as the technique breaks them.
    energy = np.where(joint, both, real).transpose(2, 0, 1)
    keep = largest(energy, round(density * energy.size))
    return np.asarray(keep.transpose(1, 2, 0), np.bool_)


def tile_codes(
    weights: Floats, side: int, density: float, bits: int, inputs: NDArray[Any] | None = None
) -> TileCodes:
    """Spectra of a kernel, thresholded and quantized with a step of least squared error for each output channel.

    Parameters
    ----------
    weights : float array (n_out, n_in, height, width)
        Depthwise: n_in is 1.
    side : int
    density : float
        Part of the pairs that is kept.
    bits : int
        4 to 8.
    inputs : array (batch, channels, height, width), optional
        Typical inputs, by whose spectra pairs are weighted.
    """
    spectra = tile_spectra(weights, side)
    if density < 1:
        rms = None
        if inputs is not None:
            t = Transform("fft2d", side * side)
            rms = column_rms(cut_tiles(inputs, side), t).reshape(-1, t.n // 2, 2)
            if len(rms) != spectra.shape[1]:  # depthwise: each output has its own channel
                rms = np.repeat(rms, len(spectra) // len(rms), axis=0)
                flat = spectra.reshape(1, -1, *spectra.shape[2:])
                keep = keep_bins(flat, density, rms).reshape(spectra.shape[:3])
            else:
                keep = keep_bins(spectra, density, rms)
        else:
            keep = keep_bins(spectra, density)
        spectra = np.where(keep[..., None], spectra, 0.0)
    values, limit = spectra.reshape(len(spectra), -1), (1 << (bits - 1)) - 1
    top = np.abs(values).max(axis=1, keepdims=True)
    top[top == 0] = top.max() or 1.0
    steps = best_steps(values, limit, SHRINK * top / limit)
    codes = np.clip(np.rint(values / steps[:, None]), -limit, limit).astype(np.int64)
    return TileCodes(codes.reshape(spectra.shape), steps, bits, side)


def worst_sum(codes: NDArray[np.int64], side: int, halve_in: int, low: int) -> int:
    """Largest magnitude any accumulator can reach for inputs from ``low`` to 127."""
    t = Transform("fft2d", side * side)
    pa, pb = column_peaks(t, halve_in, low).reshape(-1, 2).T
    a, b = np.moveaxis(np.abs(codes).sum(axis=1), -1, 0)
    joint = pair_map(t.n, True).joint
    sums = np.where(joint, np.maximum(a * pa + b * pb, b * pa + a * pb), np.maximum(a * pa, b * pb))
    return int(sums.max())


def assemble_tiles(
    codes: TileCodes,
    x: Ints,
    *,
    bias: Floats,
    input_scale: float,
    output_scale: float,
    low: int,
    arithmetic: Arithmetic,
    headroom: float,
    **fixed: Any,
) -> TileConvolution:
    """An integer node from spectra and scales.

    As few forward stages are halved as let the spectra fit the data width and the accumulators their worst case.
    Row shifts are the least with which the sums of the calibration data, ``headroom`` times over, fit the data width;
    then as few inverse stages are halved as let them, and the output's whole range, fit behind the inverse FFT.

    Parameters
    ----------
    codes : TileCodes
    x : int array (batch, height, width, channels)
        Typical int8 inputs.
    bias : float array (n_out,)
        In real units.
    input_scale, output_scale : float
    low : int
        Smallest input, 0 or -128.
    arithmetic : Arithmetic
    headroom : float
    fixed
        Other parameters of :class:`~spectramac.model.tiles.TileConvolution`.

    Raises
    ------
    ValueError
        If an accumulator could overflow however many stages are halved, or a scale cannot be encoded.
    """
    t = Transform("fft2d", codes.side**2)
    top = arithmetic.accumulator.maximum
    masks = [(1 << h) - 1 for h in range(t.log2_n + 1)]
    least = forward_halving(t, arithmetic.data_width)
    enough = [m for m in masks if m >= least and worst_sum(codes.codes, codes.side, m, low) <= top]
    if not enough:
        raise ValueError(
            f"accumulators must fit {arithmetic.accumulator}, not "
            f"{worst_sum(codes.codes, codes.side, masks[-1], low)}; use fewer bits or smaller tiles"
        )
    n_out = len(bias)
    fixed |= {
        "coefficients": codes.codes, "coefficient_bits": codes.bits, "side": codes.side,
        "halve_in": enough[0],
    }  # fmt: skip
    nothing: dict[str, Any] = {"bias": np.zeros(n_out, np.int32), "multiplier": 1, "shift": 0}
    v = TileConvolution(**fixed, **nothing).sums(x, arithmetic)
    peaks = row_peaks(v.reshape(-1, n_out * t.n), t).reshape(n_out, -1).max(axis=1) * headroom
    limit, unit = arithmetic.data.maximum, codes.steps * input_scale * 2.0 ** enough[0].bit_count()
    whole = 128 * output_scale + np.abs(bias)
    peaks = np.maximum(
        peaks, whole / unit
    )  # so that it fits at the latest when all stages are halved
    row_shift = np.ceil(np.log2(np.maximum(peaks, 1) / limit)).clip(0).astype(np.int32)
    larger = np.rint(v * headroom).astype(np.int64)
    for halve_out in masks:
        sigma = unit * 2.0 ** (row_shift + halve_out.bit_count()) / t.n
        probe = TileConvolution(**fixed, **nothing, row_shift=row_shift, halve_out=halve_out)
        if np.all(whole <= sigma * limit) and not any(probe.values(larger, arithmetic)[1].values()):
            break
    scaling = encode_channels(sigma, bias, output_scale, row_shift)
    return TileConvolution(
        **fixed, halve_out=halve_out, bias=scaling.bias, multiplier=scaling.multiplier,
        shift=scaling.shift, row_shift=scaling.row_shift,
    )  # fmt: skip
