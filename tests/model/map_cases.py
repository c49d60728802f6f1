# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Windows, layers and maps to try integer nodes on."""

from typing import Any

import numpy as np

from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.map_window import Window
from spectramac.model.network import Layer, Transform

__all__ = ["FFT8", "WINDOWS", "maps", "random_layer", "scales", "small_node"]

FFT8 = Transform("fft1d", 8)
WINDOWS = [
    Window(),
    Window((3, 3), (1, 1), ((1, 1), (1, 1))),
    Window((3, 3), (2, 2), ((0, 1), (0, 1))),
    Window((4, 2), (2, 1), ((1, 2), (0, 1))),
    Window((1, 5), (1, 2), ((0, 0), (2, 2))),
]


def scales(rng: np.random.Generator, n_out: int, n_row_shifts: int, sigma: float) -> dict[str, Any]:
    """Requantization that brings sums of standard deviation ``sigma`` to about 60 steps."""
    bits = max(0, int(np.ceil(np.log2(sigma))) - 12)
    gain = 60 * 2**bits / sigma
    shift = 14 - int(np.floor(np.log2(gain)))
    return {
        "bias": rng.integers(-200, 200, n_out),
        "multiplier": rng.integers(int(gain * 2**shift * 0.8), int(gain * 2**shift), n_out),
        "shift": shift - rng.integers(0, 2, n_out),
        "row_shift": rng.integers(bits, bits + 2, n_row_shifts),
        "relu": bool(rng.integers(2)),
    }


def random_layer(
    rng: np.random.Generator, n_in: int, n_out: int, t_in: Transform, t_out: Transform
) -> Layer:
    shape = (t_out.padded(n_out), t_in.padded(n_in))
    codes = rng.integers(-127, 128, shape) * (rng.random(shape) < 0.7)
    if not t_out.is_fft:
        codes[n_out:] = 0
    sigma = 74 * 73 * 0.84 * np.sqrt(n_in * (2 * t_in.n if t_in.is_fft else 1))
    sigma /= np.sqrt(t_out.n / 2) if t_out.is_fft else 1
    return Layer(
        name="l", n_in=n_in, n_out=n_out, t_in=t_in, t_out=t_out, coefficients=codes, coefficient_bits=8,
        halve_out=(1 << t_out.log2_n) - 1 if t_out.is_fft else 0,
        **scales(rng, n_out, shape[0] // 2, float(sigma)),
    )  # fmt: skip


def maps(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape)


def small_node(**changes: Any) -> DepthwiseConvolution:
    """A depthwise convolution of two channels with a kernel of one pixel."""
    values: dict[str, Any] = {
        "name": "d", "inputs": ("x",), "channels": 2, "coefficients": np.ones((2, 1), int),
        "bias": np.zeros(2, int), "multiplier": 1, "shift": 0,
    }  # fmt: skip
    return DepthwiseConvolution(**values | changes)
