# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Scales, codes and assembled layers against float arithmetic."""

from typing import Literal

import numpy as np
import pytest

from spectramac.compress.peaks import worst_accumulator
from spectramac.compress.quantize import (
    activation_scale,
    assemble,
    forward_halving,
    quantize_coefficients,
)
from spectramac.compress.requantization import encode_multiplier
from spectramac.compress.sft import inverse_sft, sft
from spectramac.model.batch import quantize_input
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Transform

IDENTITY = Transform()
FFT8 = Transform("fft1d", 8)
FFT64 = Transform("fft1d", 64)
TILE = Transform("fft2d", 64)


@pytest.mark.parametrize("bits", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("steps", ["layer", "pair", "row"])
def test_codes(bits: int, steps: Literal["layer", "pair", "row"]) -> None:
    rng = np.random.default_rng(bits)
    S = rng.normal(size=(24, 50)) * 2.0 ** rng.integers(-3, 3, (12, 1)).repeat(2, 0)
    S[:, 7] = 0
    q = quantize_coefficients(S, bits, steps)
    limit = 2 ** (bits - 1) - 1
    assert np.abs(q.codes).max() == limit
    assert not q.codes[:, 7].any()
    # Where nothing is clipped the error is at most half a step.
    inside = np.abs(S) <= limit * q.steps[:, None]
    assert np.all(np.abs(S - q.values)[inside] <= (q.steps[:, None] / 2 + 1e-12 + 0 * S)[inside])
    ratio = np.log2(q.steps / q.steps.min())
    if steps == "layer":
        assert np.all(ratio == 0)
    if steps == "pair":
        np.testing.assert_array_equal(ratio, np.rint(ratio))
        np.testing.assert_array_equal(ratio[0::2], ratio[1::2])


def test_finer_steps_err_less() -> None:
    rng = np.random.default_rng(1)
    S = rng.normal(size=(24, 50)) * 2.0 ** rng.integers(-3, 3, (12, 1)).repeat(2, 0)
    errors = [
        np.linalg.norm(S - quantize_coefficients(S, 4, steps).values)
        for steps in ("layer", "pair", "row")
    ]
    assert errors[0] > errors[1] > errors[2]


def test_activation_scale() -> None:
    values = np.concatenate([np.linspace(0, 1, 1000), [10.0]])
    assert activation_scale(values, "max") == pytest.approx(10 / 127)
    assert activation_scale(values, "percentile", percentile=99) < 1.01 / 127
    x = np.random.default_rng(0).normal(size=5000)

    def error(scale: float) -> float:
        return float(np.mean((quantize_input(x, scale) * scale - x) ** 2))

    assert error(activation_scale(x, "mse")) <= error(activation_scale(x, "max"))
    with pytest.raises(ValueError, match="something other than zeros"):
        activation_scale(np.zeros(3))


def test_encode_multiplier() -> None:
    rng = np.random.default_rng(2)
    for value in [1.0, 32766.0, 2.0**-17, *np.exp(rng.uniform(np.log(2**-17), np.log(32766), 500))]:
        multiplier, shift = encode_multiplier(float(value))
        assert 0 < multiplier < 1 << 15
        assert 0 <= shift < 32
        assert multiplier / 2**shift == pytest.approx(value, rel=2**-15)
    for bad in (0.0, -1.0, 2.0**-34, 40000.0):
        with pytest.raises(ValueError, match="a scale must be more than"):
            encode_multiplier(bad)


def test_forward_halving() -> None:
    assert forward_halving(FFT64, 15) == 0
    assert forward_halving(FFT64, 14) == 0b1
    assert forward_halving(Transform("fft1d", 1024), 16) == 0b111
    assert forward_halving(IDENTITY, 12) == 0


def build(
    t_in: Transform,
    t_out: Transform,
    bits: int,
    steps: Literal["layer", "pair", "row"],
    *,
    data_width: int = 15,
    relu: bool = True,
    n_in: int = 100,
    n_out: int = 52,
) -> tuple[Layer, np.ndarray, np.ndarray]:
    """A layer, inputs, and what the same quantized coefficients give in float, in output steps."""
    rng = np.random.default_rng(n_in + bits)
    W, bias = rng.normal(size=(n_out, n_in)) / 10, rng.normal(size=n_out)
    x = rng.integers(0, 128, (31, n_in))
    input_scale = 1 / 127
    S = sft(W, t_in, t_out)
    S[np.abs(S) < np.quantile(np.abs(S), 0.5)] = 0
    codes = quantize_coefficients(S, bits, steps)
    real = x * input_scale @ inverse_sft(codes.values, t_in, t_out, W.shape).T + bias
    real = np.maximum(real, 0) if relu else real
    scale = activation_scale(real, "max")
    layer = assemble(
        "test", codes, n_in=n_in, n_out=n_out, t_in=t_in, t_out=t_out, bias=bias,
        input_scale=input_scale, output_scale=scale, calibration=x, relu=relu,
        data_width=data_width,
    )  # fmt: skip
    return layer, x, real / scale


CASES = [
    (FFT8, FFT8, 4, "layer"),
    (FFT8, FFT8, 6, "pair"),
    (TILE, FFT8, 4, "layer"),
    (FFT8, IDENTITY, 8, "row"),
    (IDENTITY, IDENTITY, 5, "row"),
    (IDENTITY, FFT8, 8, "pair"),
]


@pytest.mark.parametrize(("t_in", "t_out", "bits", "steps"), CASES)
@pytest.mark.parametrize("relu", [False, True])
def test_layer_agrees_with_float(
    t_in: Transform,
    t_out: Transform,
    bits: int,
    steps: Literal["layer", "pair", "row"],
    relu: bool,
) -> None:
    """Within one output step: half of it is the last rounding, the rest is the data width."""
    layer, x, expected = build(t_in, t_out, bits, steps, relu=relu)
    for width in (15, 16):
        y = run_layer(layer, x, data_width=width).y
        assert np.abs(y - expected).max() <= 1.0
        assert np.abs(y).max() >= 126


def test_halved_input_layer_agrees_with_float() -> None:
    """A transform too long for the data width: three stages halved, coarser, within two steps."""
    t = Transform("fft1d", 256)
    layer, x, expected = build(t, FFT8, 6, "layer", data_width=14, n_in=256)
    assert layer.halve_in == 0b111
    assert np.abs(run_layer(layer, x, data_width=14).y - expected).max() <= 2.0


def test_z_uses_the_data_width() -> None:
    """row_shift is the smallest that fits: halving it once more saturates what headroom allows."""
    layer, x, _ = build(FFT8, FFT8, 4, "layer")
    rows = np.abs(run_layer(layer, x).rows)
    assert isinstance(layer.row_shift, int)
    used = rows.max() * 2.0**-layer.row_shift
    assert 2**14 / 8 < used < 2**14


def test_uniform_scales_are_plain_integers() -> None:
    layer, _, _ = build(FFT8, FFT8, 4, "layer")
    assert all(isinstance(v, int) for v in (layer.multiplier, layer.shift, layer.row_shift))
    layer, _, _ = build(FFT8, IDENTITY, 8, "row")
    assert isinstance(layer.multiplier, np.ndarray)


@pytest.mark.parametrize(("t_in", "t_out", "bits", "steps"), CASES)
def test_worst_accumulator_is_a_bound(
    t_in: Transform, t_out: Transform, bits: int, steps: Literal["layer", "pair", "row"]
) -> None:
    layer, x, _ = build(t_in, t_out, bits, steps)
    bound = worst_accumulator(layer, 0, 127)
    rng = np.random.default_rng(0)
    extreme = 127 * rng.integers(0, 2, (200, layer.n_in))
    for inputs in (x, extreme):
        assert np.abs(run_layer(layer, inputs).rows).max() <= bound
    assert worst_accumulator(layer) >= bound


def test_worst_accumulator_is_reached() -> None:
    """Identity: the bound is exact."""
    layer, _, _ = build(IDENTITY, IDENTITY, 8, "row")
    row = int(np.argmax(np.abs(layer.coefficients.astype(int)).sum(axis=1)))
    x = np.where(layer.coefficients[row] > 0, -128, 127)[None]
    reached = np.abs(run_layer(layer, x).rows[0, row])
    assert 0.99 * worst_accumulator(layer) <= reached <= worst_accumulator(layer)


def test_errors() -> None:
    with pytest.raises(ValueError, match="bits must be from 4 to 8, not 3"):
        quantize_coefficients(np.zeros((2, 2)), 3)
    with pytest.raises(ValueError, match="steps must be more than 0"):
        quantize_coefficients(np.zeros((2, 2)), 4, 0.0)
    codes = quantize_coefficients(np.ones((8, 8)), 4, np.linspace(1, 2, 8))
    arguments = {
        "n_in": 8, "n_out": 8, "t_in": FFT8, "bias": np.zeros(8), "input_scale": 1.0,
        "output_scale": 1.0, "calibration": np.ones((2, 8), int), "relu": False,
    }  # fmt: skip
    with pytest.raises(ValueError, match="steps must be a power of two apart"):
        assemble("x", codes, t_out=FFT8, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"accumulators must fit sQ8\.0, not"):
        assemble("x", codes, t_out=IDENTITY, accumulator_width=8, **arguments)  # type: ignore[arg-type]
