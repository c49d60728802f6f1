# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From real coefficients, biases and activation ranges to an integer
:class:`~spectramac.model.network.Layer`.

With ``codes`` q and ``steps`` s (S[r, c] = s[r] q[r, c]), an input of scale a (real = integer · a)
and h halved forward stages, the accumulators hold v with real value v · s[r] · a · 2^h.
``row_shift`` k brings them to the data width, with one unit for all rows of an FFT block:

    g = s[r] · a · 2^h · 2^k[r],        z = T_out⁻¹(v / 2^k),    y = (z + b/g) · g / a_out

so steps of rows that share an FFT may differ by powers of two only, undone by k; under the identity
transform each row has its own g, absorbed in its multiplier. What is uniform is stored once.

Activations may have zero points (real = scale · (integer - zero)): the engine multiplies the integers as they
are, and what the zero points add is a constant of each output, so it goes into the bias:

    b' = b - a · Σ_c W[r, c] · zero_in[c] + a_out · zero_out

with W the matrix that the quantized coefficients stand for. In the integers of an identity layer the sum is
-zero_in times the row's sum of codes, without rounding where ``row_shift`` is 0. A ReLU whose output has the zero
point -128 is int8 saturation and needs no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.peaks import row_peaks, worst_accumulator
from spectramac.compress.requantization import requantization
from spectramac.compress.sft import Floats, inverse_sft
from spectramac.model.fixed import Ints
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Transform
from spectramac.spec.fixed import Format

__all__ = [
    "Codes",
    "activation_scale",
    "assemble",
    "best_steps",
    "forward_halving",
    "quantize_coefficients",
]

Steps = Literal["layer", "pair", "row"]


@dataclass(frozen=True, eq=False)
class Codes:
    """Quantized coefficients: S ≈ steps[:, None] * codes.

    Attributes
    ----------
    codes : int16 array (rows, columns)
    steps : float array (rows,)
    bits : int
    """

    codes: NDArray[np.int16]
    steps: Floats
    bits: int

    @property
    def values(self) -> Floats:
        """The coefficients that the integers stand for."""
        return self.steps[:, None] * self.codes


SHRINK: Floats = np.linspace(1.0, 0.3, 57)
"""Fractions of the range that are tried for coefficients."""


def best_steps(values: Floats, limit: int, candidates: Floats) -> Floats:
    """The step of least squared error of every group, float (groups,).

    Parameters
    ----------
    values : float array (groups, n)
    limit : int
        Largest magnitude of an integer.
    candidates : float array (groups, k)
        Of equals, the first is taken.
    """
    best, least = candidates[:, 0].copy(), np.full(len(values), np.inf)
    for steps in candidates.T:
        error = values - steps[:, None] * np.clip(np.rint(values / steps[:, None]), -limit, limit)
        total = (error * error).sum(axis=1)
        best, least = np.where(total < least, steps, best), np.minimum(total, least)
    return best


def _layer_step(S: Floats, limit: int) -> float:
    peak = float(np.abs(S).max()) or 1.0
    return float(best_steps(S.reshape(1, -1), limit, SHRINK[None] * peak / limit)[0])


