# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The memories that the host sees, and how words travel over the 32-bit register bus."""

from dataclasses import dataclass
from functools import lru_cache

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import PITCH

__all__ = ["Memory", "memories"]

BUS_WIDTH = 32


@dataclass(frozen=True)
class Memory:
    """One memory of the accelerator.

    Attributes
    ----------
    name : str
    select : int
        Value of register field ``memory_select.select``.
    width, depth : int
        Bits of a word, number of words.
    readable, writable : bool
        What the host may do; the rest is refused with the ``bus_error`` flag.
    in_image : bool
        Whether a model image may have a section for it.
    doc : str
    """

    name: str
    select: int
    width: int
    depth: int
    readable: bool
    writable: bool
    in_image: bool
    doc: str

    @property
    def chunks(self) -> int:
        """Bus transfers for one word, lowest 32 bits first."""
        return -(-self.width // BUS_WIDTH)


@lru_cache(maxsize=64)
def memories(config: AcceleratorConfig) -> dict[str, Memory]:
    """All host-visible memories of a configuration, by name.

    ``coefficient``: lane l has bits 16l..16l+15: one wide pair (a in the low byte, b in the high byte) or two narrow
    pairs (a, b of the first entry, then a, b of the second; four bits each, from bit 0). ``index``: lane l has bits
    8l..8l+7: one wide index or two narrow ones, the first entry's in the low half. ``scale``: multiplier in the low
    15 bits, shift above. ``activation``: first inference in the low byte, second in the high byte.
    """
    n_lanes = config.n_lanes
    table = [
        ("coefficient", 16 * n_lanes, config.coefficient_depth, False, True, True, "weights"),
        ("index", 8 * n_lanes, config.coefficient_depth, False, True, True, "row indices"),
        ("directory", 8, config.directory_depth, False, True, True, "entries of each column"),
        ("bias", config.data_width, config.channel_depth, False, True, True, "bias of a channel"),
        ("scale", config.scale_width, config.channel_depth, False, True, True, "channel scales"),
        ("row_shift", 5, config.channel_depth, False, True, True, "row-pair shifts"),
        ("descriptor", 32, PITCH * config.n_layers_max, False, True, True, "layer program"),
        ("activation", 16, config.activation_depth, True, True, False, "inputs and outputs"),
        ("layer_cycles", 32, config.n_layers_max, True, False, False, "cycles of each layer"),
    ]
    if config.maps:
        table.append(("kernel", 8, config.kernel_depth, False, True, True, "depthwise kernels"))
    return {
        name: Memory(name, i, width, depth, readable, writable, in_image, doc)
        for i, (name, width, depth, readable, writable, in_image, doc) in enumerate(table)
    }
