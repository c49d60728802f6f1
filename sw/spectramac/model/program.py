# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One layer of a program as the golden model reads it from the memories: decoded and checked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import FLAGS_PER_WORD

__all__ = ["Memories", "ProgramError", "ProgramLayer", "signed"]

Memories = Mapping[str, NDArray[np.uint32]]


class ProgramError(ValueError):
    """A descriptor does not fit the configuration, or contradicts itself."""


class ProgramLayer:
    """A descriptor with its directory and entries.

    Parameters
    ----------
    config : AcceleratorConfig
    memories : mapping of name to uint32 array (depth, chunks)
    number : int
        Position in the program, for messages.
    d : dict
        Decoded descriptor.

    Attributes
    ----------
    n, m : int
        Samples of an input and of an output block; 2 for identity.
    level : int
    n_column_pairs, n_groups, kinds : int
        Shape of ``counts``.
    counts : int array (n_groups, n_column_pairs, kinds)

    Raises
    ------
    ProgramError
    """

    def __init__(
        self, config: AcceleratorConfig, memories: Memories, number: int, d: dict[str, int]
    ) -> None:
        self.config = config
        self.memories = memories
        self.number = number
        self.d = d
        self.n = 1 << d["in_log2_n"] if d["in_log2_n"] else 2
        self.m = 1 << d["out_log2_n"] if d["out_log2_n"] else 2
        self.level = d["level_low"] | d["level_high"] << 32
        self._check_geometry()
        self.n_column_pairs = d["padded_in"] // 2
        self.n_groups = -(-d["padded_out"] // d["group_out"])
        self.kinds = self.words_of_a_pair
        self._check_rows()
        self.counts = self._directory()
        self._check_tables()

    @property
    def words_of_a_pair(self) -> int:
        """Directory words of a column pair."""
        return 3 if self.d["is_complex"] else 2

    # Checks.

    def need(self, condition: bool, field: str, constraint: str, value: Any = None) -> None:
        if not condition:
            value = self.d[field] if value is None else value
            raise ProgramError(f"layer {self.number}: {field} must be {constraint}, not {value!r}")

    def _check_geometry(self) -> None:
        d, need = self.d, self.need
        for side in ("in", "out"):
            log2_n, two_d = d[f"{side}_log2_n"], d[f"{side}_two_d"]
            allows = self.config.fft.allows
            sizes = [
                n
                for n in range(self.config.log2_n_max + 1)
                if allows(n, two_d=False) or allows(n, two_d=True)
            ]
            constraint = f"0 or one of {', '.join(map(str, sizes))}"
            need(log2_n in (0, *sizes), f"{side}_log2_n", constraint)
            if log2_n or two_d:
                need(allows(log2_n, bool(two_d)), f"{side}_two_d", f"{1 - two_d} at this size")
            block = self.n if side == "in" else self.m
            padded, size = d[f"padded_{side}"], d[f"n_{side}"]
            constraint = f"a positive multiple of {block}"
            need(padded > 0 and padded % block == 0, f"padded_{side}", constraint)
            need(1 <= size <= padded, f"n_{side}", f"from 1 to padded_{side} = {padded}")
        depth = self.config.spectrum_depth
        need(d["padded_in"] <= depth, "padded_in", f"at most spectrum_depth = {depth}")
        group = d["group_out"]
        need(group > 0 and group % self.m == 0, "group_out", f"a positive multiple of {self.m}")
        self._check_level()
        need(self.config.maps or d["maximum"] == 127, "maximum", "127 without maps")

    def _check_level(self) -> None:
        width = self.config.level_width
        self.need(self.level < 1 << width, "level", f"at most {width} bits", self.level)

    def _check_rows(self) -> None:
        d, need = self.d, self.need
        depth = self.config.accumulator_depth
        need(d["clear_depth"] <= depth, "clear_depth", f"at most accumulator_depth = {depth}")
        outputs = min(d["group_out"], d["padded_out"])
        lanes, stride = self.config.n_lanes, d["column_stride"]
        need(stride & (stride - 1) == 0, "column_stride", "0 or a power of two")
        if d["bin_major"]:
            blocks = -(-(outputs // self.m) // lanes)
            need(stride >= blocks, "column_stride", f"at least {blocks} for {outputs} outputs")
            rows = (self.m // 2 - 1) * stride + blocks
        else:
            need(stride == 0, "column_stride", "0 unless bin_major")
            rows = -(-outputs // 2 // lanes)
        what = f"at least {rows} for a group of {outputs} outputs on {lanes} lanes"
        need(d["clear_depth"] >= rows, "clear_depth", what)

    def need_range(self, field: str, size: int, memory: str) -> None:
        depth = len(self.memories[memory])
        constraint = f"at most {depth - size} for {size} words in {memory} memory of {depth}"
        self.need(self.d[field] + size <= depth, field, constraint)

    def _directory(self) -> Ints:
        n_counts = self.n_groups * self.n_column_pairs * self.kinds
        base, uniform = self.d["directory_base"], self.d["uniform_count"]
        size = -(-n_counts // FLAGS_PER_WORD) if uniform else n_counts
        self.need_range("directory_base", size, "directory")
        counts = self.memories["directory"][base : base + size, 0].astype(np.int64)
        if uniform:
            flags = counts[:, None] >> np.arange(FLAGS_PER_WORD) & 1
            counts = uniform * flags.reshape(-1)[:n_counts]
        return counts.reshape(self.n_groups, self.n_column_pairs, self.kinds)

    @property
    def n_entries(self) -> int:
        """Entries of the layer: one more than the last one's number."""
        return int(self.counts.sum())

    def _check_tables(self) -> None:
        d = self.d
        n_entries = self.n_entries
        n_words = -(-n_entries // 2) if d["is_narrow"] else n_entries
        if n_words:
            self.need_range("coefficient_base", n_words, "coefficient")
            if d["is_indexed"]:
                self.need_range("index_base", n_words, "index")
        if not d.get("no_bias"):
            self.need_range("bias_base", d["n_out"], "bias")
        if d["per_channel_scale"]:
            self.need_range("scale_base", d["n_out"], "scale")
        if d["per_row_shift"]:
            self.need_range("row_shift_base", self.n_row_shifts, "row_shift")

    @property
    def n_row_shifts(self) -> int:
        """Words of row-shift memory: one for each row pair."""
        return self.d["padded_out"] // 2

    def addresses(self, side: str, n_pairs: int, depth: int) -> Ints:
        d = self.d
        base, stride, size = d[f"{side}_base"], d[f"{side}_stride"], d[f"n_{side}"]
        last = base + (n_pairs - 1) * stride + size - 1
        constraint = f"such that {n_pairs} pairs, {stride} apart, end below {depth}"
        self.need(last < depth, f"{side}_base", constraint)
        pairs, items = np.arange(n_pairs, dtype=np.int64), np.arange(size, dtype=np.int64)
        return base + stride * pairs[:, None] + items

    def entries(self) -> tuple[Ints, Ints, Ints]:
        """Coefficients a, b and indices of all entries of the layer, each (n_entries, n_lanes)."""
        d, n_lanes, n_entries = self.d, self.config.n_lanes, self.n_entries
        n_words = -(-n_entries // 2) if d["is_narrow"] else n_entries
        words = _bytes(self.memories["coefficient"], d["coefficient_base"], n_words)
        words = words[:, : 2 * n_lanes].reshape(n_words, n_lanes, 2)
        if d["is_narrow"]:
            words = words.transpose(0, 2, 1).reshape(-1, n_lanes)[:n_entries]
            a, b = signed(words, 4), signed(words >> 4, 4)
        else:
            a, b = signed(words[..., 0], 8), signed(words[..., 1], 8)
        if not d["is_indexed"]:
            return a, b, np.zeros_like(a)
        index = _bytes(self.memories["index"], d["index_base"], n_words)[:, :n_lanes]
        if d["is_narrow"]:
            index = np.stack([index & 15, index >> 4], 1).reshape(-1, n_lanes)[:n_entries]
        return a, b, index.astype(np.int64)


def signed(words: NDArray[Any], width: int) -> Ints:
    """The low ``width`` bits as two's complement."""
    low = words.astype(np.int64) & ((1 << width) - 1)
    return low - ((low >> (width - 1)) << width)


def _bytes(memory: NDArray[np.uint32], base: int, n_words: int) -> NDArray[np.uint8]:
    """Words ``base`` … of a memory as bytes, lowest first: (n_words, 4 * chunks)."""
    words = np.ascontiguousarray(memory[base : base + n_words]).astype("<u4")
    return words.view(np.uint8)
