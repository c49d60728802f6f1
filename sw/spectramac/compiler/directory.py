# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The matrix S of a layer by directory words (docs/design.md)."""

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.entries import Bools
from spectramac.compiler.errors import CompileError
from spectramac.model.network import Layer
from spectramac.model.spectrum import pair_map

__all__ = ["Directory"]


class Directory:
    """S by directory words: the coefficient pairs (a, b) of every row pair and word.

    Attributes
    ----------
    a, b : int16 array (row pairs, words)
        The words of a column pair follow each other: (a, b), or (complex, a, b).
    in_frame : int array (words,)
        Number of the word's column pair in its input block.
    kinds : int
        Words of a column pair.
    n_pairs : int
        Pairs that are not zero; complex ones count twice.
    """

    def __init__(self, layer: Layer) -> None:
        s = layer.coefficients
        n_rows, n_columns = s.shape[0] // 2, s.shape[1] // 2
        # (row pair, a or b, column pair, column a or b)
        blocks = s.reshape(n_rows, 2, n_columns, 2)
        self.kinds = 2
        words = blocks
        twice = 0
        if layer.pattern == "complex":
            self.kinds = 3
            joint = _joint(layer, n_rows, n_columns)
            _check_complex(layer, blocks, joint)
            real = np.where(joint[:, None, :, None], 0, blocks)
            paired = np.where(joint[:, None, :], blocks[..., 0], 0)
            words = np.concatenate([paired[..., None], real], axis=-1).astype(np.int16)
            twice = int(paired.any(axis=1).sum())
        flat = words.reshape(n_rows, 2, n_columns * self.kinds)
        self.a, self.b = flat[:, 0], flat[:, 1]
        half = layer.t_in.n // 2 if layer.t_in.is_fft else n_columns
        self.in_frame = np.repeat(np.arange(n_columns) % half, self.kinds)
        self.n_pairs = int(np.count_nonzero(self.a | self.b)) + twice

    def stacked(self, others: Sequence["Directory"], n_rows: int) -> "Directory":
        """Those of layers with the same columns below each other, each in ``n_rows`` row pairs."""
        parts = (self, *others)
        joined = copy(self)

        def stack(arrays: Iterable[NDArray[np.int16]]) -> NDArray[np.int16]:
            return np.concatenate([np.pad(v, ((0, n_rows - len(v)), (0, 0))) for v in arrays])

        joined.a, joined.b = stack(p.a for p in parts), stack(p.b for p in parts)
        joined.n_pairs = sum(p.n_pairs for p in parts)
        return joined


def _joint(layer: Layer, n_rows: int, n_columns: int) -> Bools:
    """Which 2x2 blocks of S join a complex row pair with a complex column pair."""
    rows, columns = (
        np.tile(pair_map(t.n, t.two_d).joint, 2 * n // t.n)
        for t, n in ((layer.t_out, n_rows), (layer.t_in, n_columns))
    )
    return np.asarray(rows[:, None] & columns, np.bool_)


def _check_complex(layer: Layer, blocks: NDArray[np.int16], joint: Bools) -> None:
    first, second = blocks[..., 0], blocks[..., 1]
    bad = (second[:, 0] != -first[:, 1]) | (second[:, 1] != first[:, 0])
    bad &= joint
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        raise CompileError(
            f"layer {layer.name!r}: complex pattern: the block of row pair {row} and column pair "
            f"{column} must be [[a, -b], [b, a]], not {blocks[row, :, column].tolist()}; "
            "use pattern 'real'"
        )
