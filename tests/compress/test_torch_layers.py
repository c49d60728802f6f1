# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch modules of every technique: they compute what NumPy does, and train only what is stored."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.cases import ALL, ids, matrix
from torch.nn import functional

from spectramac.compress.quantize import activation_scale, quantize_coefficients
from spectramac.compress.techniques import (
    BlockCirculant,
    ChannelPruning,
    CirculantConv,
    LowRank,
    NeuronPruning,
    PrunedConv,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    SeparableConv,
    Sft,
    SftConv,
    SpectralConv,
    SpectralInput,
    StructuredConv,
    Technique,
    Tucker2Conv,
)
from spectramac.compress.torch_layers import StructuredConv2d, StructuredLinear, to_module
from spectramac.compress.torch_stage import StageLinear, fake_quantize
from spectramac.model.batch import quantize_input
from spectramac.model.layer import run_network
from spectramac.model.network import Network

CONVS: list[Technique] = [
    PrunedConv(Selection("value")),
    SftConv(),
    SftConv(0, 8),
    CirculantConv(),
    ChannelPruning(),
    SeparableConv(),
    Tucker2Conv(),
    SpectralConv(8),
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.asarray(array, np.float32))


@pytest.mark.parametrize("technique", ALL, ids=ids)
def test_forward_is_the_dense_matrix(technique: Technique) -> None:
    W, bias = matrix(), np.linspace(-1, 1, 21)
    x = np.random.default_rng(0).normal(size=(7, 54))
    structured = technique.fit(W, 0.4)
    module = to_module(structured, bias)
    assert isinstance(module, StructuredLinear)
    expected = x @ structured.dense().T + bias
    if structured.output_map is not None:
        expected = expected[:, structured.output_map]
    np.testing.assert_allclose(module(tensor(x)).detach().numpy(), expected, rtol=0, atol=2e-5)
    product = np.eye(structured.stages[0].n_in)
    for stage in module.stages:
        product = stage.matrix().detach().numpy() @ product
    again = module.to_structured()
    np.testing.assert_allclose(again.dense(), structured.dense(), rtol=0, atol=1e-6)
    assert again.n_values == structured.n_values


@pytest.mark.parametrize("technique", CONVS, ids=ids)
@pytest.mark.parametrize("padding", [0, (1, 2)])
def test_forward_is_the_dense_convolution(
    technique: Technique, padding: int | tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    K, bias = rng.normal(size=(6, 5, 3, 2)), np.linspace(-1, 1, 6)
    density = 1.0 if isinstance(technique, SpectralConv) else 0.4
    structured = technique.fit(K, density)
    assert isinstance(structured, StructuredConv)
    module = StructuredConv2d(structured, bias, padding=padding)
    x = tensor(rng.normal(size=(2, 5, 11, 9)))
    dense = structured.dense()[:, :, :3, :2]
    expected = functional.conv2d(x, tensor(dense), tensor(bias), padding=padding)
    if structured.output_map is not None:
        expected = expected[:, structured.output_map.astype(int)]
    torch.testing.assert_close(module(x), expected, rtol=0, atol=2e-5)


def test_sparse_tiles_are_circular() -> None:
    """Overlap-save with a thresholded spectrum: each tile through the kernel of the tile's size."""
    rng = np.random.default_rng(0)
    structured = SpectralConv(4).fit(rng.normal(size=(3, 2, 3, 3)), 0.5)
    assert isinstance(structured, StructuredConv)
    module = StructuredConv2d(structured, np.zeros(3))
    x = rng.normal(size=(1, 2, 7, 6))
    y = module(tensor(x)).detach().numpy()
    assert y.shape == (1, 3, 5, 4)
    stage = structured.stages[0]
    padded = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0)))
    for row in (0, 2, 4):
        for column in (0, 2):
            tile = padded[0, :, row : row + 4, column : column + 4]
            whole = (stage.matrix() @ tile.ravel()).reshape(3, 4, 4)[:, :2, :2]
            wanted = whole[:, : 5 - row]
            got = y[0, :, row : row + 2, column : column + 2]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "technique",
    [
        Sft(),
        Sft(form="complex"),
        BlockCirculant(),
        Pruning(),
        RowsSft(),
        LowRank(),
        SpectralInput((6, 9)),
        NeuronPruning(),
    ],
    ids=ids,
)
def test_training_stays_in_the_structure(technique: Technique) -> None:
    """Fit another matrix of the same structure: found by gradients, without leaving the pattern."""
    target = technique.fit(matrix(seed=5), 0.3)
    start = target.with_stages(
        [s.with_spectrum(s.spectrum + 0.1 * np.random.default_rng(1).normal(size=s.spectrum.shape))
         for s in target.stages]
    )  # fmt: skip
    x = tensor(np.random.default_rng(2).normal(size=(400, 54)))
    y = x @ tensor(target.dense()).T
    if target.output_map is not None:
        y = y[:, target.output_map.astype(int)]
    module = StructuredLinear(start, np.zeros(21))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        loss = functional.mse_loss(module(x), y)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        for stage in module.stages:
            grad = stage.spectrum.grad.numpy()
            np.testing.assert_array_equal(grad[stage.mask.numpy() == 0], 0)
        optimizer.step()
    assert losses[-1] < 0.02 * losses[0]
    found = module.to_structured()
    assert found.n_values == start.n_values
    for stage, first in zip(found.stages, start.stages, strict=True):
        np.testing.assert_array_equal(stage.mask, first.mask)
        np.testing.assert_allclose(stage.project(stage.spectrum), stage.spectrum)
        assert not np.array_equal(stage.spectrum, first.spectrum)
    predicted = x.numpy() @ found.dense().T
    if target.output_map is not None:
        predicted = predicted[:, target.output_map]
    bias = module.stages[-1].bias.detach().numpy()
    np.testing.assert_allclose(module(x).detach().numpy(), predicted + bias, rtol=0, atol=1e-4)


