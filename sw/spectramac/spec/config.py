# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Configuration of one accelerator instance: what is fixed when the Verilog is made.

Everything that a network may choose at run time (transforms, sizes, thresholds, scales, patterns) is in the
layer descriptor instead (:mod:`spectramac.spec.descriptor`).
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from spectramac.spec.fixed import Format

__all__ = ["PRESETS", "AcceleratorConfig", "FFTConfig", "preset"]

ARCHITECTURE_VERSION = 1
"""Raised whenever the image, the descriptor or the arithmetic changes incompatibly."""


def _check_range(name: str, value: int, low: int, high: int) -> None:
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
    samples_per_clock: int = 1

    log2_n_range = (3, 13)
    data_width_range = (8, 24)
    twiddle_width_range = (8, 18)

    def __post_init__(self) -> None:
        _check_range("log2_n_max", self.log2_n_max, *self.log2_n_range)
        _check_range("data_width", self.data_width, *self.data_width_range)
        _check_range("twiddle_width", self.twiddle_width, *self.twiddle_width_range)
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
        _check_range("log2_columns", self.log2_columns, 0, self.log2_n_max)
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
        _check_range("headroom", self.headroom, 0, 1)
        if self.headroom and (self.scaling != "halving" or self.log2_columns):
            raise ValueError(
                "headroom must be 0 unless scaling is 'halving' in one dimension, "
                f"not {self.headroom!r}"
            )
        self._check_samples_per_clock()

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


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """One accelerator instance.

    Parameters
    ----------
    name : str
        Preset name, for people; not part of the identity.
    n_lanes : int
        Multiply-accumulate lanes; each is a 2x2 outer product (4 multipliers, or 2 if serial).
    lane_architecture : str
        ``"parallel"``: an entry a clock in every lane. ``"serial"``: one lane with two multipliers, two clocks an
        entry, and everything between the transforms works on one pair at a time; same arithmetic, few logic cells.
        Needs one lane, the iterative FFT, one bank and one multiplier of each kind.
    log2_n_max : int
        Largest transform, in both directions.
    data_width : int
        Bits of a spectral value's re and im in the FFTs.
    twiddle_width : int
        Bits of a twiddle factor.
    accumulator_width : int
        Bits of each accumulator; sums saturate and raise a sticky flag.
    fft_architecture : str
        See :class:`FFTConfig`.
    n_threshold_multipliers : int
        1 (four clocks a column pair) or 2 (two clocks a column pair).
    n_requantize_multipliers : int
        1 (two clocks an output) or 2 (one clock an output).
    n_accumulator_banks, n_spectrum_banks : int
        2 overlaps successive groups (of rows, of inferences), 1 saves memory.
    job_queue_depth : int
        Columns that may wait between the threshold and the lanes; a power of two.
    *_depth : int
        Words of each memory (of one bank, for ``accumulator`` and ``spectrum``).
    n_layers_max : int
        Descriptors that the descriptor memory holds.
    """

    name: str = "custom"
    n_lanes: int
    lane_architecture: Literal["parallel", "serial"] = "parallel"
    log2_n_max: int = 6
    data_width: int = 16
    twiddle_width: int = 16
    accumulator_width: int = 27
    fft_architecture: Literal["pipelined", "iterative"] = "pipelined"
    n_threshold_multipliers: int = 2
    n_requantize_multipliers: int = 2
    n_accumulator_banks: int = 2
    n_spectrum_banks: int = 2
    job_queue_depth: int = 4
    coefficient_depth: int = 1024
    activation_depth: int = 4096
    spectrum_depth: int = 1024
    accumulator_depth: int = 64
    directory_depth: int = 2048
    channel_depth: int = 1024
    n_layers_max: int = 16

    activation_width = 8
    coefficient_width = 8
    narrow_coefficient_width = 4
    index_width = 8
    narrow_index_width = 4
    multiplier_width = 15
    shift_width = 5

    def __post_init__(self) -> None:
        _check_range("n_lanes", self.n_lanes, 1, 64)
        _check_range("log2_n_max", self.log2_n_max, 3, 10)
        _check_range("data_width", self.data_width, 12, 18)
        _check_range("twiddle_width", self.twiddle_width, 12, 18)
        _check_range("accumulator_width", self.accumulator_width, self.data_width + 1, 40)
        for name in ("n_threshold_multipliers", "n_requantize_multipliers"):
            _check_range(name, getattr(self, name), 1, 2)
        for name in ("n_accumulator_banks", "n_spectrum_banks"):
            _check_range(name, getattr(self, name), 1, 2)
        _check_range("n_layers_max", self.n_layers_max, 1, 256)
        for name in (
            "job_queue_depth",
            "coefficient_depth",
            "activation_depth",
            "spectrum_depth",
            "accumulator_depth",
            "directory_depth",
            "channel_depth",
        ):
            value = getattr(self, name)
            _check_range(name, value, 1 if name == "job_queue_depth" else 2, 1 << 16)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if self.spectrum_depth < self.n_max:
            raise ValueError(
                f"spectrum_depth must be at least one frame of {self.n_max}, "
                f"not {self.spectrum_depth!r}"
            )
        if self.fft_architecture == "pipelined" and self.n_requantize_multipliers != 2:
            raise ValueError(
                "n_requantize_multipliers must be 2 with the pipelined FFT, which gives one sample "
                f"a cycle, not {self.n_requantize_multipliers!r}"
            )
        FFTConfig.__post_init__(self.fft)
        if self.lane_architecture not in ("parallel", "serial"):
            raise ValueError(
                f"lane_architecture must be 'parallel' or 'serial', not {self.lane_architecture!r}"
            )
        if self.is_serial:
            if self.fft_architecture != "iterative":
                raise ValueError(
                    "fft_architecture must be 'iterative' with serial lanes, "
                    f"not {self.fft_architecture!r}"
                )
            for name in (
                "n_lanes",
                "n_threshold_multipliers",
                "n_requantize_multipliers",
                "n_accumulator_banks",
                "job_queue_depth",
            ):
                if getattr(self, name) != 1:
                    raise ValueError(
                        f"{name} must be 1 with serial lanes, not {getattr(self, name)!r}"
                    )

    # Derived facts.

    @property
    def fft(self) -> FFTConfig:
        """Both transform cores."""
        return FFTConfig(
            log2_n_max=self.log2_n_max,
            data_width=self.data_width,
            twiddle_width=self.twiddle_width,
            architecture=self.fft_architecture,
        )

    @property
    def is_serial(self) -> bool:
        """Whether one lane works on one value at a time."""
        return self.lane_architecture == "serial"

    @property
    def n_max(self) -> int:
        """Largest transform length."""
        return 1 << self.log2_n_max

    @property
    def registered_paths(self) -> bool:
        """Whether registers cut the longest paths (behind memories, around the scheduler): more clock, more cells."""
        return self.fft_architecture == "pipelined"

    @property
    def size_width(self) -> int:
        """Bits of a layer's number of inputs or outputs, padded to whole blocks."""
        return (self.activation_depth + self.n_max).bit_length()

    @property
    def column_width(self) -> int:
        """Bits of a column value after the split: a sum or difference of two spectral values."""
        return self.data_width + 1

    @property
    def level_width(self) -> int:
        """Bits of the threshold level, unsigned: it is compared with a sum of two squares.

        Columns are compared doubled where they are not already (:mod:`spectramac.model.spectrum`).
        """
        return 2 * self.column_width

    @property
    def activation(self) -> Format:
        """Format of one activation."""
        return Format(self.activation_width)

    @property
    def data(self) -> Format:
        """Format of a spectral value's re and im."""
        return Format(self.data_width)

    @property
    def column(self) -> Format:
        """Format of a column value."""
        return Format(self.column_width)

    @property
    def accumulator(self) -> Format:
        """Format of an accumulator."""
        return Format(self.accumulator_width)

    @property
    def bias(self) -> Format:
        """Format of a bias, in units of the value before requantization."""
        return Format(self.data_width)

    @property
    def scale_width(self) -> int:
        """Bits of a per-channel scale word: shift above multiplier."""
        return self.multiplier_width + self.shift_width

    @property
    def row_pairs_max(self) -> int:
        """Row pairs of one group: what one accumulator bank holds over all lanes."""
        return self.n_lanes * self.accumulator_depth

    @property
    def multipliers(self) -> dict[str, int]:
        """Hardware multipliers by place (a complex product takes three in the pipelined FFT)."""
        if self.fft_architecture == "iterative":
            per_fft = 1
        else:
            per_fft = 3 * ((self.log2_n_max - 1) // 2)
        return {
            "lanes": 2 if self.is_serial else 4 * self.n_lanes,
            "forward_fft": per_fft,
            "inverse_fft": per_fft,
            "threshold": self.n_threshold_multipliers,
            "requantize": self.n_requantize_multipliers,
        }

    @property
    def n_multipliers(self) -> int:
        """All hardware multipliers."""
        return sum(self.multipliers.values())

    def identity(self) -> dict[str, Any]:
        """Everything that software must agree on with the gateware."""
        fields = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "name"
        }
        return {"architecture_version": ARCHITECTURE_VERSION, **fields}

    @property
    def build_id(self) -> int:
        """32-bit hash of :meth:`identity`; read back from the hardware before anything is loaded."""
        text = json.dumps(self.identity(), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

    def replace(self, **changes: Any) -> "AcceleratorConfig":
        """A copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)


PRESETS: dict[str, AcceleratorConfig] = {
    "tiny": AcceleratorConfig(
        name="tiny",
        n_lanes=1,
        lane_architecture="serial",
        data_width=15,
        accumulator_width=24,
        fft_architecture="iterative",
        n_threshold_multipliers=1,
        n_requantize_multipliers=1,
        n_accumulator_banks=1,
        n_spectrum_banks=1,
        job_queue_depth=1,
        coefficient_depth=16384,
        activation_depth=1024,
        spectrum_depth=256,
        accumulator_depth=256,
        directory_depth=1024,
        channel_depth=512,
        n_layers_max=8,
    ),
    "small": AcceleratorConfig(
        name="small",
        n_lanes=3,
        coefficient_depth=2048,
        activation_depth=4096,
        accumulator_depth=256,
    ),
    "large": AcceleratorConfig(
        name="large",
        n_lanes=24,
        log2_n_max=8,
        activation_depth=8192,
        accumulator_depth=32,
        directory_depth=4096,
        job_queue_depth=8,
    ),
}


def preset(name: str) -> AcceleratorConfig:
    """The preset called ``name``.

    Raises
    ------
    ValueError
        If there is none; the message lists them.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {name!r}") from None
