# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Trained convolutional networks as integers: strides, agreement with training, the demonstration's script."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.conv_cases import bars, random_chain
from torch.nn import functional

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.conv_chain import Architecture, Convolution
from spectramac.compress.lanes import entries_per_lane
from spectramac.compress.post_training import Choice
from spectramac.compress.procedure import Procedure
from spectramac.compress.techniques import (
    PrunedConv,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    SftConv,
    SpectralConv,
)
from spectramac.compress.train_conv import TrainedConv, train_conv
from spectramac.compress.train_conv_dense import dense_conv_network, predict
from spectramac.compress.train_conv_export import export_conv
from spectramac.model.batch import quantize_input
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import run_graph
from spectramac.spec.config import preset

NET = Architecture((8, 8), (Convolution(8, 5, stride=2), Convolution(16, 3, pool=2)), 4)
STILL = Procedure(prune_epochs=0, tune_epochs=0)
INT8 = Quantization(8)
SPECTRA = Choice(SftConv(8, 8), 0.5, INT8)
PLAIN = Choice(PrunedConv(), 1.0, Quantization(8, "row"))
CLASSES = Choice(Pruning(), 1.0, Quantization(8, "row"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def quantized(*choices: Choice, architecture: Architecture = NET) -> TrainedConv:
    x, y = bars(40)
    return train_conv(random_chain(architecture), architecture, choices, x, y, STILL, device="cpu")


def test_strides_of_a_chain() -> None:
    assert NET.sizes == ((4, 4), (4, 4))
    assert NET.n_features == 16 * 4
    assert "8 filters 5x5 stride 2;" in NET.name
    layers, (x, _) = random_chain(NET), bars(20)
    images = torch.tensor(x).reshape(-1, 1, 8, 8)
    (w0, b0), (w1, b1), (w2, b2) = (
        (torch.tensor(w), torch.tensor(b)) for w, b in layers
    )  # fmt: skip
    hidden = functional.conv2d(images, w0, b0, padding=2)[:, :, ::2, ::2].relu()
    hidden = functional.conv2d(hidden, w1, b1, padding=1).relu()
    expected = functional.max_pool2d(hidden, 2).flatten(1) @ w2.T + b2
    found = predict(dense_conv_network(layers, NET), x, NET)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("technique", [SftConv(0, 8), PrunedConv(), SpectralConv(8)], ids=str)
def test_strides_of_compressed_layers(technique) -> None:
    """With all coefficients, the dense chain up to rounding: in tiles too."""
    whole = Choice(technique, 1.0, INT8)
    trained = quantized(whole, PLAIN, CLASSES)
    x, _ = bars(40)
    expected = predict(dense_conv_network(random_chain(NET), NET), x, NET)
    assert np.abs(trained.predict(x) - expected).max() < 0.06 * np.abs(expected).max()


@pytest.mark.parametrize("last", [CLASSES, Choice(Pruning(), 0.5, Quantization(4, "pair"))])
def test_integers_compute_what_training_saw(last: Choice) -> None:
    """The features of 2 x 2 pixels come in another order than in training."""
    trained, (x, _) = quantized(PLAIN, SPECTRA, last), bars(40)
    network = export_conv(trained, x, "bars")
    maps = quantize_input(x, trained.input_scale).reshape(-1, 8, 8, 1)
    found = run_graph(network, maps).reshape(len(x), -1) * network.output_scale
    difference = np.abs(found - trained.predict(x)) / network.output_scale
    assert np.mean(difference) < 0.75
    assert difference.max() <= 6
    assert [node.name for node in network.nodes] == ["conv1", "conv2", "pool2", "classes"]
    assert compile_graph(network, preset("conv")).stored_bytes > 0


def test_what_is_not_exported() -> None:
    x, _ = bars(40)
    tiles = Choice(SpectralConv(8), 1.0, INT8)
    with pytest.raises(ValueError, match="layer 'conv1' must be applied pixel by pixel"):
        export_conv(quantized(tiles, PLAIN, CLASSES), x, "bars")
    spectral = Choice(RowsSft(8), 1.0, INT8)
    with pytest.raises(ValueError, match="layer 'classes' must have no input transform"):
        export_conv(quantized(PLAIN, PLAIN, spectral), x, "bars")


@pytest.mark.parametrize("stride", [1, 2])
def test_taps_that_read_a_pixel_share_whole_words(stride: int) -> None:
    """Every lane has as many pairs for a column and all taps of one residue."""
    technique = SftConv(8, 8, Selection("lanes", 3), stride)
    weights = np.random.default_rng(0).normal(size=(24, 8, 5, 3))
    (stage,) = technique.fit(weights, 0.25).stages
    assert stage.mask.mean() == pytest.approx(0.25, abs=0.01)
    taps = stage.mask.reshape(24, 5, 3, 8)
    for y in range(stride):
        for x in range(stride):
            together = taps[:, y::stride, x::stride].transpose(1, 2, 0, 3).reshape(-1, 8)
            entries = entries_per_lane(together, 3)
            assert (entries == entries[:, :1]).all()


def test_the_script_repeats_itself(tmp_path: Path) -> None:
    """The same seed gives the same file; what it notes is so. Hardly trained: no accuracy is claimed."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from spectramac.compress import train_demo_conv
    from spectramac.compress.data import digits

    procedure = Procedure(prune_epochs=1, tune_epochs=1, mask_interval=1, batch_size=32)
    recipe = train_demo_conv.ConvRecipe(dense_epochs=1, procedure=procedure)
    data = digits()
    few = data._replace(x_train=data.x_train[:64], y_train=data.y_train[:64])
    _, first = train_demo_conv.train(recipe, few, 1)
    _, second = train_demo_conv.train(recipe, few, 1)
    _, other = train_demo_conv.train(recipe, few, 2)
    for a, b, c in zip(first.nodes, second.nodes, other.nodes, strict=True):
        if a.name.startswith("conv"):
            np.testing.assert_array_equal(a.layer.coefficients, b.layer.coefficients)
            np.testing.assert_array_equal(a.layer.bias, b.layer.bias)
            assert (a.layer.coefficients != c.layer.coefficients).any()
    assert first.scales == second.scales


def test_the_file_and_its_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a network that was trained before, beside a dense one that was not."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from spectramac.compress import train_demo_conv

    given = load_graph(train_demo_conv.DATA / "digits-conv.npz")
    recipe = train_demo_conv.ConvRecipe()
    dense = random_chain(recipe.architecture)
    bare = dataclasses.replace(given, meta={})
    monkeypatch.setattr(train_demo_conv, "train", lambda *_: (dense, bare))
    text = train_demo_conv.train_conv_digits(output=tmp_path / "conv.npz")
    made = load_graph(tmp_path / "conv.npz")
    different = {key for key in given.meta if made.meta[key] != given.meta[key]}
    assert different <= {"float_accuracy", "versions"}
    assert set(made.meta) == set(given.meta)
    assert f"{given.meta['integer_accuracy']:.2f} % (16 bits)" in text
    assert f", {given.meta['stored_bytes']} compressed" in text
