# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of convolutional networks: where it begins, what it keeps to, what it reaches and what that costs."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.cases import CONFIG
from tests.compress.conv_cases import NET, bars, random_chain
from torch.nn import functional

from spectramac.compress.conv_methods import conv_methods
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.procedure import Procedure
from spectramac.compress.size import layers_cost
from spectramac.compress.techniques import (
    ChannelPruning,
    ChannelwiseConv,
    PrunedConv,
    Pruning,
    Quantization,
    SftConv,
    SpectralConv,
    Tucker2Conv,
)
from spectramac.compress.train_conv import TrainedConv, masks_cost, train_conv
from spectramac.compress.train_conv_dense import (
    dense_conv_network,
    layer_inputs,
    predict,
    train_dense_conv,
)
from spectramac.model.batch import accuracy

METHODS = {method.name: method for method in conv_methods(CONFIG, 4)}
STILL = Procedure(prune_epochs=0, tune_epochs=0)
TUNED = Procedure(prune_epochs=0, tune_epochs=4, tune_rate=1e-2, batch_size=32, distillation=1.0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def dense() -> list[DenseLayer]:
    torch.set_num_threads(1)
    x, y = bars(400)
    return train_dense_conv(NET, x, y, epochs=12, seed=0, device="cpu")


def run(
    layers: list[DenseLayer], name: str, density: float, procedure: Procedure, bits: int = 8
) -> TrainedConv:
    x, y = bars(200)
    inputs = layer_inputs(layers, NET, x[:64])
    chain, choices = METHODS[name].plan(layers, density, Quantization(bits), inputs)
    return train_conv(chain, NET, choices, x, y, procedure, teacher=layers, device="cpu")


def by_hand(layers: list[DenseLayer], x: np.ndarray) -> list[np.ndarray]:
    """What every layer of :data:`NET` reads, and the outputs."""
    value, values = torch.tensor(x).reshape(-1, 1, 8, 8), []
    for w, b in layers[:-1]:
        values.append(value)
        value = functional.conv2d(value, torch.tensor(w), torch.tensor(b), padding="same")
        value = functional.max_pool2d(torch.relu(value), 2)
    values += [value.flatten(1), value.flatten(1) @ torch.tensor(layers[-1][0]).T]
    return [v.numpy() for v in values]


def test_dense_networks() -> None:
    layers, (x, _) = random_chain(), bars(20)
    *inputs, outputs = by_hand(layers, x)
    found = predict(dense_conv_network(layers, NET), x, NET)
    np.testing.assert_allclose(found, outputs, rtol=0, atol=1e-5)
    for a, b in zip(layer_inputs(layers, NET, x), inputs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_dense_training(dense: list[DenseLayer]) -> None:
    x, y = bars(200, seed=1)
    assert accuracy(predict(dense_conv_network(dense, NET), x, NET), y) > 95
    assert accuracy(predict(dense_conv_network(random_chain(), NET), x, NET), y) < 60
    assert [w.shape for w, _ in dense] == [w.shape for w, _ in random_chain()]


@pytest.mark.parametrize(
    "technique",
    [SftConv(0), PrunedConv(), SpectralConv(8), Tucker2Conv(), ChannelwiseConv()],
    ids=str,
)
def test_with_all_coefficients_it_computes_the_dense_chain(technique, dense) -> None:
    """Up to the rounding to 8 bits."""
    (x, y), q = bars(200), Quantization(8)
    choices = [Choice(technique, 1.0, q), Choice(technique, 1.0, q), Choice(Pruning(), 1.0, q)]
    trained = train_conv(dense, NET, choices, x, y, STILL, device="cpu")
    expected = predict(dense_conv_network(dense, NET), x, NET)
    assert np.abs(trained.predict(x) - expected).max() < 0.06 * np.abs(expected).max()


@pytest.mark.parametrize("name", METHODS)
def test_it_trains_in_its_structure(name: str, dense: list[DenseLayer]) -> None:
    """Nearer to the teacher than without training; coefficients are those of the masks, of few values."""
    still, trained = (run(dense, name, 0.5, p, bits=4) for p in (STILL, TUNED))
    x, _ = bars(200)
    wanted = predict(dense_conv_network(dense, NET), x, NET)
    lost, left = (np.linalg.norm(n.predict(x) - wanted) for n in (still, trained))
    assert left < 0.8 * lost
    for layer in trained.student.layers:
        for stage, codes in zip(layer.stages, layer.codes(), strict=True):
            assert np.abs(codes.codes).max() <= 7
            assert not codes.codes[stage.mask.numpy() == 0].any()
            S = (stage.coefficients() / stage.balance).detach().numpy()
            np.testing.assert_allclose(S, codes.values, rtol=1e-4, atol=1e-7)


def test_masks_fall_to_the_density(dense: list[DenseLayer]) -> None:
    procedure = Procedure(prune_epochs=2, tune_epochs=0, batch_size=32, mask_interval=3)
    chosen = Choice(PrunedConv(), 0.25, Quantization(8))
    seen: list[int] = []

    class Watched(PrunedConv):
        def select(self, stage, density, rms=None):
            mask = super().select(stage, density, rms)
            seen.append(int(mask.sum()))
            return mask

    choices = [chosen, replace(chosen, technique=Watched()), Choice(Pruning(), 0.25)]
    trained = train_conv(dense, NET, choices, *bars(200), procedure, device="cpu")
    size = dense[1][0].size
    assert seen[0] == size
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) >= 3
    assert seen[-1] == trained.student.layers[1].to_structured().n_values == size // 4


def test_activations_are_int8(dense: list[DenseLayer]) -> None:
    trained = run(dense, "tucker2-conv", 0.5, TUNED)
    student, x = trained.student, torch.tensor(bars(20)[0], dtype=torch.float32)
    values = student.trace(x.reshape(-1, 1, 8, 8))
    for quantizer, value in zip(student.activations, values, strict=True):
        steps = value.detach() / quantizer.step
        torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)
        assert steps.abs().max() <= 128
    assert all(q.enabled for layer in student.layers for q in layer.between)
    assert len(student.layers[0].between) == 2
    inputs = trained.input_scale * np.arange(64).reshape(1, 64)
    same = trained.predict(inputs + 0.4 * trained.input_scale)
    np.testing.assert_array_equal(same, trained.predict(inputs))


