# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reading ONNX files: what must be true of a file before its graph is looked at.

Nothing in a file is executed. Tensors in files beside the model are read only from the model's own folder.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
import onnx.checker
import onnx.helper
import onnx.shape_inference
from google.protobuf.message import DecodeError

from spectramac.graph.errors import ModelFileError

__all__ = [
    "OLDEST_OPSET",
    "check",
    "infer_shapes",
    "load_external_data",
    "opset",
    "read_model",
    "type_name",
]

OLDEST_OPSET = 13


def read_model(source: "str | Path | onnx.ModelProto") -> tuple[onnx.ModelProto, str, Path | None]:
    """The model, its name for messages, and the folder it lies in (None for one from memory).

    Raises
    ------
    ModelFileError
        If the file is no ONNX model.
    FileNotFoundError, OSError
        If it cannot be read.
    """
    if isinstance(source, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(source)
        return copy, source.graph.name or "model", None
    path = Path(source)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ModelFileError(f"{path} must be an ONNX file, but it is damaged: {error}") from error
    if not model.ir_version or not model.graph.node:
        raise ModelFileError(f"{path} must be an ONNX file with a graph, but it has no nodes")
    return model, path.name, path.parent


def opset(model: onnx.ModelProto, name: str) -> int:
    """Version of the standard operators.

    Raises
    ------
    ModelFileError
        If it is missing, or not one that is supported here and by the installed ``onnx``.
    """
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise ModelFileError(f"{name} must state the opset of its operators, but imports none")
    version = int(max(versions))
    if version < OLDEST_OPSET:
        raise ModelFileError(
            f"{name} must have opset {OLDEST_OPSET} or later, not {version}; export it again, or use "
            f"onnx.version_converter.convert_version(model, {OLDEST_OPSET})"
        )
    if version > newest or model.ir_version > onnx.IR_VERSION:
        raise ModelFileError(
            f"{name} must have at most opset {newest} and IR version {onnx.IR_VERSION}, which onnx "
            f"{onnx.__version__} knows, not {version} and {model.ir_version}; install a newer onnx"
        )
    return version


def type_name(kind: int) -> str:
    """Of an element type; its number where it is not known."""
    known = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return str(known.get(kind, f"of type {kind}"))


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def load_external_data(model: onnx.ModelProto, name: str, folder: Path | None) -> None:
    """Fill in the tensors whose data lie in other files.

    Raises
    ------
    ModelFileError
        If such a file is missing, too short, or outside ``folder`` (through ``..``, an absolute path or a link).
    """
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        what = f"{name}: tensor {tensor.name!r}"
        if folder is None:
            raise ModelFileError(
                f"{what} has its data in a file; give the path of the model instead"
            )
        entries = {entry.key: entry.value for entry in tensor.external_data}
        tensor.raw_data = _external_bytes(what, folder, entries, _n_bytes(what, tensor))
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _n_bytes(what: str, tensor: onnx.TensorProto) -> int:
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        raise ModelFileError(f"{what} must have a known element type") from None
    if type_name(tensor.data_type).endswith("INT4"):
        return int((prod(tensor.dims) + 1) // 2)
    return int(prod(tensor.dims) * item)


def _external_bytes(what: str, folder: Path, entries: dict[str, str], n_bytes: int) -> bytes:
    location = entries.get("location", "")
    parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
    anchored = PurePosixPath(location).anchor or PureWindowsPath(location).anchor
    path = folder / location
    if not location or anchored or ".." in parts:
        raise ModelFileError(
            f"{what} must have its data inside the model's folder, not in {location!r}"
        )
    try:
        resolved = path.resolve(strict=True)
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", n_bytes))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelFileError(
            f"{what} has its data in {location!r}, which cannot be read: {error}"
        ) from None
    if not resolved.is_relative_to(folder.resolve()) or not resolved.is_file():
        raise ModelFileError(
            f"{what} must have its data in a file inside the model's folder, not in {resolved}"
        )
    if offset < 0 or length != n_bytes or offset + length > resolved.stat().st_size:
        raise ModelFileError(
            f"{what} must have {n_bytes} bytes in {location!r}, not {length} from {offset} of "
            f"{resolved.stat().st_size}"
        )
    with resolved.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def check(model: onnx.ModelProto, name: str) -> None:
    """Run ONNX's checker.

    Raises
    ------
    ModelFileError
        With what it found.
    """
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise _invalid(name, error) from error
    for node in model.graph.node:
        for attribute in node.attribute:
            # ONNX does not check these, and its shape inference divides by them.
            window = attribute.name in ("strides", "dilations", "kernel_shape")
            if (window and min(attribute.ints, default=1) < 1) or (
                attribute.name == "group" and attribute.i < 1
            ):
                raise ModelFileError(
                    f"{name}: {attribute.name} of node {node.name!r} ({node.op_type}) must be at least 1"
                )


def infer_shapes(model: onnx.ModelProto, name: str) -> dict[str, list[int | None]]:
    """Run ONNX's shape inference on a model that passed :func:`check`.

    Returns
    -------
    dict of str to list
        Axes of every tensor whose shape is known; None for an axis without fixed length.

    Raises
    ------
    ModelFileError
        With what it found.
    """
    try:
        # Without data_prop: it would compute constants of any size that a file asks for.
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise _invalid(name, error) from error
    shapes: dict[str, list[int | None]] = {}
    graph = inferred.graph
    for info in (*graph.input, *graph.value_info, *graph.output):
        if info.type.tensor_type.HasField("shape"):
            axes = info.type.tensor_type.shape.dim
            shapes[info.name] = [d.dim_value if d.HasField("dim_value") else None for d in axes]
    return shapes


def _invalid(name: str, error: Exception) -> ModelFileError:
    return ModelFileError(f"{name} must be a valid ONNX model, but {' '.join(str(error).split())}")
