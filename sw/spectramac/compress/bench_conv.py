# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of convolutional networks: as fake-quantized PyTorch networks; those that the engine runs as they are
also on the golden model, in bytes of the compiled image.
"""

import importlib
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any, TypeVar

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.bench import Bench
from spectramac.compress.bench_methods import BITS
from spectramac.compress.conv_chain import Architecture
from spectramac.compress.conv_methods import Chain, ConvPlan, conv_methods
from spectramac.compress.measure import Score, cross_entropy
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.techniques import Quantization
from spectramac.compress.training import Training
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_file import save_graph
from spectramac.model.graph_network import run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import AcceleratorConfig, preset

__all__ = ["ConvBench", "ConvBenchMethod", "ConvolutionalBench", "with_maps"]

N = TypeVar("N")

_CALIBRATION = 256
"""Training inputs that channels are chosen by."""
_MASK_INTERVAL = 20
"""Batches between two choices of masks: the data are few, and so are the batches."""


_FIGURES = (
    "Accuracies here are those of the **fake-quantized PyTorch network**: coefficients and int8 activations are "
    "rounded, but no integers are run, and cycles are not counted. "
    "Bytes are what the layers' coefficients, indices, scales and biases take. Zeros at the borders are "
    "multiplied as anything else. What the engine runs as it is has a table of its own, with accuracies of the golden "
    "model and bytes of the compiled image."
)


def with_maps(config: AcceleratorConfig) -> AcceleratorConfig:
    """What graphs are compiled for; without maps, preset ``conv`` with the lanes that masks are balanced for."""
    return config if config.maps else preset("conv").replace(n_lanes=config.n_lanes)


@dataclass(frozen=True)
class ConvBenchMethod:
    """A method with its quantization; its name is ``<method>-int<bits>``."""

    method: ConvPlan
    quantization: Quantization


@dataclass(eq=False)
class ConvolutionalBench(Bench[N]):
    """What benchmarks of convolutional networks have in common: the dense network."""

    @property
    def net(self) -> Architecture:
        """Shape of the network."""
        data = self.data
        return Architecture(data.shape, data.convolutions, data.n_classes)

    @property
    def _floating(self) -> ModuleType:
        """Needs PyTorch."""
        return importlib.import_module("spectramac.compress.train_conv_dense")

    def _dense(self, seed: int) -> list[DenseLayer]:
        data = self.data
        layers: list[DenseLayer] = self._floating.cached_dense_conv(
            self.out / "dense",
            self.net,
            data.x_train,
            data.y_train,
            epochs=self.settings.teacher_epochs * self.passes,
            seed=seed,
        )
        return layers

    def _dense_accuracy(self, layers: list[DenseLayer]) -> float:
        network = self._floating.dense_conv_network(layers, self.net)
        outputs = self._floating.predict(network, self.data.x_test, self.net)
        return accuracy(outputs, self.data.y_test)


@dataclass(eq=False)
class ConvBench(ConvolutionalBench[Any]):
    """The benchmark of one data set of images with a convolutional network."""

    @cached_property
    def methods(self) -> dict[str, ConvBenchMethod]:
        """See :attr:`Bench.methods`."""
        return {
            f"{method.name}-int{bits}": ConvBenchMethod(
                method, Quantization(bits, self.settings.steps)
            )
            for bits in BITS
            for method in conv_methods(self.settings.config, bits)
        }

    @property
    def about(self) -> dict[str, Any]:
        """See :attr:`Bench.about`."""
        return {"architecture": self.net.name, "figures": _FIGURES}

    @property
    def _training(self) -> ModuleType:
        """Needs PyTorch."""
        return importlib.import_module("spectramac.compress.train_conv")

    def _plan(self, method: str, density: float, seed: int) -> tuple[list[DenseLayer], Chain]:
        chosen, layers = self.methods[method], self.layers(seed)
        x = self.data.calibration[:_CALIBRATION]
        inputs = self._floating.layer_inputs(layers, self.net, x)
        return layers, chosen.method.plan(layers, density, chosen.quantization, inputs)

    def _density_within(self, method: str, budget: int, seed: int) -> float:
        raise ValueError("budgets are for what the engine runs (spectramac.compress.bench_graph)")

    def _check(self, method: str, density: float, seed: int) -> None:
        _, (chain, choices) = self._plan(method, density, seed)
        self._training.masks_cost(chain, self.net, choices, self.settings.config)

    def _train(
        self, method: str, density: float, seed: int, rate: float, budget: int | None = None
    ) -> Any:
        layers, (chain, choices) = self._plan(method, density, seed)
        procedure = Training(self.settings.epochs * self.passes, rate).procedure()
        return self._training.train_conv(
            chain,
            self.net,
            choices,
            self.data.x_train,
            self.data.y_train,
            replace(procedure, mask_interval=_MASK_INTERVAL),
            seed,
            input_scale=self.scale,
            teacher=layers,
        )

    def validate(self, network: Any) -> Score:
        """See :meth:`Bench.validate`."""
        outputs, labels = network.predict(self.data.x_validation), self.data.y_validation
        return Score(accuracy(outputs, labels), cross_entropy(outputs, labels))

    def figures(self, network: Any, name: str) -> dict[str, Any]:
        """See :meth:`Bench.figures`."""
        cost = network.cost(self.settings.config)
        return {
            "accuracy": accuracy(network.predict(self.data.x_test), self.data.y_test),
            "bytes": cost.stored_bytes,
            "multiplications": cost.total_multiplications,
            **self._of_integers(network, name),
        }

    def _of_integers(self, network: Any, name: str) -> dict[str, Any]:
        """Figures of the exported network, or why there is none."""
        export = importlib.import_module("spectramac.compress.train_conv_export").export_conv
        data, config = self.data, with_maps(self.settings.config)
        arithmetic = Arithmetic.of(config)
        try:
            integers = export(network, data.calibration[:_CALIBRATION], data.name, arithmetic)
            n_bytes = compile_graph(integers, config).stored_bytes
        except ValueError as error:
            return {"not_run": str(error)}
        maps = quantize_input(data.x_test, integers.input_scale)
        outputs = run_graph(integers, maps.reshape(-1, *integers.input_shape), arithmetic)
        (self.out / "networks").mkdir(parents=True, exist_ok=True)
        save_graph(integers, self.out / "networks" / f"{name}.npz")
        return {
            "golden_accuracy": accuracy(outputs.reshape(len(outputs), -1), data.y_test),
            "image_bytes": n_bytes,
            "graph": f"{name}.npz",
        }