def test_masks_can_change_and_values_come_back() -> None:
    stage = Pruning().fit(matrix(), 1.0).stages[0]
    module = StageLinear(stage)
    half = np.zeros(stage.mask.shape, np.bool_)
    half[::2] = True
    module.set_mask(half)
    assert module.to_stage().n_values == 11 * 54
    assert not module.matrix()[1::2].any()
    module.set_mask(stage.mask)
    np.testing.assert_allclose(module.matrix().detach().numpy(), matrix(), rtol=0, atol=1e-6)


def test_straight_through() -> None:
    """Values: rounded; gradient: 1 inside the range, 0 where clipped; the step's is that of LSQ."""
    x = torch.tensor([0.2, 0.6, -1.4, 9.0, -9.0], requires_grad=True)
    log_step = torch.tensor(0.0, requires_grad=True)
    y = fake_quantize(x, log_step, -3, 3, 5)
    torch.testing.assert_close(y, torch.tensor([0.0, 1, -1, 3, -3]))
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([1.0, 1, 1, 0, 0]))
    # d y / d step = round(x) - x inside, and ±3 outside; times 1 / √(5 · 3).
    expected = ((0 - 0.2) + (1 - 0.6) + (-1 + 1.4) + 3 - 3) / np.sqrt(15)
    assert float(log_step.grad) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("steps", ["layer", "pair", "row"])
@pytest.mark.parametrize("technique", [Sft(), Sft(form="complex"), Pruning()], ids=ids)
def test_fake_quantization_is_that_of_the_codes(technique: Technique, steps: str) -> None:
    stage = technique.fit(matrix(), 0.5).stages[0]
    kind = Quantization(4, steps).steps_for(stage.t_out)  # type: ignore[arg-type]
    codes = quantize_coefficients(stage.coefficients(), 4, kind)
    module = StageLinear(stage, bits=4)
    module.start_quantization(codes.steps[0] if kind == "layer" else codes.steps)
    np.testing.assert_allclose(
        np.broadcast_to(module.steps, len(codes.steps)), codes.steps, rtol=1e-6
    )
    trained = quantize_coefficients(module.numpy_spectrum(), 4, module.steps)
    S = (module.coefficients() / module.balance).detach().numpy()
    np.testing.assert_allclose(S, trained.values, rtol=1e-5, atol=1e-7)
    assert (S != 0).sum() == (trained.codes != 0).sum()
    before = module.steps
    optimizer = torch.optim.SGD(module.parameters(), lr=0.3)
    x = torch.ones(3, 54)
    functional.mse_loss(module(x), torch.ones(3, 21)).backward()
    optimizer.step()
    ratio = module.steps / before
    if kind == "row":
        assert len(np.unique(ratio.round(6))) > 2
    else:
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)
        assert ratio[0] != 1


