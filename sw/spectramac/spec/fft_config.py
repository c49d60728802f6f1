# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Configuration of one Fourier transform core: what is fixed when the Verilog is made."""

from dataclasses import dataclass
from typing import Literal

from spectramac.spec.fixed import Format

__all__ = ["FFTConfig", "check_range"]


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse, with ValueError, a field ``name`` that is not an integer from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class FFTConfig:
    """One fast Fourier transform core.

    Parameters
    ----------
    log2_n_max : int
        Largest transform is ``2**log2_n_max`` points; the smallest is 8.
    data_width : int
        Bits of each of re and im, at the input, between stages and at the output.
    twiddle_width : int
        Bits of a twiddle factor, format ``sQ2.(twiddle_width-2)``: 1.0 and -j are exact.
    architecture : str
        ``"pipelined"``: one sample a clock. ``"iterative"``: one butterfly engine, one multiplier,
        same arithmetic, many clocks a frame.
    scaling : str
        ``"per_stage"``: the size, direction and dimension of a frame and the stages that halve are chosen at run time.
        The others are one forward transform of ``2**log2_n_max`` points, pipelined. ``"halving"``: X/N with a guard
        bit, least noise of a fixed scale. ``"growth"``: X with all bits. ``"block"``: block floating point,
        ``data_width`` bits and one exponent for the frame. See :mod:`spectramac.spec.fft_plan`.
    order : str
        Of the results: ``"bit_reversed"``, or, with a fixed scaling and 16 points or more, ``"natural"``, for which the
        queue behind the pipeline holds four frames (as it does with ``"block"`` in either order).
    log2_columns : int
        With a fixed scaling: frames are tiles of ``2**log2_columns`` columns and as many rows as make
        ``2**log2_n_max`` points, at least 4 of each, transformed in two dimensions. 0: one dimension.
    headroom : int
        1, with scaling ``"halving"`` and one dimension: the result has an integer bit more than the input, and nothing
        can overflow. 0: it has as many bits, and saturates.
    log2_axis_max : int
        With scaling ``"per_stage"``, pipelined: the largest transform in one dimension, and the largest side of a
        tile in two, have ``2**log2_axis_max`` points, 8 or 16. Then all factors are sixteenths of the circle, and
        products are made of additions, without multipliers. 0: no such bound.
    samples_per_clock : int
        1, 2, 4 or 8: as many samples in each word of the streams. More than 1 only in a pipelined transform that gives
        bit-reversed order, in one dimension or what is chosen at run time, and not with ``"block"``.
    """

    log2_n_max: int
    data_width: int = 16
    twiddle_width: int = 16
    architecture: Literal["pipelined", "iterative"] = "pipelined"
    scaling: Literal["per_stage", "halving", "growth", "block"] = "per_stage"
    order: Literal["bit_reversed", "natural"] = "bit_reversed"
    log2_columns: int = 0
    headroom: int = 0
    log2_axis_max: int = 0
    samples_per_clock: int = 1

    log2_n_range = (3, 13)
    data_width_range = (8, 24)
    twiddle_width_range = (8, 18)

    def __post_init__(self) -> None:
        check_range("log2_n_max", self.log2_n_max, *self.log2_n_range)
        check_range("data_width", self.data_width, *self.data_width_range)
        check_range("twiddle_width", self.twiddle_width, *self.twiddle_width_range)
        if self.architecture not in ("pipelined", "iterative"):
            raise ValueError(
                f"architecture must be 'pipelined' or 'iterative', not {self.architecture!r}"
            )
        if self.scaling not in ("per_stage", "halving", "growth", "block"):
            raise ValueError(
                f"scaling must be 'per_stage', 'halving', 'growth' or 'block', not {self.scaling!r}"
            )
        if self.scaling != "per_stage" and self.architecture != "pipelined":
            raise ValueError(
                f"scaling must be 'per_stage' in the iterative transform, not {self.scaling!r}"
            )
        if self.order not in ("bit_reversed", "natural"):
            raise ValueError(f"order must be 'bit_reversed' or 'natural', not {self.order!r}")
        if self.order == "natural" and (self.scaling == "per_stage" or self.log2_n_max < 4):
            raise ValueError(
                "order must be 'bit_reversed' with scaling 'per_stage' or fewer than 16 points, "
                f"not {self.order!r}"
            )
        check_range("log2_columns", self.log2_columns, 0, self.log2_n_max)
        if self.log2_columns and self.scaling == "per_stage":
            raise ValueError(
                "log2_columns must be 0 with scaling 'per_stage', where the dimension is chosen at run time, "
                f"not {self.log2_columns!r}"
            )
        if self.log2_columns and not 2 <= self.log2_columns <= self.log2_n_max - 2:
            raise ValueError(
                f"log2_columns must be 0 or from 2 to {self.log2_n_max - 2}, for at least 4 columns and rows, "
                f"not {self.log2_columns!r}"
            )
        check_range("headroom", self.headroom, 0, 1)
        if self.headroom and (self.scaling != "halving" or self.log2_columns):
            raise ValueError(
                "headroom must be 0 unless scaling is 'halving' in one dimension, "
                f"not {self.headroom!r}"
            )
        if self.log2_axis_max:
            self._check_axis()
        self._check_samples_per_clock()

    def _check_axis(self) -> None:
        check_range("log2_axis_max", self.log2_axis_max, 3, 4)
        if self.is_fixed or self.architecture != "pipelined":
            raise ValueError(
                "log2_axis_max must be 0 unless the transform is pipelined with scaling 'per_stage', "
                f"not {self.log2_axis_max!r}"
            )
        self.check_one_sample(f"log2_axis_max {self.log2_axis_max!r}")
        sizes = (self.log2_axis_max, 2 * self.log2_axis_max)
        if self.log2_n_max not in sizes:
            raise ValueError(
                f"log2_n_max must be {sizes[0]} or {sizes[1]} with log2_axis_max {self.log2_axis_max!r}, "
                f"not {self.log2_n_max!r}"
            )

    def _check_samples_per_clock(self) -> None:
        n = self.samples_per_clock
        if isinstance(n, bool) or not isinstance(n, int) or n not in (1, 2, 4, 8):
            raise ValueError(f"samples_per_clock must be 1, 2, 4 or 8, not {n!r}")
        alone = {"architecture": "iterative", "scaling": "block", "order": "natural"}
        for name, value in alone.items():
            if getattr(self, name) == value:
                self.check_one_sample(f"{name} {value!r}")
        if self.log2_columns:
            self.check_one_sample(f"log2_columns {self.log2_columns!r}")

    @property
    def n_max(self) -> int:
        """Largest transform length."""
        return 1 << self.log2_n_max

    def check_one_sample(self, where: str) -> None:
        """Refuse several samples a clock.

        Raises
        ------
        ValueError
            If ``samples_per_clock`` is not 1; ``where`` is what cannot be built around such a transform.
        """
        if self.samples_per_clock != 1:
            raise ValueError(
                f"samples_per_clock must be 1 with {where}, not {self.samples_per_clock!r}"
            )

    def allows(self, log2_n: int, two_d: bool) -> bool:
        """Whether a frame of ``2**log2_n`` samples may be transformed, with the dimension chosen at run time."""
        if not self.log2_n_range[0] <= log2_n <= self.log2_n_max or (two_d and log2_n % 2):
            return False
        axis = log2_n // 2 if two_d else log2_n
        return not self.log2_axis_max or axis <= self.log2_axis_max

    @property
    def reversed_fields(self) -> tuple[int, ...]:
        """Bits of the fields of a result's place, lowest first, that are each in reverse order.

        One dimension: the bin's number. Two: that of the column, then that of the row.
        """
        if self.log2_columns:
            return (self.log2_columns, self.log2_n_max - self.log2_columns)
        return (self.log2_n_max,)

    @property
    def is_fixed(self) -> bool:
        """Whether size, direction, dimension and scaling are settled when the Verilog is made."""
        return self.scaling != "per_stage"

    @property
    def data(self) -> Format:
        """Format of re and of im at the input."""
        return Format(self.data_width)

    @property
    def output(self) -> Format:
        """Format of re and of im at the output."""
        if self.scaling == "growth":
            # One bit more if a product may turn a value from the diagonal of the complex plane to an axis.
            turns = self.log2_n_max > 2 and (self.log2_n_max, self.log2_columns) != (4, 2)
            return Format(self.data_width + self.log2_n_max + turns)
        return Format(self.data_width + self.headroom)

    @property
    def twiddle(self) -> Format:
        """Format of the real and of the imaginary part of a twiddle factor."""
        return Format(self.twiddle_width, self.twiddle_width - 2)