def quantize_coefficients(S: Floats, bits: int, steps: Steps | Floats | float = "pair") -> Codes:
    """Symmetric quantization: q = clip(round(S / step), ±(2^(bits-1) - 1)), steps of least squared
    error.

    Parameters
    ----------
    S : float array (rows, columns)
        In the scaling of :func:`spectramac.compress.sft.sft`; zeros stay zero.
    bits : int
        4 to 8.
    steps : str, float or float array (rows,)
        ``"layer"``: one step. ``"pair"``: a power of two times it for each row pair (any output
        transform; costs 5 bits a pair). ``"row"``: a free step for each row (identity outputs only;
        costs 20 bits a channel). Numbers are taken as they are.
    """
    if not 4 <= bits <= 8:
        raise ValueError(f"bits must be from 4 to 8, not {bits!r}")
    S = np.asarray(S, np.float64)
    if S.ndim != 2 or S.shape[0] % 2:
        raise ValueError(f"a spectrum must have an even number of rows, not shape {S.shape!r}")
    limit = (1 << (bits - 1)) - 1
    if not isinstance(steps, str):
        step = np.broadcast_to(np.asarray(steps, np.float64), (S.shape[0],)).copy()
    elif steps not in ("layer", "pair", "row"):
        raise ValueError(f"steps must be 'layer', 'pair', 'row' or numbers, not {steps!r}")
    else:
        step = np.full(S.shape[0], _layer_step(S, limit))
        groups = S.reshape(S.shape[0] // 2, -1) if steps == "pair" else S
        used = groups.any(axis=1)
        if steps == "pair":
            powers = step[0] * 2.0 ** np.arange(-8, 5)
            candidates = np.broadcast_to(powers, (int(used.sum()), len(powers)))
            step.reshape(-1, 2)[used] = best_steps(groups[used], limit, candidates)[:, None]
        elif steps == "row":
            top = np.abs(groups[used]).max(axis=1, keepdims=True) / limit
            step[used] = best_steps(groups[used], limit, SHRINK * top)
    if np.any(step <= 0):
        raise ValueError(f"steps must be more than 0, not {float(step.min())!r}")
    codes = np.clip(np.rint(S / step[:, None]), -limit, limit).astype(np.int16)
    return Codes(codes, step, bits)


def activation_scale(
    values: NDArray[Any],
    method: Literal["max", "percentile", "mse"] = "mse",
    *,
    percentile: float = 99.9,
) -> float:
    """Real value of one step of an int8 activation, from calibration data.

    The largest integer, 127, stands for the maximum of ``|values|``, for their ``percentile``, or
    for the fraction of the maximum with the least mean squared error after rounding and saturation.
    Negative values matter only if the layer has no ReLU: give the values *after* the activation
    function.
    """
    magnitude = np.abs(np.asarray(values, np.float64)).ravel()
    if magnitude.size == 0 or not magnitude.max() > 0:
        raise ValueError("calibration values must hold something other than zeros")
    top = float(magnitude.max())
    if method == "max":
        return top / 127
    if method == "percentile":
        return (float(np.percentile(magnitude, percentile)) or top) / 127
    if method != "mse":
        raise ValueError(f"method must be 'max', 'percentile' or 'mse', not {method!r}")
    candidates = np.linspace(1.0, 0.3, 36)[None] * top / 127
    return float(best_steps(magnitude[None], 127, candidates)[0])


def forward_halving(t_in: Transform, data_width: int) -> int:
    """``halve_in``: the fewest, last stages halved so that 8 + log2(n) + 1 bits fit ``data_width``.

    One bit a stage and one for the second inference on the imaginary part. The last stages lose
    least.
    """
    if not t_in.is_fft:
        return 0
    return (1 << max(0, 8 + t_in.log2_n + 1 - data_width)) - 1


def assemble(
    name: str,
    codes: Codes,
    *,
    n_in: int,
    n_out: int,
    t_in: Transform,
    t_out: Transform,
    bias: Floats,
    input_scale: float,
    output_scale: float,
    calibration: Ints,
    relu: bool,
    pattern: Literal["real", "complex"] = "real",
    level: int = 1,
    data_width: int = 15,
    headroom: float = 1.125,
    accumulator_width: int = 27,
    input_zero: int | Ints = 0,
    output_zero: int = 0,
    measure: Callable[[Layer], Ints] | None = None,
) -> Layer:
    """An integer layer from coefficients and scales.

    ``row_shift`` is the smallest that keeps the calibration data, ``headroom`` times over, from
    saturating at ``data_width`` bits; the layer is then good for any accelerator of at least that
    width. All inverse stages are halved, which makes the inverse the mathematical one.

    Parameters
    ----------
    codes : Codes
        (t_out.padded(n_out), t_in.padded(n_in)).
    bias : float array (n_out,)
        In real units of the output before its activation function.
    input_scale, output_scale : float
        Real value of one int8 step.
    calibration : int array (batch, n_in)
        Typical int8 inputs of this layer.
    accumulator_width : int
        Checked against the worst case over the calibration data's range, widened to all of 0..127
        or -128..127.
    input_zero : int or int array (n_in,)
        Integers that stand for zero, of each input.
    output_zero : int
        Likewise of the output; with ReLU 0, or -128 where saturation is the ReLU.
    measure : callable, optional
        The sums (any number, padded outputs) that a layer makes of the calibration data, for layers that are
        applied in another way than to these inputs. Of ``calibration`` then only the range counts.

    Raises
    ------
    ValueError
        If an accumulator could overflow, if steps within an FFT are not powers of two apart, if a
        scale cannot be encoded, or if ReLU and ``output_zero`` do not go together.
    """
    if relu and output_zero not in (0, -128):
        raise ValueError(
            f"layer {name!r}: output_zero behind a ReLU must be 0 or -128, not {output_zero!r}"
        )
    relu = relu and output_zero == 0
    bias = np.asarray(bias, np.float64) + output_scale * output_zero
    if np.any(input_zero):
        matrix = inverse_sft(codes.values, t_in, t_out, (n_out, n_in))
        bias = bias - input_scale * (matrix @ np.broadcast_to(input_zero, n_in))
    halve_in = forward_halving(t_in, data_width)
    step = codes.steps[0::2]
    if t_out.is_fft:
        ratio = np.log2(step / step.min())
        if np.any(codes.steps[1::2] != step) or np.any(ratio != np.rint(ratio)):
            raise ValueError(f"layer {name!r}: steps must be a power of two apart in row pairs")
    fixed: dict[str, Any] = {
        "name": name, "n_in": n_in, "n_out": n_out, "t_in": t_in, "t_out": t_out,
        "coefficients": codes.codes, "coefficient_bits": codes.bits, "pattern": pattern,
        "relu": relu, "halve_in": halve_in, "level": level,
        "halve_out": (1 << t_out.log2_n) - 1 if t_out.is_fft else 0,
    }  # fmt: skip
    probe = Layer(**fixed, bias=np.zeros(n_out, np.int32), multiplier=1, shift=0)
    low = 0 if np.min(calibration) >= 0 else -128
    worst = worst_accumulator(probe, low)
    if worst > Format(accumulator_width).maximum:
        raise ValueError(
            f"layer {name!r}: accumulators must fit {Format(accumulator_width)}, not {worst!r}"
        )
    sums = (
        run_layer(probe, calibration, data_width=data_width).rows
        if measure is None
        else measure(probe)
    )
    scaling = requantization(
        name,
        unit=codes.steps * input_scale * 2.0 ** halve_in.bit_count(),
        relative=None if not t_out.is_fft else ratio,
        peaks=row_peaks(sums, t_out),
        bias=bias,
        output_scale=output_scale,
        data_width=data_width,
        headroom=headroom,
    )
    return Layer(
        **fixed,
        bias=scaling.bias,
        multiplier=scaling.multiplier,
        shift=scaling.shift,
        row_shift=scaling.row_shift,
    )
