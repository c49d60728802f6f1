# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compile`` and ``run`` for network graphs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.graph_compile import compile_graph
from spectramac.host import cli_report
from spectramac.host.cli_files import Data, image_config, is_image
from spectramac.host.cli_graph_report import form_table, graph_tables, plan_table
from spectramac.host.cli_run import differences_of
from spectramac.host.graph_accelerator import GraphAccelerator, GraphRunResult
from spectramac.host.inputs import check_inputs
from spectramac.host.transport import open_transport
from spectramac.model.batch import quantize_input
from spectramac.model.graph_file import is_graph_file, load_graph, save_graph
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.map_node import Arithmetic, Shape
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import InputShapeError, InputTypeError
from spectramac.spec.graph_image import GraphImage

__all__ = [
    "FormOptions",
    "GraphModel",
    "compare",
    "compile_file",
    "execute",
    "is_graph_model",
    "load_data",
    "open_model",
    "read_graph",
]


@dataclass(frozen=True, eq=False)
class GraphModel:
    """A compiled graph, and the network it came from if that is known."""

    image: GraphImage
    config: AcceleratorConfig
    network: GraphNetwork | None


def is_graph_model(path: Path) -> bool:
    """Whether a file is a network graph or the image of one."""
    if is_image(path):
        return GraphImage.is_graph(path.read_bytes())
    return path.suffix.lower() == ".onnx" or is_graph_file(path)


@dataclass(frozen=True)
class FormOptions:
    """How the convolutions of a floating-point model are to be stored, as on the command line.

    Attributes
    ----------
    form : str
        ``"auto"``, or one of :func:`~spectramac.compress.choose_forms.candidate_forms`.
    density : float
    bits : int
    max_error : float or None
    requantize : bool
        Drop the scales of a quantized model, which keeps its integers otherwise.
    """

    form: str = "auto"
    density: float = 1.0
    bits: int = 8
    max_error: float | None = None
    requantize: bool = False


def _forms(graph: Any, x: NDArray[Any], config: AcceleratorConfig, options: FormOptions) -> Any:
    """The form of every convolution, after a table of what there was to choose from."""
    from spectramac.compress.choose_forms import candidate_forms, choose_forms

    candidates = candidate_forms(config, options.density, options.bits)
    if options.form != "auto":
        if options.form not in candidates:
            raise ValueError(
                f"--form must be auto or one of {', '.join(candidates)}, not {options.form!r}"
            )
        candidates = {options.form: candidates[options.form]}
    chosen, tried = choose_forms(graph, x, config, candidates, options.max_error)
    if len(candidates) > 1 and tried:
        cli_report.show(form_table(chosen, tried))
    return chosen


def read_graph(
    path: Path, data: Path | None, config: AcceleratorConfig, options: FormOptions
) -> GraphNetwork:
    """An integer network graph: from its file, or from an ONNX model and calibration data.

    Raises
    ------
    ValueError
        If calibration data are missing, or the model cannot be quantized.
    """
    if path.suffix.lower() != ".onnx":
        return load_graph(path)
    if data is None:
        raise ValueError(
            f"{path} needs calibration inputs: --data FILE with an array (batch, *input shape), .npy or .npz"
        )
    from spectramac.compress.qdq_graph import integer_graph
    from spectramac.compress.quantize_graph import quantize_graph
    from spectramac.graph.dequantize import dequantized
    from spectramac.host.cli_compress import onnx_graph

    graph = onnx_graph(path)
    x = _array(data)
    if graph.is_quantized and options == FormOptions():
        return integer_graph(graph, x).network
    if graph.is_quantized:
        if not options.requantize:
            raise ValueError(
                f"{path} is quantized and keeps its integers; --form, --density, --bits and --max-error "
                "need --requantize"
            )
        graph = dequantized(graph)
    return quantize_graph(graph, x, forms=_forms(graph, x, config, options)).network


