# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files that are damaged, invalid or hostile."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
import onnx.external_data_helper
from onnx import helper
from tests.graph.onnx_models import NEWEST, model, random_weights

from spectramac.graph.errors import GraphError, ModelFileError, UnsupportedModelError
from spectramac.graph.evaluate import evaluate
from spectramac.graph.onnx_import import from_onnx

node = helper.make_node


def small(**weights: Any) -> onnx.ModelProto:
    constants = random_weights(0, w=(4, 3), b=(3,)) | weights
    return model(
        [node("Gemm", ["x", "w", "b"], ["h"], name="fc"), node("Relu", ["h"], ["y"])], constants
    )


def test_a_file_and_a_model_in_memory_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(small(), path)
    x = np.ones((2, 4))
    graph = from_onnx(path)
    assert graph.name == "net.onnx"
    np.testing.assert_array_equal(evaluate(graph, x), evaluate(from_onnx(small()), x))
    np.testing.assert_array_equal(evaluate(graph, x), evaluate(from_onnx(str(path)), x))


def test_the_users_model_is_not_changed() -> None:
    made = model([node("GlobalAveragePool", ["x"], ["y"])], shape=("n", 3, "h"))
    before = made.SerializeToString()
    from_onnx(made, input_shape=(3, 6))
    assert made.SerializeToString() == before


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a model", b"\x08", bytes(range(256))])
def test_files_of_other_formats(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"net\.onnx must be an ONNX file"):
        from_onnx(path)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_changes_nothing_but_values(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Truncated or with bytes changed: never anything but the errors of the documentation."""
    content = bytearray(small().SerializeToString())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content)
    try:
        graph = from_onnx(path)
    except (ModelFileError, UnsupportedModelError):
        return
    assert len(graph.nodes) >= 1


@pytest.mark.parametrize(
    ("opset", "message"),
    [
        (12, "must have opset 13 or later, not 12; .*convert_version"),
        (NEWEST + 1, f"must have at most opset {NEWEST} .* install a newer onnx"),
    ],
)
def test_opsets(opset: int, message: str) -> None:
    made = small()
    made.opset_import[0].version = opset
    with pytest.raises(ModelFileError, match=message):
        from_onnx(made)


def test_operators_that_no_opset_helps_are_named_first() -> None:
    made = model([helper.make_node("Tanh", ["x"], ["y"], name="gate")])
    made.opset_import[0].version = 7
    with pytest.raises(UnsupportedModelError, match=r"node 'gate' \(Tanh\): unsupported operator"):
        from_onnx(made)


def test_ir_version_of_the_future() -> None:
    made = small()
    made.ir_version = onnx.IR_VERSION + 1
    with pytest.raises(ModelFileError, match=f"IR version {onnx.IR_VERSION}"):
        from_onnx(made)


def test_no_opset() -> None:
    made = small()
    del made.opset_import[:]
    with pytest.raises(ModelFileError, match="imports none"):
        from_onnx(made)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["w", "b"])
def test_weights_that_are_not_finite(bad: float, name: str) -> None:
    weights = random_weights(0, w=(4, 3), b=(3,))[name]
    weights.flat[1] = bad
    with pytest.raises(ModelFileError, match=f"tensor '{name}' of node 'fc' .* finite"):
        from_onnx(small(**{name: weights}))


def test_negative_variance() -> None:
    constants = random_weights(0, s=(4,), o=(4,), m=(4,)) | {"v": np.full(4, -1, np.float32)}
    norm = node("BatchNormalization", ["x", *constants], ["y"], name="bn")
    with pytest.raises(ModelFileError, match="'bn' must have positive variances"):
        from_onnx(model([norm], constants))


def test_shapes_that_contradict_each_other() -> None:
    made = model(
        [node("Gemm", ["x", "w"], ["y"])],
        random_weights(0, w=(5, 3)),
        check=False,
        output_shape=("n", 3),
    )
    with pytest.raises(ModelFileError, match=r"input must have shape \(5,\), not \(4,\)"):
        from_onnx(made)  # ONNX's own inference does not see it
    wrong = small()
    wrong.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 7
    with pytest.raises(ModelFileError, match="must be a valid ONNX model"):
        from_onnx(wrong)


def test_a_shape_that_would_fill_the_memory() -> None:
    made = model([node("Relu", ["x"], ["y"])], shape=("n", 1 << 40))
    with pytest.raises(ModelFileError, match="at most 67108864 elements"):
        from_onnx(made)


@pytest.mark.parametrize("name", ["strides", "dilations", "kernel_shape", "group"])
def test_a_window_of_zeros(name: str) -> None:
    """ONNX's own shape inference divides by some of them and ends the process."""
    pool = node("MaxPool", ["x"], ["y"], name="pool", kernel_shape=[2], strides=[1], dilations=[1])
    conv = node("Conv", ["x", "w"], ["y"], name="conv", group=1)
    made = model(
        [conv if name == "group" else pool], random_weights(0, w=(1, 1, 2)), shape=("n", 1, 4)
    )
    for attribute in made.graph.node[0].attribute:
        if attribute.name == name:
            attribute.CopyFrom(helper.make_attribute(name, 0 if name == "group" else [0]))
    with pytest.raises(ModelFileError, match=f"{name} of node .* must be at least 1"):
        from_onnx(made)


def test_nodes_out_of_order() -> None:
    made = model(
        [node("Relu", ["a"], ["y"]), node("Relu", ["x"], ["a"])], check=False, output_shape=("n", 4)
    )
    with pytest.raises(ModelFileError, match="sorted"):
        from_onnx(made)


def test_a_tensor_that_is_too_short() -> None:
    made = small()
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-1]
    with pytest.raises(ModelFileError):
        from_onnx(made)


