# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Shapes of convolutional networks, and plans that compress them as a whole."""

import numpy as np
import pytest
from tests.compress.cases import CONFIG
from tests.compress.conv_cases import NET, random_chain

from spectramac.compress.conv_chain import Architecture, Convolution
from spectramac.compress.conv_methods import ChannelMethod, ConvPlan, conv_methods
from spectramac.compress.techniques import (
    CirculantConv,
    Quantization,
    SpectralConv,
    Technique,
    TileStage,
)

METHODS = {method.name: method for method in conv_methods(CONFIG, 4)}
INT4 = Quantization(4)
LOW_RANK = ("separable-conv", "channelwise-conv", "depthwise-conv", "tucker2-conv")


def inputs(seed: int = 0) -> list[np.ndarray]:
    """Of every layer of :data:`NET`."""
    rng = np.random.default_rng(seed)
    shapes = (1, 8, 8), (8, 4, 4), (16 * 2 * 2,)
    return [np.abs(rng.normal(size=(20, *shape))) for shape in shapes]


def test_shape() -> None:
    assert NET.sizes == ((8, 8), (4, 4))
    assert NET.n_features == 16 * 2 * 2
    assert NET.name == "8x8; 8 filters 5x5, 2x2 maximum; 16 filters 3x3, 2x2 maximum; 4 classes"
    with pytest.raises(ValueError, match="kernel of convolution 0 must be odd, not 4"):
        Architecture((8, 8), (Convolution(4, 4),), 3)
    with pytest.raises(ValueError, match="pool of convolution 1 must divide 4 x 2, not be 4"):
        Architecture((8, 4), (Convolution(4, 3, 2), Convolution(4, 3, 4)), 3)


def test_every_technique_is_there() -> None:
    kinds: set[type[Technique]] = set()
    for method in METHODS.values():
        _, choices = method.plan(random_chain(), 0.25, INT4, inputs())
        kinds |= {type(choice.technique) for choice in choices[:-1]}
    names = {kind.__name__ for kind in kinds}
    # Channel pruning removes filters first, and keeps all of what is left.
    assert names == {
        "SftConv", "CirculantConv", "SpectralConv", "PrunedConv", "SeparableConv",
        "ChannelwiseConv", "DepthwiseConv", "Tucker2Conv",
    }  # fmt: skip


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("density", [0.5, 0.25])
def test_density_is_the_part_of_the_values(method: ConvPlan, density: float) -> None:
    """Of each layer, or what is possible below: circulant blocks have an eighth, ranks are whole."""
    layers = random_chain()
    chain, choices = method.plan(layers, density, INT4, inputs())
    for i, ((dense, _), (weights, _), choice) in enumerate(
        zip(layers, chain, choices, strict=True)
    ):
        part = choice.technique.fit(weights, choice.density).n_values / dense.size
        # The input has one channel, and all outputs of the classifier stay: there only one side shrinks.
        highest = density**0.5 if method.name == "channels-l2" and i != 1 else density
        if isinstance(choice.technique, CirculantConv):
            lowest = 1 / 8
        elif choice.technique.name in LOW_RANK:
            lowest = 0.35 * density
        else:
            lowest = 0.9 * highest
        assert lowest <= part <= 1.1 * highest


def test_tiles_hold_the_kernel_and_some_outputs() -> None:
    _, choices = METHODS["spectral-conv"].plan(random_chain(), 1.0, INT4, inputs())
    assert [c.technique for c in choices[:-1]] == [SpectralConv(8), SpectralConv(4)]
    fits = [
        c.technique.fit(w, c.density)
        for (w, _), c in zip(random_chain(), choices[:-1], strict=False)
    ]
    stages = [fit.stages[0] for fit in fits]
    assert all(isinstance(stage, TileStage) for stage in stages)
    assert [stage.tile for stage in stages] == [(4, 4), (2, 2)]


def test_an_image_is_not_padded_to_a_block_of_channels() -> None:
    for name in ("sft-conv-8x8", "circulant-conv-8"):
        _, choices = METHODS[name].plan(random_chain(), 0.25, INT4, inputs())
        first = choices[0].technique.fit(random_chain()[0][0], 1.0).stages[0]
        assert not first.t_in.is_fft
        assert first.t_out.n == 8


def test_channels_are_removed_with_what_reads_them() -> None:
    layers, x = random_chain(), inputs()
    weak = [1, 2, 5, 7]
    first, bias = layers[0]
    first[weak] *= 1e-3
    chain, choices = ChannelMethod().plan(layers, 0.25, INT4, x)
    kept = [0, 3, 4, 6]
    np.testing.assert_array_equal(chain[0][0], first[kept])
    np.testing.assert_array_equal(chain[0][1], bias[kept])
    assert chain[1][0].shape == (8, 4, 3, 3)
    assert chain[2][0].shape == (4, 8 * 2 * 2)
    # The reader's bias gets what the removed ones gave on average, and its filters those that stayed.
    second, second_bias = layers[1]
    mean = x[1].mean(axis=(0, 2, 3))
    moved = second_bias + second.sum(axis=(2, 3))[:, weak] @ mean[weak]
    rms = np.sqrt(np.mean(x[1] ** 2, axis=(0, 2, 3)))[kept]
    norms = np.sqrt(np.sum((second[:, kept] * rms[:, None, None]) ** 2, axis=(1, 2, 3)))
    stay = np.sort(np.argsort(-norms)[:8])
    np.testing.assert_allclose(chain[1][1], moved[stay])
    np.testing.assert_array_equal(chain[1][0], second[np.ix_(stay, kept)])
    reader = layers[2][0].reshape(4, 16, 4)[:, stay].reshape(4, -1)
    np.testing.assert_array_equal(chain[2][0], reader)
    assert all(choice.density == 1 for choice in choices)