def compile_file(
    path: Path,
    output: Path,
    config: AcceleratorConfig,
    *,
    data: Path | None,
    graph: Path | None,
    explain: bool,
    options: FormOptions,
) -> None:
    """Compile a network graph and report what came of it."""
    network = read_graph(path, data, config, options)
    if graph is not None:
        save_graph(network, graph)
        cli_report.note(f"wrote {graph}")
    image = compile_graph(network, config)
    image.save(output)
    cli_report.show(*graph_tables(image, config))
    if explain:
        if data is None:
            rng = np.random.default_rng(0)
            x = rng.integers(-128, 128, (2, *image.input_shape)).astype(np.int8)
            what = "predicted for two random inputs"
        else:
            array = to_maps(_array(data)[:2], image.input_shape)
            x = quantize_input(array, image.input_scale) if array.dtype.kind == "f" else array
            what = f"predicted for the first two of {data}"
        cli_report.show(plan_table(image, config, x.astype(np.int8), what))
    cli_report.note(f"wrote {output} for configuration {config.name}")


def _array(path: Path) -> NDArray[Any]:
    """The array of a ``.npy`` file, or ``x`` or else the first one of an ``.npz`` file."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded as file:
        return np.asarray(file["x" if "x" in file.files else file.files[0]])


def open_model(path: Path, config: AcceleratorConfig) -> GraphModel:
    """An image as it is, or a network graph compiled for ``config``."""
    if is_image(path):
        image = GraphImage.load(path)
        return GraphModel(image, image_config(image), None)
    network = load_graph(path)
    return GraphModel(compile_graph(network, config), config, network)


def load_data(name: str, image: GraphImage, *, quantize: bool, limit: int | None) -> Data:
    """Inputs (batch, height, width, channels) in int8 and, of ``digits``, their labels.

    A file may hold channels first, (batch, channels, height, width), or vectors, if the shape says which it is.

    Raises
    ------
    InputTypeError
        If the values are real and ``quantize`` is false.
    InputShapeError, InputRangeError
    """
    labels = None
    if name == "digits":
        from spectramac.compress.data import digits

        sample = digits()
        array, labels = sample.x_test, sample.y_test
    else:
        array = _array(Path(name))
    array = to_maps(array, image.input_shape)
    if array.dtype.kind == "f":
        if not quantize:
            raise InputTypeError(
                f"{name} has real values ({array.dtype}); --quantize converts them with the model's input scale, "
                f"{image.input_scale:g}"
            )
        array = quantize_input(array, image.input_scale)
    x = check_inputs(array, int(np.prod(image.input_shape))).reshape(array.shape)
    return Data(x[:limit], None if labels is None else labels[:limit])


def to_maps(x: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Arrays as maps of this shape."""
    height, width, channels = shape
    if x.shape[1:] == shape:
        return x
    if x.shape[1:] == (channels, height, width):
        return x.transpose(0, 2, 3, 1)
    if (
        x.ndim >= 2
        and int(np.prod(x.shape[1:])) == height * width * channels
        and 1
        in (
            channels,
            height * width,
        )
    ):
        return x.reshape(len(x), *shape)
    raise InputShapeError(
        f"inputs must have shape (batch, {height}, {width}, {channels}) or (batch, {channels}, {height}, {width}), "
        f"not {x.shape}"
    )


def execute(
    model: GraphModel, x: NDArray[np.int8], transport: str, *, timeout: float, **options: Any
) -> GraphRunResult:
    """Load and run a graph through a transport, with a progress bar."""
    with (
        cli_report.progress(f"running on {transport}") as progress,
        open_transport(transport, model.config, **options) as bus,
    ):
        accelerator = GraphAccelerator(bus, model.config)
        accelerator.load(model.image)
        return accelerator.run(x, timeout=timeout, progress=progress)


def compare(
    model: GraphModel, x: NDArray[np.int8], result: GraphRunResult, golden: GraphRunResult
) -> list[str]:
    """What differs between a result, the golden model and, if it is known, the network itself."""
    differences = differences_of(result, golden)
    if model.network is not None and not golden.warnings:
        direct = run_graph(model.network, x, Arithmetic.of(model.config))
        n = int((golden.outputs != direct).sum())
        if n:
            differences.append(f"{n} outputs of the golden model differ from the network's")
    return differences