def test_cost_is_that_of_the_codes(dense: list[DenseLayer]) -> None:
    """Multiplications by hand; bytes of a chain that stores just the codes that are not zero."""
    trained = run(dense, "prune-conv-pair", 1.0, STILL)
    positions = (64, 16, 1)
    counted = trained.cost(CONFIG)
    codes = [layer.codes()[0].codes for layer in trained.student.layers]
    # A pair with a zero in it is stored, and multiplied, as a whole.
    pairs = [np.count_nonzero(c[0::2] | c[1::2]) for c in codes]
    assert counted.multiplications == 2 * sum(n * p for n, p in zip(positions, pairs, strict=True))
    assert counted.fft_multiplications == 0
    with torch.no_grad():
        stage = trained.student.layers[1].stages[0]
        stage.set_mask(stage.mask.numpy()[:, ::-1] * (np.arange(stage.mask.shape[1]) % 2 == 0) > 0)
    fewer = trained.cost(CONFIG)
    assert fewer.stored_bytes < counted.stored_bytes
    assert fewer.n_pairs == counted.n_pairs - np.count_nonzero(
        (codes[1][0::2] | codes[1][1::2])[:, 1::2]
    )


def test_bytes_are_those_of_fully_connected_layers(dense: list[DenseLayer]) -> None:
    """The matrices of one position, as the layers of a chain: the same count."""
    trained = run(dense, "sft-conv-8x8", 0.3, STILL, bits=4)
    skeletons = [
        replace(
            layer.to_structured().stages[0].skeleton(Quantization(4)),
            coefficients=layer.codes()[0].codes,
        )
        for layer in trained.student.layers
    ]
    assert trained.cost(CONFIG).stored_bytes == layers_cost(skeletons, CONFIG).stored_bytes


def test_masks_cost_before_training(dense: list[DenseLayer]) -> None:
    q = Quantization(8)
    choices = [
        Choice(PrunedConv(), 0.5, q),
        Choice(SpectralConv(4), 1.0, q),
        Choice(Pruning(), 1.0, q),
    ]
    cost = masks_cost(dense, NET, choices, CONFIG)
    # Four tiles of 2 x 2 outputs; 14 complex bins of four products (and 4 real ones, in two pairs) of 8 x 16.
    first, last = 64 * 8 * 25 // 2, dense[2][0].size
    assert cost.multiplications == first + 4 * 128 * (6 * 4 + 4 * 2) + last
    with pytest.raises(ValueError, match="tile must be at least the kernel's size, 5 x 5, not 4"):
        masks_cost(dense, NET, [choices[1], *choices[1:]], CONFIG)


def test_filters_are_removed_before(dense: list[DenseLayer]) -> None:
    choices = [Choice(ChannelPruning(), 0.5)] * 2 + [Choice(Pruning())]
    with pytest.raises(ValueError, match="layer 0: technique must keep all outputs"):
        train_conv(dense, NET, choices, *bars(40), STILL, device="cpu")


def test_a_dead_network_is_a_bad_one_not_an_error() -> None:
    """Too high a learning rate may leave nothing but zeros behind a ReLU."""
    layers = random_chain()
    layers[0] = layers[0][0], np.full(8, -100.0)
    x, y = bars(40)
    choices = [Choice(Tucker2Conv(), 0.5), Choice(PrunedConv(), 0.5), Choice(Pruning(), 0.5)]
    outputs = train_conv(layers, NET, choices, x, y, STILL, device="cpu").predict(x)
    np.testing.assert_array_equal(outputs, np.broadcast_to(outputs[0], outputs.shape))
