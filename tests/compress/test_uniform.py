# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Quantization of coefficients in every granularity: errors, bytes, and what the engine refuses."""

from typing import Literal

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="searches for counterexamples: extra 'dev'")

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compress.cases import CONFIG, matrix

from spectramac.compress.quantize import quantize_coefficients
from spectramac.compress.sft import joint_blocks, orthonormal_sft
from spectramac.compress.techniques import (
    BlockCirculant,
    NotRunnableError,
    PrunedConv,
    Pruning,
    Quantization,
    Selection,
    Sft,
)
from spectramac.compress.uniform import parameter_bits, quantize_uniform
from spectramac.model.network import Transform

quick = settings(max_examples=40, deadline=None, derandomize=True)
GROUPS = st.tuples(st.integers(1, 9), st.integers(1, 9))
SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20))


def numbers(seed: int, shape: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    S = rng.normal(rng.normal(), 1, shape) * np.exp(rng.normal(size=shape))
    S[rng.random(shape) < 0.3] = 0
    return S


@quick
@given(st.integers(0, 2**32), SHAPES, GROUPS, st.integers(4, 8), st.booleans())
def test_any_granularity(
    seed: int, shape: tuple[int, int], group: tuple[int, int], bits: int, affine: bool
) -> None:
    S = numbers(seed, shape)
    q = quantize_uniform(S, bits, group, affine=affine)
    limit = 1 << (bits - 1)
    assert q.codes.min() >= -limit + (not affine)
    assert q.codes.max() < limit
    assert not q.values[S == 0].any()
    if not affine:
        assert not q.zero_points.any()
    rows, columns = (np.arange(n) // g for n, g in zip(shape, group, strict=True))
    steps = q.steps[rows][:, columns]
    zeros = q.zero_points[rows][:, columns].astype(np.int64)
    np.testing.assert_allclose(q.values[S != 0], (steps * (q.codes - zeros))[S != 0])
    # What is not clipped errs by half a step at most.
    inside = (q.codes > -limit + (not affine)) & (q.codes < limit - 1) & (S != 0)
    assert np.all(np.abs(S - q.values)[inside] <= 0.5001 * steps[inside])
    # Quantizing what was quantized, with the same steps, changes nothing.
    again = np.clip(np.rint(q.values / steps) + zeros, -limit, limit - 1)
    np.testing.assert_array_equal(again[S != 0], q.codes[S != 0])


@quick
@given(st.integers(0, 2**32), SHAPES, GROUPS, st.integers(4, 8), st.booleans())
def test_parameters_take_what_is_stored(
    seed: int, shape: tuple[int, int], group: tuple[int, int], bits: int, affine: bool
) -> None:
    """Packed and unpacked again: every step and zero point is in the bytes that are counted."""
    q = quantize_uniform(numbers(seed, shape), bits, group, affine=affine)
    packed = q.pack_parameters()
    assert q.parameter_bits == parameter_bits(shape, bits, group, affine=affine)
    assert len(packed) == -(-q.parameter_bits // 8)
    stored = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little").astype(np.int64)
    at, n = 0, q.steps.size

    def take(width: int) -> np.ndarray:
        nonlocal at
        fields = stored[at : at + n * width].reshape(n, width)
        at += n * width
        return fields @ (1 << np.arange(width))

    if n > 1:
        steps = q.unit * take(15) / 2.0 ** take(5)
        np.testing.assert_array_equal(steps, q.steps.ravel())
    if affine:
        zeros = take(bits)
        zeros -= (zeros >> (bits - 1)) << bits
        np.testing.assert_array_equal(zeros, q.zero_points.ravel())


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_symmetric_groups_are_those_of_the_engine(bits: int) -> None:
    S = matrix(20, 30)
    for steps, group in (("layer", (20, 30)), ("row", (1, 30))):
        engine = quantize_coefficients(S, bits, steps)  # type: ignore[arg-type]
        q = quantize_uniform(S, bits, group)
        # Steps of rows are rounded to the 15 bits that store them.
        np.testing.assert_allclose(q.steps.ravel(), engine.steps[:: group[0]], rtol=2**-14)


def test_finer_and_affine_err_less() -> None:
    """Weights far from zero, each block at another scale."""
    rng = np.random.default_rng(5)
    S = (rng.normal(size=(32, 32)) + 2) * np.exp(rng.normal(size=(4, 4))).repeat(8, 0).repeat(8, 1)

    def error(group: tuple[int, int], affine: bool) -> float:
        return float(np.linalg.norm(S - quantize_uniform(S, 4, group, affine=affine).values))

    for affine in (False, True):
        assert error((32, 32), affine) > error((1, 32), affine) > error((8, 8), affine)
    for group in ((32, 32), (1, 32), (8, 8)):
        assert error(group, True) < error(group, False)


SCHEMES = [
    Quantization(4, "block"),
    Quantization(4, "block", affine=True),
    Quantization(4, "block", block=16),
    Quantization(5, "layer", affine=True),
    Quantization(8, "row", affine=True),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("technique", [Sft(), Pruning()], ids=str)
def test_a_technique_counts_and_compares_what_the_engine_refuses(
    scheme: Quantization, technique: Sft | Pruning
) -> None:
    W = matrix(24, 40)
    fit = technique.fit(W, 0.5)
    (stage,) = fit.stages
    plain = fit.cost(CONFIG, Quantization(scheme.bits, "layer"))
    cost = fit.cost(CONFIG, scheme)
    group = scheme.group(stage.mask.shape, stage.t_out)
    q = quantize_uniform(
        stage.coefficients(), scheme.bits, group, affine=scheme.affine, mask=stage.mask
    )
    assert cost.stored_bytes - plain.stored_bytes == len(q.pack_parameters()) > 0
    assert cost.scale_bits - plain.scale_bits == q.parameter_bits
    assert cost.multiplications == plain.multiplications
    rounded = fit.quantized(scheme)
    np.testing.assert_array_equal(rounded.stages[0].mask, stage.mask)
    np.testing.assert_allclose(rounded.stages[0].coefficients(), q.values, atol=1e-12)
    assert fit.error(W) < rounded.error(W) < fit.error(W) + 0.3
    with pytest.raises(
        NotRunnableError, match=rf"{fit.technique}: .* use Quantization\({scheme.bits}, 'row'\)"
    ):
        fit.export(
            "a", np.zeros(24), inputs=np.ones((2, 40), int), input_scale=1.0, output_scale=1.0,
            relu=False, quantization=scheme,
        )  # fmt: skip


def test_convolutions_refuse_it_too() -> None:
    fit = PrunedConv().fit(np.ones((4, 4, 3, 3)), 1.0)
    with pytest.raises(NotRunnableError, match="use Quantization"):
        fit.cost(CONFIG, quantization=Quantization(8, affine=True))


@quick
@given(
    st.integers(0, 2**32),
    st.integers(4, 8),
    st.sampled_from(["layer", "pair", "row", "block"]),
    st.sampled_from([Transform("fft1d", 8), Transform("fft2d", 16)]),
)
def test_symmetric_steps_preserve_complex_numbers(
    seed: int, bits: int, steps: Literal["layer", "pair", "row", "block"], t: Transform
) -> None:
    W = np.random.default_rng(seed).normal(size=(2 * t.n, t.n))
    fit = (
        Sft(t.n, t.n, form="complex").fit(W, 0.6) if not t.two_d else BlockCirculant(8).fit(W, 0.6)
    )
    (stage,) = fit.quantized(Quantization(bits, steps)).stages
    S = stage.spectrum
    joint = joint_blocks(S.shape, stage.t_in, stage.t_out)
    blocks = S.reshape(len(joint), 2, -1, 2).transpose(0, 2, 1, 3)[joint]
    np.testing.assert_allclose(blocks[:, 0, 0], blocks[:, 1, 1], atol=1e-12)
    np.testing.assert_allclose(blocks[:, 0, 1], -blocks[:, 1, 0], atol=1e-12)


def test_a_complex_pattern_has_no_zero_points() -> None:
    fit = Sft(form="complex").fit(matrix(), 1.0)
    with pytest.raises(ValueError, match="complex pattern must be symmetric, not affine"):
        fit.quantized(Quantization(8, affine=True))


def test_out_of_range() -> None:
    with pytest.raises(ValueError, match="bits must be from 4 to 8, not 9"):
        quantize_uniform(np.ones((2, 2)), 9, (1, 1))
    with pytest.raises(ValueError, match="must be rectangles of a matrix"):
        quantize_uniform(np.ones((2, 2)), 8, (0, 1))
    with pytest.raises(ValueError, match="block must be an even number from 2 up, not 3"):
        Quantization(8, "block", block=3)


@quick
@given(st.integers(0, 2**32), st.sampled_from(["value", "pair", "bin", "lanes"]), st.floats(0, 1))
def test_dropping_errs_by_what_is_dropped(
    seed: int, group: Literal["value", "pair", "bin", "lanes"], density: float
) -> None:
    """Parseval: the squared error of whole blocks is exactly the energy that is not kept; cropping lowers it."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(16, 24)) * np.exp(rng.normal(size=(16, 24)))
    for W in (whole, whole[:13, :21]):
        fit = Sft(selection=Selection(group)).fit(W, density)
        (stage,) = fit.stages
        S = orthonormal_sft(W, stage.t_in, stage.t_out)
        dropped = float((S[~stage.mask] ** 2).sum())
        error = float(((W - fit.dense()) ** 2).sum())
        assert error <= dropped * (1 + 1e-9) + 1e-12
        if W is whole:
            assert error == pytest.approx(dropped, abs=1e-9)
