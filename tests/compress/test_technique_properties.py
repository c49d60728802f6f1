# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Properties of whole techniques for any matrix, searched by Hypothesis: exactness, idempotence, balance, bytes."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="searches for counterexamples: extra 'dev'")

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compress.cases import ALL, COMPLEX, CONFIG, EXACT, ids

from spectramac.compiler.compile import compile_network
from spectramac.compress.lanes import entries_per_lane, lane_balanced
from spectramac.compress.techniques import (
    BlockCirculant,
    NeuronPruning,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    Sft,
    SpectralInput,
    Technique,
)
from spectramac.model.network import Network

quick = settings(max_examples=25, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32)
DENSITIES = st.floats(0.05, 1)


def matrix(seed: int, n_out: int, n_in: int) -> np.ndarray:
    """Magnitudes over some decades, sometimes rows, columns or all of zeros."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n_out, n_in)) * np.exp(rng.normal(size=(n_out, n_in)))
    W[rng.random(n_out) < 0.1] = 0
    W[:, rng.random(n_in) < 0.1] = 0
    return W


@pytest.mark.parametrize("technique", EXACT, ids=ids)
@quick
@given(seed=SEEDS, n_out=st.integers(1, 20))
def test_full_density_is_exact(technique: Technique, seed: int, n_out: int) -> None:
    W = matrix(seed, n_out, 54)
    np.testing.assert_allclose(
        technique.fit(W, 1.0).dense(), W, rtol=0, atol=1e-10 * (1 + np.abs(W).max())
    )


@pytest.mark.parametrize("technique", COMPLEX, ids=ids)
@quick
@given(seed=SEEDS)
def test_full_density_of_complex_patterns_is_exact_for_what_they_represent(
    technique: Technique, seed: int
) -> None:
    W = technique.fit(matrix(seed, 32, 48), 1.0).dense()
    np.testing.assert_allclose(
        technique.fit(W, 1.0).dense(), W, rtol=0, atol=1e-10 * (1 + np.abs(W).max())
    )


FIXED_BASIS: list[Technique] = [
    *(Sft(selection=Selection(g)) for g in ("value", "pair", "bin", "lanes")),  # type: ignore[arg-type]
    Sft(form="complex"), Sft(16, 8), RowsSft(), Pruning(), Pruning(Selection("lanes")), NeuronPruning(),
    BlockCirculant(), SpectralInput((8, 8), 8), SpectralInput((8, 8), 4, bins=1.0),
]  # fmt: skip


@pytest.mark.parametrize("technique", FIXED_BASIS, ids=ids)
@quick
@given(seed=SEEDS, density=DENSITIES)
def test_compressing_what_is_compressed_changes_nothing(
    technique: Technique, seed: int, density: float
) -> None:
    """Of whole blocks; from the matrix, not from its spectrum."""
    rng = np.random.default_rng(seed)
    once = technique.fit(rng.normal(size=(16, 64)), density).dense()
    twice = technique.fit(once, density).dense()
    np.testing.assert_allclose(twice, once, rtol=0, atol=1e-10)


@quick
@given(
    SEEDS,
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(1, 9),
    st.floats(0, 1),
    st.integers(1, 15),
)
def test_lanes_are_balanced_as_far_as_they_have_rows(
    seed: int, n_pairs: int, n_columns: int, n_lanes: int, density: float, gap: int
) -> None:
    S = matrix(seed, 2 * n_pairs, n_columns)
    mask = lane_balanced(S, density, n_lanes, max_gap=gap)
    np.testing.assert_array_equal(mask[0::2], mask[1::2])
    rows = np.array([len(range(lane, n_pairs, n_lanes)) for lane in range(n_lanes)])
    entries = entries_per_lane(mask, n_lanes)
    words = entries.max(axis=1, keepdims=True)
    np.testing.assert_array_equal(entries, np.minimum(words, rows))
    # As near to the density as whole words come: none more or less brings it nearer.
    assert abs(mask[0::2].sum() - density * mask[0::2].size) <= n_lanes / 2 + 1e-9
    for lane in range(min(n_lanes, n_pairs)):
        for column in mask[0::2][lane::n_lanes].T:
            places = [0, *np.flatnonzero(column).tolist()]
            assert all(b - a <= gap for a, b in pairwise(places))


@pytest.mark.parametrize("technique", ALL, ids=ids)
@quick
@given(seed=SEEDS, density=DENSITIES, bits=st.integers(4, 8))
def test_bytes_are_the_length_of_the_compiled_network(
    technique: Technique, seed: int, density: float, bits: int
) -> None:
    """Exported and compiled: never more than counted, and exactly that where no code became zero."""
    rng = np.random.default_rng(seed)
    fit = technique.fit(rng.normal(size=(16, 54)), density)
    quantization = Quantization(bits, "layer")
    counted = fit.cost(CONFIG, quantization)
    layers = fit.export(
        "a", rng.normal(size=16), inputs=rng.integers(-128, 128, (8, 54)), input_scale=1 / 64,
        output_scale=0.3, relu=False, quantization=quantization,
    )  # fmt: skip
    image = compile_network(Network(layers=layers), CONFIG)
    assert image.stored_bytes == sum(len(s.data) for s in image.sections.values())
    assert image.stored_bytes <= counted.stored_bytes
    kept = sum(int(np.count_nonzero(layer.coefficients)) for layer in layers)
    if kept == sum(int(stage.mask.sum()) for stage in fit.stages):
        assert image.stored_bytes == counted.stored_bytes
