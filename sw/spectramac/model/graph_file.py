# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer network graphs as files: one ``.npz`` without pickled objects; reading executes no code."""

import dataclasses
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import MapNode
from spectramac.model.map_window import Window
from spectramac.model.network import Layer, Transform
from spectramac.model.tiles import TileConvolution

__all__ = ["is_graph_file", "load_graph", "save_graph"]

FORMAT_NAME = "spectramac-graph"
FORMAT_VERSION = 1
_NODES: dict[str, type[MapNode]] = {
    kind.__name__: kind
    for kind in (
        Addition, AveragePooling, Convolution, DepthwiseConvolution, FullyConnected, MaxPooling, Rectifier,
        TileConvolution,
    )
}  # fmt: skip
_PARTS: dict[str, type[Any]] = {
    "layer": Layer,
    "window": Window,
    "t_in": Transform,
    "t_out": Transform,
}
"""Fields that are objects."""


def save_graph(network: GraphNetwork, path: str | Path) -> None:
    """Write a network; the same one always gives the same contents.

    Parameters
    ----------
    network : GraphNetwork
    path : str or Path
    """
    arrays: dict[str, NDArray[Any]] = {}
    nodes = []
    for i, node in enumerate(network.nodes):
        nodes.append({"type": type(node).__name__, **_plain(node, str(i), arrays)})
    header = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "name": network.name,
        "input_name": network.input_name,
        "input_shape": list(network.input_shape),
        "scales": dict(network.scales),
        "meta": dict(network.meta),
        "nodes": nodes,
    }
    text = json.dumps(header, sort_keys=True, allow_nan=False).encode()
    arrays["header"] = np.frombuffer(text, np.uint8)
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _plain(part: Any, prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Fields as JSON; arrays go to ``arrays`` under their path."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            values[field.name] = _plain(value, f"{prefix}.{field.name}", arrays)
        elif isinstance(value, np.ndarray):
            arrays[f"{prefix}.{field.name}"] = (
                value.astype(np.int8) if field.name == "coefficients" else value
            )
        else:
            values[field.name] = value
    return values


def is_graph_file(path: str | Path) -> bool:
    """Whether a file is a network graph, not something else; says nothing about its contents."""
    try:
        return bool(_read(path)[0].get("format") == FORMAT_NAME)
    except ValueError:
        return False


def load_graph(path: str | Path) -> GraphNetwork:
    """Read a network written by :func:`save_graph`.

    Raises
    ------
    ValueError
        If the file is not such a network, is damaged, or has another version.
    """
    header, arrays = _read(path)
    found = header.get("format"), header.get("version")
    if found != (FORMAT_NAME, FORMAT_VERSION):
        raise ValueError(
            f"{path} must be {FORMAT_NAME} version {FORMAT_VERSION}, not {found[0]!r} version {found[1]!r}"
        )
    try:
        nodes = []
        for i, entry in enumerate(header["nodes"]):
            kind = _NODES[entry["type"]]
            values = {key: value for key, value in entry.items() if key != "type"}
            nodes.append(_object(kind, values, str(i), arrays))
        return GraphNetwork(
            name=header["name"],
            input_name=header["input_name"],
            input_shape=tuple(header["input_shape"]),
            nodes=tuple(nodes),
            scales=header["scales"],
            meta=header.get("meta", {}),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} must be a complete {FORMAT_NAME} file: {error!r}") from error


def _object(
    kind: type[Any], values: dict[str, Any], prefix: str, arrays: dict[str, NDArray[Any]]
) -> Any:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        key = f"{prefix}.{field.name}"
        if field.name in _PARTS and isinstance(values.get(field.name), dict):
            found[field.name] = _object(_PARTS[field.name], values[field.name], key, arrays)
        elif key in arrays:
            found[field.name] = arrays[key]
        elif field.name in values:
            found[field.name] = _tuples(values[field.name])
    unknown = set(values) - {field.name for field in dataclasses.fields(kind)}
    if unknown:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**found)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]).decode())
            arrays = {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, TypeError) as error:
        raise ValueError(f"{path} must be a spectramac network file: {error}") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path} must be a spectramac network file: its header is no object")
    return header, arrays
