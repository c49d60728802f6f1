# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch modules: what PyTorch computes, and what their ONNX export gives."""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is the extra 'train'; most tests run without")
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from spectramac.graph.errors import ModelFileError, Refusal, UnsupportedModelError
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph
from spectramac.graph.torch_import import from_torch


def prepare(module: Any, seed: int = 0) -> Any:
    """In evaluation mode, with running statistics that matter."""
    torch.manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            if part.affine:
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return module.eval()


def agree(module: Any, shape: tuple[int, ...], batch: int = 4) -> Graph:
    """Import, and assert that the graph computes what the module does."""
    x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))
    graph = from_torch(prepare(module), x)
    with torch.no_grad():
        expected = module(x).numpy()
    ours = evaluate(graph, x.numpy())
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=2e-5)
    return graph


def operators(graph: Graph) -> list[str]:
    return [n.operator for n in graph.nodes]


class Call(nn.Module):  # type: ignore[misc]
    """A function as a module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class Block(nn.Module):  # type: ignore[misc]
    """A residual block with ReLU in place."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.conv2, self.norm2 = nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y += x
        return self.relu(y)


class MobileBlock(nn.Sequential):  # type: ignore[misc]
    """Depthwise, then pointwise."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_in, 3, stride, 1, groups=n_in, bias=False),
            nn.BatchNorm2d(n_in),
            nn.ReLU6(),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU6(),
        )


def dense() -> Any:
    layers: list[Any] = []
    for a, b in ((20, 16), (16, 4), (4, 12)):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers, nn.Dropout(), nn.Linear(12, 20))


def residual() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), Block(4), nn.MaxPool2d(2), Block(4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5), nn.Softmax(dim=1),
    )  # fmt: skip


def mobile() -> Any:
    return nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 4, (10, 4), 2, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
        MobileBlock(4, 6, 1), MobileBlock(6, 8, 2),
        nn.AvgPool2d((2, 1), padding=(1, 0)), nn.Flatten(), nn.Linear(8 * 6 * 2, 3),
    )  # fmt: skip


def sequence() -> Any:
    return nn.Sequential(
        nn.BatchNorm1d(2), nn.Conv1d(2, 5, 5, dilation=2, padding=4), nn.ReLU(), nn.MaxPool1d(3, 2, 1),
        nn.Conv1d(5, 5, 3, groups=5, padding="same"), nn.ReLU(), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(5, 2),
    )  # fmt: skip


NETWORKS = [
    (dense, (4, 5)),
    (residual, (3, 10, 10)),
    (mobile, (1, 49, 10)),
    (sequence, (2, 30)),
]


@pytest.mark.parametrize(("make", "shape"), NETWORKS)
def test_networks(make: Callable[[], Any], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    graph = agree(make(), shape)
    assert not any(n.operator in ("Transpose", "Reshape") for n in graph.nodes)


@pytest.mark.parametrize(("make", "shape"), NETWORKS)
@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("folded", [False, True])
def test_a_module_and_its_export_give_the_same(
    make: Callable[[], Any], shape: tuple[int, ...], opset: int, folded: bool
) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is the extra 'import'")
    from tests.graph.onnx_models import run_onnxruntime

    from spectramac.graph.onnx_import import from_onnx

    torch.manual_seed(0)
    module = prepare(make())
    x = torch.randn(2, *shape)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            module,
            (x,),
            file,
            dynamo=False,
            opset_version=opset,
            do_constant_folding=folded,
            training=torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )
    made = onnx.load_from_string(file.getvalue())
    theirs, ours = from_onnx(made), from_torch(module, x)
    assert operators(theirs) == operators(ours)
    y = evaluate(ours, x.numpy())
    np.testing.assert_allclose(evaluate(theirs, x.numpy()), y, rtol=2e-4, atol=2e-5)
    with torch.no_grad():
        np.testing.assert_allclose(y, module(x).numpy(), rtol=2e-4, atol=2e-5)
    runtime = run_onnxruntime(made, x.numpy())
    if runtime is not None:
        np.testing.assert_allclose(y, runtime, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (F.relu6, (4,), ["ReLU6"]),
        (lambda x: x.clamp(min=0), (4,), ["ReLU"]),
        (lambda x: F.hardtanh(x, 0.0, 2.0), (4,), ["ReLU2"]),
        (lambda x: x.relu() + x, (4,), ["ReLU", "Add"]),
        (lambda x: x.mean((2, 3)), (3, 4, 5), ["GlobalAveragePool", "Flatten"]),
        (lambda x: x.mean((-1, -2), keepdim=True), (3, 4, 5), ["GlobalAveragePool"]),
        (lambda x: 1 - x * 2 / 4, (3, 4, 5), ["Conv"]),
        (lambda x: F.adaptive_avg_pool2d(x, 3), (2, 6, 9), ["AveragePool"]),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), (2, 7, 7), ["AveragePool"]),
        (lambda x: F.max_pool2d(x, 2, ceil_mode=True), (2, 6, 6), ["MaxPool"]),
        (lambda x: x.view(x.size(0), -1).relu(), (2, 6), ["ReLU", "Flatten"]),
        (lambda x: x.unsqueeze(1).squeeze(1).relu(), (2, 6), ["ReLU"]),
        (lambda x: x.transpose(1, 2).relu().transpose(1, 2), (2, 6), ["ReLU"]),
        (lambda x: F.dropout(x, training=False).relu(), (4,), ["ReLU"]),
        (lambda x: x @ torch.full((4, 2), 0.5) + torch.arange(2.0), (4,), ["Dense"]),
    ],
)
def test_functions_and_methods(
    function: Callable[[Any], Any], shape: tuple[int, ...], expected: list[str]
) -> None:
    assert operators(agree(Call(function), shape)) == expected


def test_in_place_operators_change_what_is_read_later() -> None:
    def through_a_view(x: Any) -> Any:
        y = x * 2
        y.view(-1, 4).relu_()
        return y + x

    assert "ReLU" in operators(agree(Call(through_a_view), (4,)))


def test_channels_last_input_becomes_a_transposition() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3)
    module = Call(lambda x: conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten(1))
    module.conv = conv
    module.fc = nn.Linear(4 * 4 * 3, 2)
    graph = agree(nn.Sequential(module, module.fc), (6, 5, 3))
    assert operators(graph) == ["Transpose", "Conv", "Flatten", "Dense"]


def test_nodes_are_called_after_their_modules() -> None:
    torch.manual_seed(0)
    graph = agree(residual(), (3, 10, 10))
    names = [n.name for n in graph.nodes]
    assert "2.conv1" in names
    assert "2.relu" in names
    assert "2.relu_2" in names
    assert graph.name == "Sequential"


def test_shared_weights_are_two_nodes() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 4)
    graph = agree(nn.Sequential(layer, nn.ReLU(), layer), (4,))
    assert operators(graph) == ["Dense", "ReLU", "Dense"]


def refused(module: Any, shape: tuple[int, ...]) -> tuple[Refusal, ...]:
    with pytest.raises(UnsupportedModelError) as caught:
        from_torch(module.eval(), torch.zeros(2, *shape))
    return caught.value.refusals


def test_every_offending_operator_is_listed() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU())
    found = refused(module, (4,))
    assert [(r.node, r.operator) for r in found] == [
        ("1", "tanh"),
        ("3", "layer_norm"),
        ("4", "gelu"),
    ]
    assert "ReLU" in found[0].remedy


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Hardtanh(-1, 1), (4,), "clips to -1"),
        (nn.MaxPool2d(2, dilation=2), (1, 6, 6), "dilated windows"),
        (nn.MaxPool2d(2, ceil_mode=True), (1, 5, 5), "ceil_mode"),
        (nn.AvgPool2d(2, divisor_override=3), (1, 4, 4), "divisor"),
        (nn.AdaptiveAvgPool2d(2), (1, 5, 5), "differ in size"),
        (nn.Softmax(dim=1), (4, 4), "normalizes axis 1"),
        (nn.Softmax(dim=0), (4,), "batch axis"),
        (nn.Sequential(nn.Softmax(dim=1), nn.ReLU()), (4,), "not at the end"),
        (nn.BatchNorm1d(4, track_running_stats=False), (4,), "operator"),
        (nn.ReflectionPad2d(1), (1, 4, 4), "mode 'reflect'"),
        (nn.Linear(4, 2), (3, 4), "flatten the input first"),
        (Call(lambda x: x * x), (4,), "only their sum"),
        (Call(lambda x: 1 / x), (4,), "operator"),
        (Call(lambda x: x.reshape(-1)), (4,), "merges the batch"),
        (Call(lambda x: x.transpose(0, 1)), (4,), "moves the batch"),
        (Call(lambda x: x.mean(0)), (4,), "batch axis"),
        (Call(lambda x: x + torch.arange(8.0)), (2, 8), "from position to position"),
        (Call(lambda x: (x, x.relu())), (4,), "2 outputs"),
        (Call(lambda x: x), (4,), "does nothing"),
        (Call(lambda x: torch.ones(2, 2)), (4,), ""),
        (Call(lambda x: x.max(1)[0]), (4, 2), "unsupported operator"),
        (nn.LSTM(4, 4), (5, 4), ""),
    ],
)  # fmt: skip
def test_the_reason_is_given(module: Any, shape: tuple[int, ...], message: str) -> None:
    text = " ".join(str(r) for r in refused(module, shape))
    assert message in text


def test_control_flow_on_the_data_cannot_be_recorded() -> None:
    module = Call(lambda x: x.relu() if x.sum() > 0 else x)
    with pytest.raises(ModelFileError, match=r"cannot be recorded by torch\.export"):
        from_torch(module.eval(), torch.zeros(2, 4))


def test_parameters_must_be_finite() -> None:
    module = nn.Linear(4, 2).eval()
    with torch.no_grad():
        module.weight[0, 0] = float("nan")
    with pytest.raises(ModelFileError, match="parameter 'weight' must hold finite numbers"):
        from_torch(module, torch.zeros(2, 4))


def test_wrong_arguments() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    with pytest.raises(ValueError, match=r"must be in evaluation mode .* module\.eval"):
        from_torch(module, torch.zeros(2, 4))
    module.eval()
    with pytest.raises(TypeError, match="floating-point"):
        from_torch(module, torch.zeros(2, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"must have shape \(batch, \*shape\), not \(4,\)"):
        from_torch(module, torch.zeros(4))
    with pytest.raises(TypeError, match=r"must be a torch\.nn\.Module, not int"):
        from_torch(3, torch.zeros(2, 4))


def test_the_module_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)).eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    from_torch(module, torch.zeros(2, 1, 8))
    after = module.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert not module.training
