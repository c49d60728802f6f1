# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What layers over maps have in common in a program: where pixels are in activation memory (docs/design.md)."""

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints
from spectramac.model.program_layer import LayerProgram

__all__ = ["MapProgram"]


class MapProgram(LayerProgram):
    """A layer that reads and writes maps."""

    def map_addresses(
        self,
        side: str,
        n_pairs: int,
        depth: int,
        base: str | None = None,
        stride: str | None = None,
    ) -> Ints:
        """Activation address of every channel of every pixel, (n_pairs, height, width, channels).

        Parameters
        ----------
        side : str
            ``"in"`` or ``"out"``.
        n_pairs, depth : int
            Pairs of inferences, words of activation memory.
        base, stride : str, optional
            Fields that have the first pair's address and the distance of pairs, if they are not the side's own.

        Raises
        ------
        ProgramError
            If the map is empty or does not end in activation memory.
        """
        d = self.d
        base, stride = base or f"{side}_base", stride or f"{side}_stride"
        sizes = {f"{side}_height": f"{side}_row_stride", f"{side}_width": f"{side}_pixel_stride"}
        for size in (*sizes, f"n_{side}"):
            self.need(d[size] >= 1, size, "at least 1")
        shape = (n_pairs, *(d[size] for size in sizes), d[f"n_{side}"])
        steps = (d[stride], *(d[step] for step in sizes.values()), 1)
        last = d[base] + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        constraint = f"such that the maps of {n_pairs} pairs end below {depth}"
        self.need(last < depth, base, constraint)
        addresses = np.full(shape, d[base], np.int64)
        for axis, (n, step) in enumerate(zip(shape, steps, strict=True)):
            along = np.arange(n, dtype=np.int64) * step
            addresses += along.reshape(-1, *(1,) * (3 - axis))
        return addresses

    def check_output(self, target: Ints, *sources: Ints) -> None:
        """No output address is an input's or another output's.

        Raises
        ------
        ProgramError
        """
        self.need(
            not any(np.isin(target, source).any() for source in sources),
            "out_base",
            "such that no input is overwritten",
        )
        self.need(
            len(np.unique(target)) == target.size,
            "out_pixel_stride",
            "such that every output has an address of its own",
        )

    @staticmethod
    def write(activation: NDArray[np.uint32], target: Ints, y: Ints) -> None:
        """Store int8 values (n_pairs, 2, *map) at addresses (n_pairs, *map)."""
        low, high = np.moveaxis(y & 0xFF, 1, 0)
        activation[target] = (low | high << 8).astype(np.uint32)
