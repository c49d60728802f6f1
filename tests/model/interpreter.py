# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A one-layer program read word by word and added up in plain integers, written from docs/design.md.

Split, threshold, FFT and merge are the model's own (they have their own tests); memories, directory,
entries, rows, order of additions and row placement are not.
"""

from collections.abc import Iterator

import numpy as np

from spectramac.model.fft import fft
from spectramac.model.fixed import Ints, round_shift, saturate
from spectramac.model.image import Chunks
from spectramac.model.spectrum import merge, pair_map, split, threshold
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fixed import Format

__all__ = ["interpret"]

Step = tuple[int, int, int]
"""Which sum of a row (0: a, 1: b), coefficient, which column of the pair."""


class _Program:
    def __init__(self, config: AcceleratorConfig, memories: dict[str, Chunks]) -> None:
        self.config = config
        self.memories = memories
        self.d = descriptors.decode(memories["descriptor"][: descriptors.WORDS, 0].tolist())
        d = self.d
        self.n = 1 << d["in_log2_n"] if d["in_log2_n"] else 2
        self.m = 1 << d["out_log2_n"] if d["out_log2_n"] else 2
        self.kinds = 3 if d["is_complex"] else 2
        self.n_groups = -(-d["padded_out"] // d["group_out"])

    def word(self, memory: str, address: int) -> int:
        chunks = self.memories[memory][address]
        return sum(int(chunk) << (32 * i) for i, chunk in enumerate(chunks))

    def entry(self, e: int, lane: int) -> tuple[int, int, int]:
        d = self.d
        half, address = (e % 2, e // 2) if d["is_narrow"] else (0, e)
        width = 4 if d["is_narrow"] else 8
        word = self.word("coefficient", d["coefficient_base"] + address) >> (16 * lane + 8 * half)
        index = 0
        if d["is_indexed"]:
            index = self.word("index", d["index_base"] + address) >> (8 * lane + 4 * half)
        return _signed(word, width), _signed(word >> width, width), index & ((1 << width) - 1)

    def count(self, n: int) -> int:
        """Entries of column n of the directory."""
        base, uniform = self.d["directory_base"], self.d["uniform_count"]
        if not uniform:
            return self.word("directory", base + n)
        return uniform if self.word("directory", base + n // 8) >> n % 8 & 1 else 0

    def steps(self, kind: int, a: int, b: int) -> list[Step]:
        if self.kinds == 2:
            return [(0, a, kind), (1, b, kind)]
        if kind:
            return [(0, a, kind - 1), (1, b, kind - 1)]
        return [(0, a, 0), (1, b, 0), (0, -b, 1), (1, a, 1)]

    def additions(self, group: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Row, lane, sum, coefficient and column of every addition of a group, in order."""
        d = self.d
        n_column_pairs = d["padded_in"] // 2
        per_frame = self.n // 2 if d["in_log2_n"] else n_column_pairs
        e = 0
        for word in range((group + 1) * n_column_pairs * self.kinds):
            count = self.count(word)
            g, rest = divmod(word, n_column_pairs * self.kinds)
            pair, kind = divmod(rest, self.kinds)
            rows = [(pair % per_frame) * d["column_stride"] - 1] * self.config.n_lanes
            for i in range(e, e + count if g == group else e):
                for lane in range(self.config.n_lanes):
                    a, b, index = self.entry(i, lane)
                    rows[lane] += 1 + index
                    for which, coefficient, column in self.steps(kind, a, b):
                        yield rows[lane], lane, which, coefficient, 2 * pair + column
            e += count

    def columns(self, pair: int) -> Ints:
        """Columns (2, padded_in) of a pair of inferences."""
        d = self.d
        z = np.zeros((2, d["padded_in"]), np.int64)
        for i in range(d["n_in"]):
            word = self.word("activation", d["in_base"] + pair * d["in_stride"] + i)
            z[:, i] = _signed(word, 8), _signed(word >> 8, 8)
        two_d = bool(d["in_two_d"])
        re, im = z.reshape(2, -1, self.n)
        if d["in_log2_n"]:
            log2_n, halve = d["in_log2_n"], d["halve_in"]
            spectrum = fft(re, im, config=self.config.fft, log2_n=log2_n, two_d=two_d, halve=halve)
            re, im = spectrum.re, spectrum.im
        u = np.stack(split(re, im, self.n, two_d))
        level = d["level_low"] | d["level_high"] << 32
        return threshold(u, self.n, two_d, level)[0].reshape(2, -1)

    def place(self, rho: int) -> tuple[int, int]:
        """Row and lane of a row pair of a group."""
        n_lanes, stride = self.config.n_lanes, self.d["column_stride"]
        if not self.d["bin_major"]:
            return rho // n_lanes, rho % n_lanes
        block, s = divmod(rho, self.m // 2)
        return s * stride + block // n_lanes, block % n_lanes

    def outputs(self, v: Ints, channel: int) -> Ints:
        """Outputs (2, m) of one block from its row sums (2, m); ``channel`` is its first."""
        d = self.d
        two_d = bool(d["out_two_d"])
        z = np.stack(merge(v[0], v[1], self.m, two_d))
        pairs = pair_map(self.m, two_d)
        for s in range(self.m // 2):
            shift = d["row_shift"]
            if d["per_row_shift"]:
                shift = self.word("row_shift", d["row_shift_base"] + channel // 2 + s)
            for k in (pairs.first[s], pairs.second[s]):
                z[:, k], _ = saturate(round_shift(z[:, k], shift), self.config.data)
        if d["out_log2_n"]:
            log2_n, halve, fft_config = d["out_log2_n"], d["halve_out"], self.config.fft
            result = fft(
                z[0], z[1], config=fft_config, log2_n=log2_n, two_d=two_d, inverse=True, halve=halve
            )
            z = np.stack([result.re, result.im])
        for i in range(min(self.m, max(0, d["n_out"] - channel))):
            c = channel + i
            bias = _signed(self.word("bias", d["bias_base"] + c), self.config.data_width)
            multiplier, shift = d["multiplier"], d["shift"]
            if d["per_channel_scale"]:
                shift, multiplier = divmod(self.word("scale", d["scale_base"] + c), 1 << 15)
            scaled = (z[:, i] + bias) * multiplier
            scaled = np.maximum(scaled, 0) if d["relu"] else scaled
            z[:, i], _ = saturate(round_shift(scaled, shift), Format(8))
        return z


def _signed(word: int, width: int) -> int:
    value = word & ((1 << width) - 1)
    return value - (1 << width) if value >> (width - 1) else value


def interpret(
    config: AcceleratorConfig, memories: dict[str, Chunks], n_pairs: int
) -> tuple[Ints, bool]:
    """Run layer 0: outputs (batch, n_out), and whether an accumulator saturated."""
    program = _Program(config, memories)
    d, m, limit = program.d, program.m, config.accumulator
    saturated = False
    columns = [program.columns(pair).tolist() for pair in range(n_pairs)]
    y = np.zeros((n_pairs, 2, d["padded_out"]), np.int64)
    for group in range(program.n_groups):
        sums: dict[tuple[int, int, int, int, int], int] = {}
        for row, lane, which, coefficient, column in program.additions(group):
            for pair in range(n_pairs):
                for inference in range(2):
                    key = row, lane, which, pair, inference
                    total = sums.get(key, 0) + coefficient * columns[pair][inference][column]
                    sums[key] = min(max(total, limit.minimum), limit.maximum)
                    saturated |= sums[key] != total
        start = group * d["group_out"]
        for first in range(start, min(start + d["group_out"], d["padded_out"]), m):
            for pair in range(n_pairs):
                v = np.zeros((2, m), np.int64)
                for i in range(m):
                    row, lane = program.place((first - start + i) // 2)
                    for inference in range(2):
                        v[inference, i] = sums.get((row, lane, i % 2, pair, inference), 0)
                y[pair, :, first : first + m] = program.outputs(v, first)
    return y.reshape(2 * n_pairs, -1)[:, : d["n_out"]], saturated
