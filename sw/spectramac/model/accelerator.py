# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of the accelerator: runs a program from its memories, to the bit of docs/design.md.

It sees what the hardware sees (descriptors, directory, entries, biases) and nothing of the network
that they were compiled from. Work is ordered as in the hardware wherever order can be observed;
pairs of inferences, which cannot observe each other, are evaluated together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectramac.model.program import Memories, ProgramError
from spectramac.model.program_convolution import ConvolutionProgram
from spectramac.model.program_depthwise import DepthwiseProgram
from spectramac.model.program_layer import LayerProgram, LayerTrace
from spectramac.model.program_tiles import TilesProgram
from spectramac.model.program_window import WindowProgram
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.memory import memories as memory_table
from spectramac.spec.registers import OVERFLOWS

__all__ = ["LayerTrace", "ProgramError", "ProgramResult", "run_program"]


@dataclass(frozen=True, eq=False)
class ProgramResult:
    """Memory contents and status after a run; see :class:`LayerTrace`.

    Attributes
    ----------
    activation : uint32 array (depth, 1)
        All of activation memory; words that no layer wrote are unchanged.
    counters, overflows : dict
        Sums and disjunctions over the layers.
    layers : tuple of LayerTrace
    """

    activation: NDArray[np.uint32]
    counters: dict[str, int]
    overflows: dict[str, bool]
    layers: tuple[LayerTrace, ...]


def run_program(
    config: AcceleratorConfig, memories: Memories, n_layers: int, n_pairs: int
) -> ProgramResult:
    """Run descriptors 0 … ``n_layers - 1`` for ``n_pairs`` pairs of inferences.

    Parameters
    ----------
    config : AcceleratorConfig
    memories : mapping of name to uint32 array (depth, chunks)
        Contents of every memory that a model image or the host may write
        (:func:`spectramac.spec.memory.memories`). Not modified.
    n_layers, n_pairs : int

    Raises
    ------
    ProgramError
        If a descriptor is inconsistent; the message names layer, field and constraint.
    """
    _check_memories(config, memories)
    if not 1 <= n_layers <= config.n_layers_max:
        raise ProgramError(f"n_layers must be from 1 to {config.n_layers_max}, not {n_layers!r}")
    if not 1 <= n_pairs < 1 << 16:
        raise ProgramError(f"n_pairs must be from 1 to {(1 << 16) - 1}, not {n_pairs!r}")
    activation = np.array(memories["activation"][:, 0], np.uint32)
    traces = []
    words = memories["descriptor"][:, 0].tolist()
    try:
        program = list(descriptors.program(words, n_layers))
    except ValueError as error:
        raise ProgramError(str(error)) from None
    for number, d in enumerate(program):
        layer = _kind(config, number, d["kind"])(config, memories, number, d)
        traces.append(layer.run(activation, n_pairs))
    return ProgramResult(
        activation[:, None],
        {name: sum(t.counters[name] for t in traces) for name in traces[0].counters},
        {place: any(t.overflows[place] for t in traces) for place in OVERFLOWS},
        tuple(traces),
    )


def _check_memories(config: AcceleratorConfig, memories: Memories) -> None:
    for name, memory in memory_table(config).items():
        if not memory.writable:
            continue
        if name not in memories:
            raise ValueError(f"memories must have {name!r}")
        shape = memories[name].shape
        if shape != (memory.depth, memory.chunks):
            raise ValueError(
                f"memory {name!r} must have shape {(memory.depth, memory.chunks)}, not {shape}"
            )


_KINDS: dict[int, type[LayerProgram]] = {
    Kind.LAYER.value: LayerProgram,
    Kind.CONVOLUTION.value: ConvolutionProgram,
    Kind.TILES.value: TilesProgram,
    Kind.WINDOW_SUM.value: WindowProgram,
    Kind.WINDOW_MAXIMUM.value: WindowProgram,
    Kind.ADDITION.value: WindowProgram,
    Kind.DEPTHWISE.value: DepthwiseProgram,
}


def _kind(config: AcceleratorConfig, number: int, kind: int) -> type[LayerProgram]:
    """What runs a kind of descriptor."""
    known = _KINDS if config.maps else {Kind.LAYER.value: LayerProgram}
    if kind not in known:
        names = ", ".join(f"{k:d}" for k in known)
        raise ProgramError(f"layer {number}: kind must be one of {names}, not {kind!r}")
    return known[kind]
