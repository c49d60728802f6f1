# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Properties of transforms, thresholds and byte accounting for any matrix, searched by Hypothesis."""

from typing import Literal

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="searches for counterexamples: extra 'dev'")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spectramac.compiler.compile import compile_network
from spectramac.compress.blocks import analyse, orthonormal_basis, synthesise
from spectramac.compress.lanes import lane_balanced
from spectramac.compress.quantize import quantize_coefficients
from spectramac.compress.sft import (
    complex_pattern,
    from_orthonormal,
    inverse_orthonormal_sft,
    joint_blocks,
    orthonormal,
    orthonormal_sft,
)
from spectramac.compress.size import layers_cost
from spectramac.compress.techniques import Quantization, Stage
from spectramac.compress.techniques.selection import keep_complex, keep_diagonal
from spectramac.compress.threshold import (
    Mask,
    by_density,
    by_energy,
    by_error,
    by_tau,
    group_energy,
    largest,
)
from spectramac.model.network import Network, Transform
from spectramac.spec.config import preset

LARGE = preset("small").replace(
    coefficient_depth=1 << 14, directory_depth=1 << 14, log2_n_max=8, n_lanes=3
)
TRANSFORMS = st.sampled_from(
    [Transform(), *(Transform("fft1d", n) for n in (8, 32, 64, 128))]
    + [Transform("fft2d", n) for n in (16, 64)]
)
FFTS = st.sampled_from([Transform("fft1d", 8), Transform("fft1d", 16), Transform("fft2d", 16)])
# Squares must neither overflow nor vanish.
NUMBERS = st.floats(-1e3, 1e3).map(lambda x: 0.0 if abs(x) < 1e-30 else x)
DENSITIES = st.floats(0, 1)
quick = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def matrices(draw: st.DrawFn, rows: int = 40, columns: int = 40) -> np.ndarray:
    """Often random (many different magnitudes), sometimes made of few numbers (ties, zeros)."""
    shape = draw(st.integers(1, rows)), draw(st.integers(1, columns))
    if draw(st.booleans()):
        return draw(arrays(np.float64, shape, elements=NUMBERS, fill=st.just(0.0)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.normal(size=shape) * np.exp(rng.normal(size=shape))


def scale(W: np.ndarray) -> float:
    """What rounding errors are compared with."""
    return 1e-12 * (1 + float(np.linalg.norm(W)))


@quick
@given(W=matrices(), t_in=TRANSFORMS, t_out=TRANSFORMS)
def test_parseval_and_inverse(W: np.ndarray, t_in: Transform, t_out: Transform) -> None:
    S = orthonormal_sft(W, t_in, t_out)
    assert abs(np.linalg.norm(S) - np.linalg.norm(W)) <= scale(W)
    back = inverse_orthonormal_sft(S, t_in, t_out, W.shape)  # type: ignore[arg-type]
    np.testing.assert_allclose(back, W, rtol=0, atol=scale(W))
    again = from_orthonormal(orthonormal(S, t_in, t_out), t_in, t_out)
    np.testing.assert_allclose(again, S, rtol=1e-12)


@quick
@given(W=matrices(), t_in=TRANSFORMS, t_out=TRANSFORMS, energy=DENSITIES, weighted=st.booleans())
def test_error_of_what_energy_keeps(
    W: np.ndarray, t_in: Transform, t_out: Transform, energy: float, weighted: bool
) -> None:
    """The bound that was asked for holds for the weights themselves, and one group less breaks it."""
    S = orthonormal_sft(W, t_in, t_out)
    weights = np.linspace(0.5, 2, S.shape[1]) if weighted else None
    mask = by_energy(S, energy, weights)
    values = group_energy(S, column_weights=weights)
    kept, total = values[mask[0::2]].sum(), values.sum()
    assert kept >= energy * total * (1 - 1e-12)
    if kept > 0:
        assert kept - values[mask[0::2]].min() <= energy * total * (1 + 1e-12)
    if not weighted:
        lost = W - inverse_orthonormal_sft(S * mask, t_in, t_out, W.shape)  # type: ignore[arg-type]
        bound = np.sqrt(max(0.0, 1 - energy)) * np.linalg.norm(W)
        # Cutting the padding off again only lowers it.
        assert np.linalg.norm(lost) <= bound * (1 + 1e-9) + scale(W) + 1e-6 * np.linalg.norm(W)


@quick
@given(S=matrices(), error=DENSITIES)
def test_error_bound(S: np.ndarray, error: float) -> None:
    S = np.repeat(S, 2, axis=0)
    dropped = np.linalg.norm(S * ~by_error(S, error))
    assert dropped <= error * np.linalg.norm(S) * (1 + 1e-9) + 1e-7 * np.linalg.norm(S)


@quick
@given(S=matrices(), density=DENSITIES, kind=st.integers(0, 4), tau=st.floats(0, 100))
def test_thresholding_is_idempotent(S: np.ndarray, density: float, kind: int, tau: float) -> None:
    S = np.repeat(S, 2, axis=0)[:, : S.shape[1] // 2 * 2]
    if not S.size:
        return

    def threshold(x: np.ndarray) -> Mask:
        if kind == 0:
            return by_tau(x, tau)
        if kind == 4:
            return lane_balanced(x, density, 2)
        return by_density(x, density, group=((1, 1), (2, 1), (2, 2))[kind - 1])

    once = S * threshold(S)
    twice = once * threshold(once)
    if kind == 4:  # of equal energies another row may be taken, never more energy
        assert np.linalg.norm(twice) == pytest.approx(np.linalg.norm(once))
    else:
        np.testing.assert_array_equal(twice, once)


@quick
@given(values=matrices(), part=st.floats(0, 1.1))
def test_largest(values: np.ndarray, part: float) -> None:
    """Exactly so many, as a stable sort would choose them."""
    count = round(part * values.size)
    keep = largest(values, count)
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    expected = np.zeros(values.size, np.bool_)
    expected[order] = True
    np.testing.assert_array_equal(keep.ravel(), expected)


@quick
@given(W=matrices(), t_in=FFTS, t_out=FFTS, density=DENSITIES, bits=st.integers(4, 8))
def test_symmetry_is_preserved(
    W: np.ndarray, t_in: Transform, t_out: Transform, density: float, bits: int
) -> None:
    """Projection, threshold, quantization: every complex block stays one complex number."""
    S = complex_pattern(orthonormal_sft(W, t_in, t_out), t_in, t_out)
    joint = joint_blocks(S.shape, t_in, t_out)

    def check(values: np.ndarray) -> None:
        blocks = values.reshape(len(joint), 2, -1, 2).transpose(0, 2, 1, 3)[joint]
        np.testing.assert_array_equal(blocks[:, 0, 0], blocks[:, 1, 1])
        np.testing.assert_array_equal(blocks[:, 0, 1], -blocks[:, 1, 0])

    mask = keep_complex(S, density, t_in, t_out)
    np.testing.assert_array_equal(complex_pattern(S, t_in, t_out), S)
    check(S * mask)
    codes = quantize_coefficients(from_orthonormal(S * mask, t_in, t_out), bits)
    check(codes.codes)


@quick
@given(W=matrices(), t=FFTS, density=DENSITIES)
def test_diagonal_masks(W: np.ndarray, t: Transform, density: float) -> None:
    S = complex_pattern(orthonormal_sft(W, t, t), t, t)
    mask = keep_diagonal(S, density, t)
    rows, columns = np.nonzero(mask)
    np.testing.assert_array_equal(rows // 2 % (t.n // 2), columns // 2 % (t.n // 2))
    groups = S.size // t.n**2 * t.n // 2
    blocks = mask.reshape(len(S) // 2, 2, -1, 2).any(axis=(1, 3))
    assert blocks.sum() == round(density * groups)
    np.testing.assert_array_equal(mask, keep_diagonal(S * mask, density, t) | mask)


@quick
@given(W=matrices(), t=TRANSFORMS, axis=st.integers(0, 1))
def test_block_transforms_equal_products(W: np.ndarray, t: Transform, axis: int) -> None:
    """Every kernel (product, FFT, 2-D FFT) against R itself, in both directions."""
    padded = np.zeros((t.padded(W.shape[0]), t.padded(W.shape[1])))
    padded[: W.shape[0], : W.shape[1]] = W
    R = np.kron(np.eye(padded.shape[axis] // t.n), orthonormal_basis(t))
    expected = R @ padded if axis == 0 else padded @ R.T
    values = padded.copy()
    analyse(values, t, axis)
    np.testing.assert_allclose(values, expected, rtol=0, atol=scale(W))
    synthesise(values, t, axis)
    np.testing.assert_allclose(values, padded, rtol=0, atol=scale(W))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    blocks=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    t_in=TRANSFORMS,
    t_out=TRANSFORMS,
    density=DENSITIES,
    bits=st.integers(4, 8),
    steps=st.sampled_from(["layer", "pair", "row"]),
    form=st.sampled_from(["real", "complex", "diagonal"]),
    lanes=st.sampled_from([1, 2, 3, 8]),
)
def test_bytes_are_what_is_stored(
    seed: int,
    blocks: tuple[int, int],
    t_in: Transform,
    t_out: Transform,
    density: float,
    bits: int,
    steps: Literal["layer", "pair", "row"],
    form: str,
    lanes: int,
) -> None:
    """Of any stage on any number of lanes: the sections of the compiled image, byte for byte."""
    if form == "diagonal":
        t_in = t_out
    if not (t_in.is_fft and t_out.is_fft):
        form = "real"
    rng = np.random.default_rng(seed)
    n_out, n_in = blocks[0] * t_out.n, blocks[1] * t_in.n
    S = rng.normal(size=(n_out, n_in))
    if form == "real":
        mask = by_density(S, density)
    else:
        S = complex_pattern(S, t_in, t_out)
        mask = (
            keep_complex(S, density, t_in, t_out)
            if form == "complex"
            else keep_diagonal(S, density, t_in)
        )
    stage = Stage(
        n_in=n_in - int(rng.integers(0, 2)), n_out=n_out - int(rng.integers(0, 2)), t_in=t_in,
        t_out=t_out, spectrum=S, mask=mask, pattern="real" if form == "real" else "complex",
    )  # fmt: skip
    layer = stage.skeleton(Quantization(bits, steps))
    config = LARGE.replace(n_lanes=lanes)
    image = compile_network(Network(layers=(layer,)), config)
    stored = sum(len(section.data) for section in image.sections.values())
    cost = layers_cost([layer], config)
    assert cost.stored_bytes == stored
    words = image.layers[0]["words"]
    assert cost.coefficient_bits == 16 * lanes * words["coefficient"]
    assert cost.index_bits == 8 * lanes * words["index"]
    assert cost.directory_bits == 8 * words["directory"]
    assert cost.scale_bits == 20 * words["scale"] + 5 * words["row_shift"]
    entries = 2 if bits == 4 else 1  # of a word
    assert cost.n_pairs + cost.n_padding == entries * lanes * words["coefficient"]
    assert cost.multiplications >= stage.n_values
