# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch modules as network graphs (needs PyTorch, extra ``train``).

``torch.export`` records the operators that one evaluation executes, so it does not matter whether a model is written
with modules, functions or methods; it also replaces operators that change a tensor in place by others that do not.
Operators are those of :mod:`spectramac.graph.onnx_import`, by PyTorch's names.
"""

import operator as operator_module
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from spectramac.graph.builder import Builder
from spectramac.graph.errors import (
    GraphError,
    ModelFileError,
    Refusal,
    RefusedError,
    UnsupportedModelError,
)
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.torch_layers import BATCH, LAYERS, TorchNode, remedy
from spectramac.graph.value import Value

__all__ = ["from_torch"]


def from_torch(module: torch.nn.Module, example_input: torch.Tensor) -> Graph:
    """Import a module.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode, with one input and one output.
    example_input : torch.Tensor
        A batch (batch, *shape) of floating-point values; only its shape and type matter.

    Returns
    -------
    Graph
        Nodes are called after the submodules that execute them. Parameters in float64, which is exact.

    Raises
    ------
    UnsupportedModelError
        Naming every operator that cannot be taken, where it is, and what could be done.
    ModelFileError
        If a parameter is not finite, or the module cannot be recorded.
    ValueError, TypeError
        If the module is in training mode, or the example has no batch or is not floating-point.
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}")
    if not isinstance(example_input, torch.Tensor) or not example_input.is_floating_point():
        raise TypeError("example_input must be a floating-point tensor")
    if example_input.dim() < 2 or 0 in example_input.shape:
        raise ValueError(
            f"example_input must have shape (batch, *shape), not {tuple(example_input.shape)}"
        )
    training = [name or "itself" for name, part in module.named_modules() if part.training]
    if training:
        raise ValueError(
            f"module must be in evaluation mode (call module.eval()), but is in training: {training[0]}"
        )
    example = torch.zeros((BATCH, *example_input.shape[1:]), dtype=example_input.dtype)
    example = example.to(example_input.device)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the recorder's, about its own parts
            program = torch.export.export(module, (example,)).run_decompositions({})
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelFileError(
            f"{type(module).__name__} cannot be recorded by torch.export: {reason}"
        ) from error
    return _Importer(type(module).__name__, program, tuple(example_input.shape[1:])).run()


