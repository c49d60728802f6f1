# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tiles and the magnitude threshold against NumPy and against integers without limit."""

import numpy as np
import pytest

from spectramac.model.fft import error_bound, quantization_noise
from spectramac.model.fft2d import fft2d
from spectramac.model.fft_threshold import emission_order, fft_threshold
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.fft_streams import level_format

TILES = [(rows, columns) for rows in range(2, 6) for columns in range(2, 6)]


def tile(log2_rows: int, log2_columns: int, scaling: str = "halving", **changes) -> FFTConfig:
    return FFTConfig(
        log2_n_max=log2_rows + log2_columns,
        log2_columns=log2_columns,
        scaling=scaling,
        twiddle_width=18,
        **changes,
    )


def random_tiles(config: FFTConfig, n: int = 4, amplitude: int | None = None):
    limit = amplitude or config.data.maximum // 2
    shape = (2, n, config.n_max >> config.log2_columns, 1 << config.log2_columns)
    return np.random.default_rng(config.n_max).integers(-limit, limit, shape, endpoint=True)


@pytest.mark.parametrize("scaling", ["halving", "growth"])
@pytest.mark.parametrize(("rows", "columns"), TILES)
def test_tiles_are_numpys(rows, columns, scaling):
    config = tile(rows, columns, scaling)
    re, im = random_tiles(config)
    y = fft2d(re, im, config=config)
    assert not y.overflow.any()
    exact = np.fft.fft2(re + 1j * im) / (config.n_max if scaling == "halving" else 1)
    error = np.abs(y.re + 1j * y.im - exact).max()
    assert error <= error_bound(config, config.log2_n_max)
    assert error > 0 or (rows, columns) == (2, 2)
    power, noise, _ = quantization_noise(config, *(p.reshape(4, -1) for p in (re, im)))
    # Noise is in units of X, errors in those of the words.
    assert noise.sum() <= 4 * config.n_max * (error * 2.0 ** y.exponent.max()) ** 2
    assert power.sum() > 1e4 * noise.sum()


def test_tile_in_the_order_of_emission():
    config = tile(3, 2)
    re, im = random_tiles(config)
    natural = fft2d(re, im, config=config)
    emitted = fft2d(re, im, config=config, bit_reversed=True)
    for n1, k1 in enumerate([0, 4, 2, 6, 1, 5, 3, 7]):
        for n2, k2 in enumerate([0, 2, 1, 3]):
            assert (emitted.re[:, n1, n2] == natural.re[:, k1, k2]).all()
            assert emission_order(config, 5)[n1 * 4 + n2] == k1 * 4 + k2


def test_four_by_four_needs_no_multiplier():
    for scaling in ("halving", "growth"):
        assert not any(stage.product for stage in plan(tile(2, 2, scaling)))
    config = tile(2, 2, "growth")
    re, im = random_tiles(config, amplitude=config.data.maximum)
    y = fft2d(re, im, config=config)
    assert np.array_equal(np.rint(np.fft.fft2(re + 1j * im).real), y.re)
    assert config.output.width == 20


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 2), (2, 4), (3, 3)])
def test_full_scale_grows_into_the_output(rows, columns):
    config = tile(rows, columns, "growth")
    shape = (1 << rows, 1 << columns)
    n1, n2 = np.indices(shape)
    for k1 in range(shape[0]):
        for k2 in range(shape[1]):
            angle = 2 * np.pi * (k1 * n1 / shape[0] + k2 * n2 / shape[1] + 1 / 16)
            re = np.where(np.cos(angle) > 0, config.data.maximum, config.data.minimum)
            im = np.where(np.sin(angle) > 0, config.data.maximum, config.data.minimum)
            y = fft2d(re, im, config=config)
            assert abs(y.re).max() <= config.output.maximum
            halved = fft2d(re, im, config=tile(rows, columns))
            exact = np.fft.fft2(re + 1j * im) / config.n_max
            if not halved.overflow:
                bound = error_bound(tile(rows, columns), config.log2_n_max)
                assert np.abs(halved.re + 1j * halved.im - exact).max() <= bound


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scaling": "per_stage"}, "log2_columns must be 0 with scaling 'per_stage'"),
        ({"log2_columns": 1}, "log2_columns must be 0 or from 2 to 4"),
        ({"log2_columns": 5}, "log2_columns must be 0 or from 2 to 4"),
        ({"log2_columns": 7}, "log2_columns must be an integer from 0 to 6, not 7"),
    ],
)
def test_bad_tiles_are_refused(changes, message):
    good = {"log2_n_max": 6, "scaling": "halving", "log2_columns": 3}
    with pytest.raises(ValueError, match=message):
        FFTConfig(**{**good, **changes})


def test_bad_arguments_are_refused():
    zero = np.zeros((8, 8), np.int64)
    with pytest.raises(ValueError, match="config must be in two dimensions"):
        fft2d(zero, zero, config=FFTConfig(log2_n_max=6, scaling="halving"))
    with pytest.raises(ValueError, match=r"z_re must have last axes of \(8, 8\)"):
        fft2d(zero.reshape(4, 16), zero, config=tile(3, 3))
    config = FFTConfig(log2_n_max=3, data_width=8, scaling="halving")
    for level in (-1, 1 << 16):
        with pytest.raises(ValueError, match=f"level must be from 0 to 65535, not {level}"):
            fft_threshold(zero[0], zero[0], level, config=config)


@pytest.mark.parametrize(
    "config",
    [
        FFTConfig(log2_n_max=4, scaling="halving"),
        FFTConfig(log2_n_max=4, scaling="halving", order="natural"),
        FFTConfig(log2_n_max=5, data_width=24, scaling="growth"),
        FFTConfig(log2_n_max=4),
        tile(2, 3),
    ],
    ids=lambda c: f"{c.scaling}-{c.order}-{c.log2_columns}",
)
def test_threshold_is_exact(config):
    """The spectrum of every level is that of level 0, with the bins below it zeroed."""
    re, im = np.random.default_rng(1).integers(
        config.data.minimum, config.data.maximum, (2, config.n_max)
    )
    whole = fft_threshold(re, im, 0, config=config)
    assert whole.keep.all()
    assert sorted(whole.bin) == list(range(config.n_max))
    energy = [a * a + b * b for a, b in zip(whole.re.tolist(), whole.im.tolist(), strict=True)]
    for level in [*energy, *(e + 1 for e in energy), level_format(config).maximum]:
        y = fft_threshold(re, im, level, config=config)
        assert y.keep.tolist() == [e >= level for e in energy]
        assert y.re.tolist() == [a if k else 0 for a, k in zip(whole.re, y.keep, strict=True)]
        assert y.im.tolist() == [a if k else 0 for a, k in zip(whole.im, y.keep, strict=True)]
    pair = fft_threshold([re, re], [im, im], [0, max(energy) + 1], config=config)
    assert pair.keep.sum(axis=1).tolist() == [config.n_max, 0]


def test_the_largest_magnitude_reaches_no_level_beyond_the_format():
    config = FFTConfig(log2_n_max=3, data_width=8, scaling="growth")
    low = config.output.minimum
    assert level_format(config).holds(2 * low * low)