def external(folder: Path, location: str, **entries: Any) -> Path:
    """A model whose weights lie in ``weights.bin`` and claim to be at ``location``."""
    made = small()
    tensor = made.graph.initializer[0]
    content = tensor.raw_data
    onnx.external_data_helper.set_external_data(tensor, location, **entries)
    tensor.ClearField("raw_data")
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    (folder / "weights.bin").write_bytes(b"head" + content + b"tail")
    return path


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    path = external(tmp_path, "weights.bin", offset=4, length=48)
    x = np.ones((2, 4))
    np.testing.assert_array_equal(evaluate(from_onnx(path), x), evaluate(from_onnx(small()), x))


def test_external_data_need_the_folder(tmp_path: Path) -> None:
    path = external(tmp_path, "weights.bin", offset=4, length=48)
    loaded = onnx.load(path, load_external_data=False)
    with pytest.raises(ModelFileError, match="give the path of the model"):
        from_onnx(loaded)


@pytest.mark.parametrize(
    "location",
    ["../weights.bin", "sub/../../weights.bin", "/etc/passwd", "..\\weights.bin", "C:\\x.bin", ""],
)
def test_external_data_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(56))
    path = external(folder, location)
    with pytest.raises(ModelFileError, match="tensor 'w' must have its data inside"):
        from_onnx(path)


def test_external_data_through_a_link_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = external(folder, "link.bin", offset=4, length=48)
    (folder / "weights.bin").rename(tmp_path / "secret.bin")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ModelFileError, match="inside the model's folder"):
        from_onnx(path)


@pytest.mark.parametrize(
    ("location", "entries"),
    [
        ("missing.bin", {}),
        ("weights.bin", {"offset": 1000, "length": 48}),
        ("weights.bin", {"offset": 4, "length": 47}),
        ("weights.bin", {"offset": -4, "length": 48}),
        (".", {}),
    ],
)
def test_external_data_that_are_not_there(tmp_path: Path, location: str, entries: Any) -> None:
    path = external(tmp_path, location, **entries)
    with pytest.raises(ModelFileError, match="tensor 'w'"):
        from_onnx(path)


def test_a_shape_computation_cannot_fill_the_memory() -> None:
    """Each Concat doubles a constant."""
    nodes = [node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(40)]
    nodes.append(node("Reshape", ["x", "c40"], ["y"]))
    made = model(nodes, {"c0": np.array([4])}, check=False, output_shape=("n", 4))
    with pytest.raises((UnsupportedModelError, ModelFileError)):
        from_onnx(made)


def test_errors_are_of_one_family() -> None:
    from spectramac.spec.errors import SpectramacError

    for kind in (ModelFileError, UnsupportedModelError, GraphError):
        assert issubclass(kind, SpectramacError)
        assert issubclass(kind, ValueError)
