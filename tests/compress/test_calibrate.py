# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Scales and zero points of activations, and networks with them on the engine."""

from typing import Literal

import numpy as np
import pytest
from tests.compress.clusters import clusters, trained

from spectramac.compress.calibrate import affine_range, calibrate
from spectramac.compress.post_training import Choice, compress_layers
from spectramac.compress.quantize import activation_scale
from spectramac.compress.techniques import (
    LowRank,
    Pruning,
    Quantization,
    RowsSft,
    Sft,
    SpectralInput,
    Technique,
)
from spectramac.model.batch import quantize_input
from spectramac.model.layer import run_layer, run_network

Method = Literal["max", "percentile", "mse"]
METHODS: tuple[Method, ...] = ("max", "percentile", "mse")


def test_range() -> None:
    q = affine_range(0.0, 5.1)
    assert (q.scale, q.zero_point) == (pytest.approx(0.02), -128)
    assert affine_range(-5.1, 0.0).zero_point == 127
    assert affine_range(-1.0, 3.0).zero_point == -64
    for low, high in ((0.1, 1.0), (0.0, 0.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="a range must hold zero and not be empty"):
            affine_range(low, high)


@pytest.mark.parametrize("method", METHODS)
def test_symmetric_is_the_scale(method: Method) -> None:
    x = np.random.default_rng(0).normal(size=1000)
    q = calibrate(x, method)
    assert q.scale == activation_scale(x, method)
    assert q.is_symmetric


@pytest.mark.parametrize("method", METHODS)
def test_affine_halves_the_step_of_what_has_one_sign(method: Method) -> None:
    x = np.maximum(np.random.default_rng(1).normal(size=4000), 0)
    plain, affine = calibrate(x, method), calibrate(x, method, affine=True)
    assert affine.zero_point == -128
    assert affine.scale < 0.65 * plain.scale
    zeros = x == 0
    np.testing.assert_array_equal(affine.round_trip(x)[zeros], 0)


def test_each_method_is_the_best_at_what_it_says() -> None:
    x = np.random.default_rng(2).normal(1.0, 1.0, 5000)
    x[:3] = 30.0, -20.0, 25.0
    found = {m: calibrate(x, m, affine=True, percentile=99) for m in METHODS}
    clipped = {m: np.count_nonzero(np.abs(q.round_trip(x) - x) > q.scale) for m, q in found.items()}
    assert clipped["max"] == 0
    assert clipped["percentile"] == pytest.approx(100, abs=10)
    errors = {m: float(np.mean((q.round_trip(x) - x) ** 2)) for m, q in found.items()}
    assert errors["mse"] < min(errors["max"], errors["percentile"])
    # A range that lies aside of zero: both ends are found.
    assert found["percentile"].zero_point != 0


def test_a_percentile_of_nearly_all_zeros_keeps_the_range() -> None:
    x = np.zeros(10000)
    x[0] = 3.0
    assert calibrate(x, "percentile", affine=True).scale == pytest.approx(3 / 255)


def test_refused() -> None:
    x = np.ones(3)
    with pytest.raises(ValueError, match="method must be 'max', 'percentile' or 'mse', not 'best'"):
        calibrate(x, "best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="something other than zeros"):
        calibrate(np.zeros(3), affine=True)
    with pytest.raises(ValueError, match="percentile must be more than 50 and at most 100, not 50"):
        calibrate(x, percentile=50)
    with pytest.raises(ValueError, match="must be finite"):
        calibrate(np.array([1.0, np.inf]))


@pytest.mark.parametrize(
    "technique",
    [Sft(), Sft(form="complex"), RowsSft(), Pruning(), LowRank(), SpectralInput((6, 9), 8)],
    ids=str,
)
@pytest.mark.parametrize("zeros", [(-128, -128), (31, 0)])
def test_zero_points_of_every_technique(technique: Technique, zeros: tuple[int, int]) -> None:
    """The same real inputs with and without zero points: the same real outputs, within one step."""
    rng = np.random.default_rng(3)
    structured = technique.fit(rng.normal(size=(12, 54)) / 8, 0.8)
    bias = rng.normal(size=12)
    first, second = zeros
    x = rng.integers(max(-128, -128 + first), 97, (40, 54))  # fits int8 with either zero point
    x = np.clip(x, -128 - first, 127 - first)
    expected = np.maximum(x / 64 @ structured.dense().T + bias, 0)
    scale = float(expected.max()) / (255 if second else 127)
    layers = structured.export(
        "a", bias, inputs=x + first, input_scale=1 / 64, output_scale=scale, relu=True,
        quantization=Quantization(8, "row"), input_zero=first, output_zero=second,
    )  # fmt: skip
    y = structured.place(x + first)
    for layer in layers:
        y = run_layer(layer, y).y
    real = (y - second) * scale
    plain = structured.quantized(Quantization(8, "row")).dense()
    exact = np.maximum(x / 64 @ plain.T + bias, 0)
    if len(layers) == 1:
        assert np.abs(real - exact).max() <= scale
    else:  # int8 values between the stages
        assert np.abs(real - exact).max() <= 0.03 * expected.max()


def test_affine_activations_between_layers_err_less() -> None:
    layers, (x, _) = trained(), clusters()
    inputs = quantize_input(x, float(np.abs(x).max()) / 127)
    scale = float(np.abs(x).max()) / 127
    real = inputs * scale
    for w, b in layers[:-1]:
        real = np.maximum(real @ w.T + b, 0)
    real = real @ layers[-1][0].T + layers[-1][1]
    errors = []
    for affine in (False, True):
        choices = [Choice(Pruning(), 1.0, Quantization(8, "row"))] * len(layers)
        network = compress_layers(layers, choices, inputs, input_scale=scale, affine=affine)
        assert network.layers[0].relu is not affine
        outputs = run_network(network, inputs.astype(np.int64)) * network.output_scale
        errors.append(float(np.sqrt(np.mean((outputs - real) ** 2))))
    assert errors[1] < errors[0]


def test_a_zero_point_between_the_ends_has_no_relu() -> None:
    structured = Pruning().fit(np.ones((4, 4)), 1.0)
    with pytest.raises(ValueError, match="output_zero behind a ReLU must be 0 or -128, not 5"):
        structured.export(
            "a", np.zeros(4), inputs=np.ones((2, 4), int), input_scale=1.0, output_scale=1.0,
            relu=True, output_zero=5,
        )  # fmt: skip