@pytest.mark.parametrize("steps", [None, "layer", "row"])
@pytest.mark.parametrize("technique", [Sft(), Sft(form="complex"), Pruning()], ids=ids)
def test_a_list_of_what_is_stored_trains_the_same(technique: Technique, steps: str | None) -> None:
    stage = technique.fit(matrix(), 0.3).stages[0]
    x, target = torch.randn(20, 54, generator=torch.Generator().manual_seed(0)), torch.ones(20, 21)
    trained = []
    for compact in (False, True):
        module = StageLinear(stage, np.zeros(21), bits=4)
        if steps is not None:
            kind = Quantization(4, steps).steps_for(stage.t_out)  # type: ignore[arg-type]
            module.start_quantization(quantize_coefficients(stage.coefficients(), 4, kind).steps)
        if compact:
            module.compact()
            assert (module.values is None) == (stage.pattern == "complex")
        optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
        for _ in range(10):
            optimizer.zero_grad()
            functional.mse_loss(module(x), target).backward()
            optimizer.step()
        during = module.to_stage().spectrum, module.numpy_spectrum()
        module.expand()
        assert module.values is None
        assert module.spectrum.requires_grad
        np.testing.assert_array_equal(module.to_stage().spectrum, during[0])
        np.testing.assert_array_equal(module.numpy_spectrum(), during[1])
        trained.append((during[0], module.steps, module(x).detach().numpy()))
    assert not np.array_equal(trained[0][0], stage.spectrum)
    for a, b in zip(*trained, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "technique",
    [Sft(), Sft(form="complex"), BlockCirculant(), Pruning(), RowsSft(), LowRank()],
    ids=ids,
)
@pytest.mark.parametrize("steps", ["layer", "row"])
def test_the_integer_layer_computes_the_fake_quantized_forward(
    technique: Technique, steps: str
) -> None:
    """Learned steps and scales are exported; integers and PyTorch differ by one output step at most."""
    W, bias = matrix(), np.linspace(-1, 1, 21)
    structured = technique.fit(W, 0.5)
    x = np.random.default_rng(3).integers(0, 128, (40, 54))
    real = tensor(x / 127)
    module = StructuredLinear(structured, bias, bits=6)
    for stage in module.stages:
        kind = Quantization(6, steps).steps_for(stage.t_out)  # type: ignore[arg-type]
        codes = quantize_coefficients(stage.numpy_spectrum(), 6, kind)
        stage.start_quantization(float(codes.steps[0]) if kind == "layer" else codes.steps)
    with torch.no_grad():
        if len(module.between):
            module.between[0].start(activation_scale(module.stages[0](real).numpy(), "max"))
        y = module(real).numpy()
    scale = activation_scale(y, "max")
    layers = module.to_structured().export(
        "fc", bias, inputs=x, input_scale=1 / 127, output_scale=scale, relu=False,
        quantization=Quantization(6, steps), **module.export_arguments(),  # type: ignore[arg-type]
    )  # fmt: skip
    difference = run_network(Network(layers=layers), x) - quantize_input(y, scale)
    # Between two stages a value on the edge may round the other way, and is then multiplied.
    limit = 1 if len(layers) == 1 else 4
    assert np.abs(difference).max() <= limit
    assert np.mean(difference != 0) < (0.2 if len(layers) == 1 else 0.5)
    assert np.abs(quantize_input(y, scale)).max() == 127


def test_threshold_of_activations() -> None:
    """tau: bins of the input below it count as zero."""
    stage = Sft().fit(matrix(), 1.0).stages[0]
    module = StageLinear(stage)
    x = np.zeros((1, 54))
    x[0, :8] = 1 + 0.01 * np.cos(2 * np.pi * np.arange(8) / 8)
    module.tau = 0.1  # the cosine's bin has magnitude 0.04, the mean's 8
    flat = x.copy()
    flat[0, :8] = 1
    expected = flat @ matrix().T
    np.testing.assert_allclose(module(tensor(x)).detach().numpy(), expected, rtol=0, atol=1e-5)


def test_steps_must_suit_the_transform() -> None:
    module = StageLinear(Sft().fit(matrix(), 0.5).stages[0])
    with pytest.raises(ValueError, match="must be a power of two apart"):
        module.start_quantization(np.linspace(1, 2, 24))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_computes_the_same() -> None:
    module = StructuredLinear(Sft(form="complex").fit(matrix(), 0.4), np.ones(21))
    x = torch.randn(5, 54)
    expected = module(x)
    torch.testing.assert_close(module.cuda()(x.cuda()).cpu(), expected)
    assert module.to_structured().n_values > 0
