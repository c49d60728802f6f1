# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layouts: they hold S exactly, keep the limits of their formats, and are as small as they can be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.networks import PATTERNS, random_network

from spectramac.compiler.layout import CompileError, Layout, is_diagonal, lay_out
from spectramac.model.network import Layer, Transform
from spectramac.spec.config import AcceleratorConfig

IDENTITY = Transform()
FFT8 = Transform("fft1d", 8)


def make_layer(
    s: Any, t_in: Transform = IDENTITY, t_out: Transform = IDENTITY, **fields: Any
) -> Layer:
    """A layer that is its matrix; everything else is plain."""
    s = np.asarray(s, np.int16)
    defaults: dict[str, Any] = {
        "name": "test",
        "n_in": s.shape[1],
        "n_out": s.shape[0],
        "coefficient_bits": 8,
        "bias": np.zeros(s.shape[0], np.int32),
        "multiplier": 1,
        "shift": 0,
    }
    return Layer(t_in=t_in, t_out=t_out, coefficients=s, **defaults | fields)


def make_config(n_lanes: int, accumulator_depth: int = 64, **fields: Any) -> AcceleratorConfig:
    """A configuration for layouts."""
    return AcceleratorConfig(n_lanes=n_lanes, accumulator_depth=accumulator_depth, **fields)


def rebuild(layout: Layout, layer: Layer, n_lanes: int) -> np.ndarray:
    """S from the entries, one by one; checks that rows stay below ``clear_depth`` and never repeat."""
    half_in = layer.t_in.n // 2 if layer.t_in.is_fft else layer.coefficients.shape[1] // 2
    half_out = layer.t_out.n // 2
    kinds = layout.counts.shape[2]
    s = np.zeros_like(layer.coefficients)
    e = 0
    for (group, pair, kind), count in np.ndenumerate(layout.counts):
        row = np.full(n_lanes, pair % half_in * layout.column_stride - 1)
        for _ in range(count):
            row += 1 + layout.d[e]
            assert row.max() < layout.clear_depth
            for lane in range(n_lanes):
                a, b = int(layout.a[e, lane]), int(layout.b[e, lane])
                if not (a or b):
                    continue
                if layout.bin_major:
                    step, block = divmod(int(row[lane]), layout.column_stride)
                    rho = (block * n_lanes + lane) * half_out + step
                else:
                    rho = int(row[lane]) * n_lanes + lane
                first = group * layout.group_out + 2 * rho
                assert 2 * rho < layout.group_out
                column = 2 * pair + (kind if kinds == 2 else max(kind - 1, 0))
                assert not s[first : first + 2, column].any()
                s[first : first + 2, column] = a, b
                if kinds == 3 and kind == 0:
                    s[first : first + 2, column + 1] = -b, a
            e += 1
    assert e == layout.n_entries
    return s


def check(layout: Layout, layer: Layer, config: AcceleratorConfig) -> None:
    """Everything that the hardware relies on."""
    np.testing.assert_array_equal(rebuild(layout, layer, config.n_lanes), layer.coefficients)
    assert layout.counts.min() >= 0
    assert layout.counts.max() <= 255
    assert layout.clear_depth <= config.accumulator_depth
    assert layout.group_out % layer.t_out.n == 0
    assert layout.n_groups == -(-len(layer.coefficients) // layout.group_out)
    assert layout.column_stride & (layout.column_stride - 1) == 0
    assert (layout.column_stride > 0) == layout.bin_major
    if layout.is_indexed:
        assert layout.d.max(initial=0) < (16 if layout.is_narrow else 256)
    else:
        assert not layout.d.any()
    assert layout.d.min(initial=0) >= 0


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1 << 32),
    n_lanes=st.sampled_from([1, 2, 3, 5, 24]),
    depth=st.sampled_from([4, 16, 64, 256]),
    pattern=st.sampled_from(PATTERNS),
    n_groups=st.sampled_from([None, 2, 4]),
    indexed=st.sampled_from([None, None, True, False]),
)
def test_holds_the_matrix(
    seed: int, n_lanes: int, depth: int, pattern: Any, n_groups: int | None, indexed: bool | None
) -> None:
    """Whatever is chosen, the entries are S."""
    config = make_config(
        n_lanes, depth, coefficient_depth=1 << 16, log2_n_max=4 if depth == 4 else 6
    )
    rng = np.random.default_rng(seed)
    network = random_network(rng, config, n_layers=1, pattern=pattern, max_size=80)
    layer = network.layers[0]
    layout = lay_out(layer, config, n_groups=n_groups, indexed=indexed)
    check(layout, layer, config)
    assert layout.is_narrow == (layer.coefficient_bits == 4)
    assert layout.is_complex == (layer.pattern == "complex")
    assert indexed is None or layout.is_indexed == indexed
    assert not layout.bin_major or is_diagonal(layer)


