# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the command line reads: networks, images, data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectramac.host.inputs import check_inputs, flatten_batch
from spectramac.model.batch import quantize_input
from spectramac.model.network import Network, load_network
from spectramac.spec.config import PRESETS, AcceleratorConfig
from spectramac.spec.container import MAGIC
from spectramac.spec.errors import BuildIdMismatchError, InputTypeError
from spectramac.spec.graph_image import GraphImage
from spectramac.spec.image import Image

__all__ = ["Data", "Model", "image_config", "is_image", "load_data", "open_model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A compiled model, and the network it came from if that is known."""

    image: Image
    config: AcceleratorConfig
    network: Network | None


@dataclass(frozen=True, eq=False)
class Data:
    """int8 inputs (batch, n_inputs) and, if known, labels (batch,)."""

    x: NDArray[np.int8]
    labels: NDArray[np.int64] | None


def is_image(path: Path) -> bool:
    """Whether the file starts as an image does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def image_config(image: Image | GraphImage) -> AcceleratorConfig:
    """The configuration that an image was compiled for, a preset if it is one.

    Raises
    ------
    BuildIdMismatchError
        If its identity does not belong to its build id, or to this version of the software.
    """
    for config in PRESETS.values():
        if config.build_id == image.build_id:
            image.check(config)
            return config
    parameters = {k: v for k, v in image.identity.items() if k != "architecture_version"}
    try:
        config = AcceleratorConfig(**parameters)
    except (TypeError, ValueError) as error:
        raise BuildIdMismatchError(
            "image",
            image.build_id,
            0,
            f"its configuration is unknown here ({error}); compile again",
        ) from None
    image.check(config)
    return config


def open_model(path: Path, preset_config: AcceleratorConfig) -> Model:
    """An image as it is, or a network compiled for ``preset_config``."""
    if is_image(path):
        image = Image.load(path)
        return Model(image, image_config(image), None)
    from spectramac.compiler.compile import compile_network

    network = load_network(path)
    return Model(compile_network(network, preset_config), preset_config, network)


def load_data(name: str, image: Image, *, quantize: bool, limit: int | None) -> Data:
    """``digits``, or a ``.npy`` file of int8 values, or of real ones if ``quantize``.

    Raises
    ------
    InputTypeError
        If the file has real values and ``quantize`` is false.
    """
    labels = None
    if name == "digits":
        from spectramac.compress.data import digits

        sample = digits()
        x, labels = sample.x_test, sample.y_test
    else:
        array = np.load(Path(name), allow_pickle=False)
        if array.dtype.kind == "f" and not quantize:
            raise InputTypeError(
                f"{name} has real values ({array.dtype}); --quantize converts them with the model's "
                f"input scale, {image.input_scale:g}"
            )
        x = quantize_input(array, image.input_scale) if quantize else array
        x = flatten_batch(x, image.n_inputs)
    x = check_inputs(x, image.n_inputs)
    return Data(x[:limit], None if labels is None else labels[:limit])
