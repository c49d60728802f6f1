# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods of the benchmark: every technique (:mod:`spectramac.compress.methods`), with 4 and with 8 bits.

``prune-value-int8`` is plain magnitude pruning; ``prune-pair-int4`` the fair control: what the engine stores
together is kept together, with as few bits and as activation-aware as SFT, and with its own learning rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spectramac.compress.blocks import Floats
from spectramac.compress.datasets import DataSet
from spectramac.compress.methods import ChainMethod, LayerMethod, methods_for
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.techniques import (
    Pruning,
    Quantization,
    RowsSft,
    Sft,
    SpectralInput,
)
from spectramac.spec.config import AcceleratorConfig

__all__ = ["BITS", "BenchMethod", "bench_methods"]

BITS = (4, 8)

_CIRCULANT_VALUES = 8
"""A circulant block of 8 points has 8 times fewer values than a dense one."""


@dataclass(frozen=True)
class BenchMethod:
    """A method with its quantization.

    Attributes
    ----------
    name : str
        ``<method>-int<bits>``.
    method : ChainMethod
    quantization : Quantization
    part : int
        At full density the method has this many times fewer values than the matrix.
    """

    name: str
    method: ChainMethod
    quantization: Quantization
    part: int = 1

    def plan(
        self, layers: Sequence[DenseLayer], density: float, calibration: Floats
    ) -> tuple[list[DenseLayer], list[Choice]]:
        """``density`` is the part of the values of the dense matrices that is kept."""
        own = min(1.0, density * self.part)
        return self.method.plan(layers, own, self.quantization, calibration)


def _input_methods(data: DataSet, config: AcceleratorConfig) -> list[ChainMethod]:
    tiles = [t for t in config.tile_sides if t < 2 * max(data.shape)]
    if not data.is_image or not tiles:
        return []
    image, tile = data.shape, tiles[-1]
    return [
        LayerMethod("spectral-input", Sft(), RowsSft(), SpectralInput(image, tile)),
        LayerMethod("spectral-input-prune", Pruning(), Pruning(), SpectralInput(image, tile, 1.0)),
    ]


def bench_methods(
    data: DataSet, config: AcceleratorConfig, steps: Literal["layer", "pair", "row"] = "layer"
) -> dict[str, BenchMethod]:
    """All methods for a data set, by name; ``steps`` as of :class:`Quantization`, of all methods."""
    found = {}
    for bits in BITS:
        for method in [*methods_for(config, bits), *_input_methods(data, config)]:
            name = f"{method.name}-int{bits}"
            part = _CIRCULANT_VALUES if method.name.startswith("circulant") else 1
            found[name] = BenchMethod(name, method, Quantization(bits, steps), part)
    return found