def test_dense_stores_no_index_and_no_padding() -> None:
    """A dense matrix whose row pairs fill the lanes: one entry a row and column."""
    rng = np.random.default_rng(0)
    layer = make_layer(rng.integers(1, 100, (24, 10)))
    layout = lay_out(layer, make_config(3))
    assert not layout.is_indexed
    assert layout.n_entries == 10 * 4
    assert (layout.counts == 4).all()
    assert layout.n_pairs == 120
    assert layout.stored_bits == 40 * 16 * 3 + 8 * 2


def test_columns_of_one_count_are_flags() -> None:
    """Ten columns with entries in columns 1, 2 and 9 only: two words, the lowest bit first."""
    S = np.zeros((24, 10), np.int16)
    S[:, [1, 2, 9]] = 1
    layout = lay_out(make_layer(S), make_config(3))
    assert layout.uniform_count == 4
    assert layout.directory.tolist() == [0b0000_0110, 0b0000_0010]
    S[:18, 2] = 0
    layout = lay_out(make_layer(S), make_config(3), indexed=True)
    assert layout.uniform_count == 0
    assert layout.directory.tolist() == [0, 4, 1, 0, 0, 0, 0, 0, 0, 4]


@pytest.mark.parametrize("indexed", [False, True])
def test_columns_are_padded_to_one_count_where_that_takes_less(indexed: bool) -> None:
    """One column of 64 lacks its last row: three lanes' entry of 8 or 12 bits each, and not 56 bytes of directory."""
    S = np.ones((24, 64), np.int16)
    S[18:, 5] = 0
    layer = make_layer(S, coefficient_bits=4)
    layout = lay_out(layer, make_config(3), indexed=indexed)
    assert layout.uniform_count == 4
    assert layout.directory.tolist() == [255] * 8
    assert layout.n_entries == 4 * 64
    assert layout.stored_bits == 4 * 64 * 3 * (12 if indexed else 8) + 64
    assert layout.stored_bits == layout.uniform_bits


def test_balanced_pattern_has_no_padding() -> None:
    """The same number of pairs in every lane and column: full use of the lanes."""
    rng = np.random.default_rng(0)
    s = np.zeros((16, 4, 2, 6), np.int16)
    for lane in range(4):
        for column in range(6):
            s[rng.permutation(16)[:3], lane, :, column] = rng.integers(1, 100, 2)
    layer = make_layer(s.reshape(128, 6))
    layout = lay_out(layer, make_config(4))
    assert layout.is_indexed
    assert layout.n_entries * 4 == layout.n_pairs == 3 * 4 * 6
    check(layout, layer, make_config(4))


@pytest.mark.parametrize(("bits", "step"), [(4, 16), (8, 256)])
def test_long_gaps_are_padded(bits: int, step: int) -> None:
    """Entries exactly as far apart as an index reaches need no padding, one row more needs one entry."""
    config = make_config(1, 512)
    for rows, count in (((0, step), 2), ((0, step + 1), 3), ((step - 1,), 1), ((step,), 2)):
        s = np.zeros((2 * (step + 2), 2), np.int16)
        for row in rows:
            s[2 * row + 1, 0] = -7
        layer = make_layer(s, coefficient_bits=bits)
        layout = lay_out(layer, config, indexed=True)
        assert layout.counts.reshape(-1).tolist() == [count, 0]
        check(layout, layer, config)