class _Importer:
    def __init__(self, name: str, program: Any, shape: tuple[int, ...]) -> None:
        self.name, self.program = name, program
        self.refusals: list[Refusal] = []
        self.values: dict[Any, Any] = {}  # of torch.fx nodes: Value, or arrays for parameters
        self.builder = Builder(name, Tensor(name="input", shape=shape))

    def run(self) -> Graph:
        nodes = list(self.program.graph.nodes)
        (end,) = (node for node in nodes if node.op == "output")
        outputs = [node for node in end.args[0] if node is not None]
        if len(outputs) != 1:
            self._refuse(
                "output", "output", f"there are {len(outputs)} outputs", "return one tensor"
            )
            self._raise_refusals()
        needed = _needed(outputs[0])
        self._placeholders(nodes)
        reads = Counter(source for node in needed for source in node.all_input_nodes)
        reads[outputs[0]] += 1
        for node in nodes:
            if node.op == "call_function" and node in needed:
                self._convert(node, reads)
            elif node.op == "get_attr" and node in needed:
                self.values[node] = _array(getattr(self.program.graph_module, node.target))
        return self._finish(outputs[0])

    def _placeholders(self, nodes: list[Any]) -> None:
        signature = self.program.graph_signature
        parameters = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        constants = getattr(signature, "inputs_to_lifted_tensor_constants", {})
        users = set(signature.user_inputs)
        for node in (n for n in nodes if n.op == "placeholder"):
            if node.name in users:
                self.values[node] = self.builder.input
            elif node.name in parameters:
                name = parameters[node.name]
                source = self.program.state_dict.get(name)
                tensor = self.program.constants[name] if source is None else source
                self.values[node] = _array(tensor, name)
            elif node.name in constants:
                name = constants[node.name]
                self.values[node] = _array(self.program.constants[name], name)

    def _convert(self, node: Any, reads: Counter[Any]) -> None:
        operator = _operator(node)
        name = _where(node, operator)
        known = all(source in self.values for source in node.all_input_nodes)
        if node.target is operator_module.getitem:
            self._item(node, known, name)
            return
        if known and not any(isinstance(self.values[n], Value) for n in node.all_input_nodes):
            self._compute(node)
            return
        convert: Callable[[TorchNode, Builder], Any] | None = LAYERS.get(operator)
        if convert is None:
            self._refuse(name, operator, "unsupported operator", remedy(operator))
        if convert is None or not known:
            return  # refused, or behind a node that was
        found = self.values.get
        inputs = [found(a, a) if isinstance(a, torch.fx.Node) else a for a in node.args]
        keywords = {
            k: found(a, a) if isinstance(a, torch.fx.Node) else a for k, a in node.kwargs.items()
        }
        made = node.meta["val"]
        shape = tuple((made[0] if isinstance(made, tuple | list) else made).shape)
        try:
            result = convert(TorchNode(name, operator, inputs, keywords, shape), self.builder)
        except RefusedError as error:
            self.refusals.append(error.refusal(name, operator))
            return
        except GraphError as error:
            raise ModelFileError(f"{self.name}: {error}") from error
        if isinstance(result, Value):
            if result.padded_shape != shape[1:]:
                raise ModelFileError(
                    f"{self.name}: {name} ({operator}) must have shape {shape[1:]} for each sample, not "
                    f"{result.padded_shape}"
                )
            result = replace(result, shared=result.shared or reads[node] > 1)
        self.values[node] = result

    def _compute(self, node: Any) -> None:
        """What does not depend on the data is computed now: masks, transposed weights, …"""

        def tensor(source: Any) -> Any:
            return torch.from_numpy(np.array(self.values[source]))

        arguments = torch.fx.node.map_arg((node.args, dict(node.kwargs)), tensor)
        result = node.target(*arguments[0], **arguments[1])
        if isinstance(result, torch.Tensor):
            self.values[node] = _array(result, node.name)

    def _item(self, node: Any, known: bool, name: str) -> None:
        """The first of several results, which is the only one that is made."""
        source, index = node.args
        if known and index == 0:
            self.values[node] = self.values[source]
        elif known:
            self._refuse(name, _operator(source), "its second output is used", "use the first only")

    def _finish(self, end: Any) -> Graph:
        value, graph = self.values.get(end), None
        if not self.refusals:
            try:
                if not isinstance(value, Value):
                    raise RefusedError("it does not depend on the input", "check the module")
                graph = self.builder.graph(value)
            except RefusedError as error:
                self.refusals.append(error.refusal(str(end), "output"))
            except GraphError as error:
                raise ModelFileError(f"{self.name}: {error}") from error
        self._raise_refusals()
        assert graph is not None
        return graph

    def _refuse(self, node: str, operator: str, problem: str, remedy_text: str) -> None:
        self.refusals.append(Refusal(node, operator, problem, remedy_text))

    def _raise_refusals(self) -> None:
        if self.refusals:
            raise UnsupportedModelError(f"{self.name} cannot be imported", self.refusals)


def _needed(end: Any) -> set[Any]:
    """The nodes that the output depends on."""
    found, open_nodes = {end}, [end]
    while open_nodes:
        for source in open_nodes.pop().all_input_nodes:
            if source not in found:
                found.add(source)
                open_nodes.append(source)
    return found


def _operator(node: Any) -> str:
    """``conv2d`` of ``torch.ops.aten.conv2d.default``; the full name outside of aten."""
    name = str(getattr(node.target, "name", lambda: node.target)())
    return name.removeprefix("aten::").partition(".")[0]


def _where(node: Any, operator: str) -> str:
    """Path of the submodule that executes the node, or the node's own name for functions."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    leaf = str(getattr(kind, "__module__", kind)).startswith("torch.nn.modules")
    return str(path) if leaf and path else str(node.name)


def _array(tensor: Any, name: str = "constant") -> np.ndarray[Any, Any]:
    array = tensor.detach().cpu()
    array = array.double().numpy() if array.is_floating_point() else array.numpy()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelFileError(f"parameter {name!r} must hold finite numbers, not NaN or infinity")
    return np.asarray(array)