def test_padding_stays_below_the_last_row() -> None:
    """A lane with one entry in the last row, beside a full lane, is padded before it."""
    s = np.zeros((4, 2, 2, 1), np.int16)
    s[:, 0] = 5
    s[3, 1] = 6
    layer = make_layer(np.repeat(s.reshape(16, 1), 2, axis=1))
    config = make_config(2, 4)
    layout = lay_out(layer, config, indexed=True)
    assert layout.counts.max() == 4
    check(layout, layer, config)


def test_implied_rows_when_they_store_fewer_bits() -> None:
    """Two thirds full is the break-even of 16 and 24 bits for an entry and lane."""
    for n_stored, indexed in ((7, True), (9, False)):
        s = np.zeros((24, 2), np.int16)
        s[-2 * n_stored :] = 3
        assert lay_out(make_layer(s), make_config(1)).is_indexed == indexed


def test_circulant_is_bin_major_without_index() -> None:
    """A block-circulant matrix stores each complex value once and no index."""
    rng = np.random.default_rng(0)
    n_out, n_in = 6, 3
    s = np.zeros((n_out, 8, n_in, 8), np.int16)
    for i in range(n_out):
        for j in range(n_in):
            s[i, 0, j, 0], s[i, 1, j, 1] = rng.integers(1, 100, 2)
            for k in range(1, 4):
                a, b = rng.integers(1, 100, 2)
                s[i, 2 * k : 2 * k + 2, j, 2 * k : 2 * k + 2] = [[a, -b], [b, a]]
    layer = make_layer(s.reshape(48, 24), FFT8, FFT8, pattern="complex")
    config = make_config(3)
    layout = lay_out(layer, config)
    assert is_diagonal(layer)
    assert layout.bin_major
    assert not layout.is_indexed
    assert layout.column_stride == 2
    assert layout.counts.tolist() == [[[0, 2, 2], [2, 0, 0], [2, 0, 0], [2, 0, 0]] * n_in]
    assert layout.n_pairs == n_out * n_in * (2 + 2 * 3)
    check(layout, layer, config)


def test_row_groups() -> None:
    """As few groups as the accumulators allow, or as many as asked for, of whole blocks."""
    rng = np.random.default_rng(0)
    layer = make_layer(rng.integers(-9, 9, (80, 8)), FFT8, FFT8)
    for depth, wanted, n_groups in (
        (64, None, 1),
        (8, None, 3),
        (8, 2, 3),
        (64, 2, 2),
        (64, 99, 10),
    ):
        layout = lay_out(layer, make_config(2, depth), n_groups=wanted)
        assert layout.n_groups == n_groups
        check(layout, layer, make_config(2, depth))


def test_counts_of_more_than_eight_bits_split_the_group() -> None:
    """256 rows of one lane do not fit a directory word."""
    layer = make_layer(np.ones((512, 2), np.int16))
    layout = lay_out(layer, make_config(1, 256))
    assert layout.n_groups == 2
    check(layout, layer, make_config(1, 256))


def test_empty_matrix() -> None:
    """No entries at all are a layout too."""
    layer = make_layer(np.zeros((8, 8), np.int16), FFT8, FFT8)
    layout = lay_out(layer, make_config(3))
    assert layout.n_entries == layout.n_words == layout.n_pairs == 0
    check(layout, layer, make_config(3))


def test_errors() -> None:
    """Names of layer, resource and remedy."""
    layer = make_layer(np.ones((64, 8), np.int16), FFT8, Transform("fft1d", 64), name="wide")
    with pytest.raises(
        CompileError, match="layer 'wide': accumulators: an output block has 32 row pairs"
    ):
        lay_out(layer, make_config(3, 8))
    layer = make_layer(np.ones((8, 8), np.int16), FFT8, FFT8, pattern="complex", name="odd")
    message = r"layer 'odd': complex pattern: the block of row pair 1 and column pair 1 must be"
    with pytest.raises(CompileError, match=message):
        lay_out(layer, make_config(3))
