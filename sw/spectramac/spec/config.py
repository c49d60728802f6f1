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

from spectramac.spec.fft_config import FFTConfig, check_range
from spectramac.spec.fixed import Format

__all__ = ["PRESETS", "AcceleratorConfig", "preset"]

ARCHITECTURE_VERSION = 3
"""Raised whenever the image, the descriptor or the arithmetic changes incompatibly."""


OUTPUT_SLOTS = 4
"""Complete outputs of a convolution that bank 1 of the accumulators holds, each in an equal part of it."""
RING_DEPTH_MIN = 64
"""Accumulator rows from which on they are in block RAM, and convolutions can be run."""


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
    log2_axis_max : int
        3 or 4: transforms of at most 8 or 16 points, and tiles of at most as many on a side, need no multipliers; 0: no
        such bound (:class:`FFTConfig`).
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
        2 overlaps successive groups (of rows, of inferences), 1 saves memory. Convolutions fill a spectrum bank with
        each pixel; with 4 of them the transform's latency is hidden.
    job_queue_depth : int
        Columns that may wait between the threshold and the lanes; a power of two.
    *_depth : int
        Words of each memory (of one bank, for ``accumulator`` and ``spectrum``).
    n_layers_max : int
        Descriptors of fully-connected layers that the descriptor memory holds; a layer over maps counts as two.
    maps : bool
        Layers over maps are run (convolution, pooling, addition). Needs parallel lanes, two banks of accumulators,
        and an ``accumulator_depth`` of at least :data:`RING_DEPTH_MIN`.
    tap_depth : int
        Accumulator rows that a pixel of a convolution may add to, in each lane; a power of two. Only with ``maps``.
    kernel_depth : int
        Coefficients of depthwise convolutions that kernel memory holds; a power of two. Only with ``maps``.
    """

    name: str = "custom"
    n_lanes: int
    lane_architecture: Literal["parallel", "serial"] = "parallel"
    log2_n_max: int = 6
    log2_axis_max: int = 0
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
    maps: bool = False
    tap_depth: int = 128
    kernel_depth: int = 2048

    activation_width = 8
    coefficient_width = 8
    narrow_coefficient_width = 4
    index_width = 8
    narrow_index_width = 4
    multiplier_width = 15
    shift_width = 5

    def __post_init__(self) -> None:
        check_range("n_lanes", self.n_lanes, 1, 64)
        check_range("log2_n_max", self.log2_n_max, 3, 10)
        check_range("data_width", self.data_width, 12, 18)
        check_range("twiddle_width", self.twiddle_width, 12, 18)
        check_range("accumulator_width", self.accumulator_width, self.data_width + 1, 40)
        for name in ("n_threshold_multipliers", "n_requantize_multipliers"):
            check_range(name, getattr(self, name), 1, 2)
        check_range("n_accumulator_banks", self.n_accumulator_banks, 1, 2)
        if self.n_spectrum_banks not in (1, 2, 4):
            raise ValueError(f"n_spectrum_banks must be 1, 2 or 4, not {self.n_spectrum_banks!r}")
        check_range("n_layers_max", self.n_layers_max, 1, 256)
        for name in (
            "job_queue_depth",
            "coefficient_depth",
            "activation_depth",
            "spectrum_depth",
            "accumulator_depth",
            "directory_depth",
            "channel_depth",
            "tap_depth",
            "kernel_depth",
        ):
            value = getattr(self, name)
            check_range(name, value, 1 if name == "job_queue_depth" else 2, 1 << 16)
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

        self._check_maps()

    def _check_maps(self) -> None:
        if not self.maps:
            return
        wanted = (
            ("lane_architecture", "parallel", self.lane_architecture),
            ("n_accumulator_banks", 2, self.n_accumulator_banks),
        )
        for name, needed, value in wanted:
            if value != needed:
                raise ValueError(f"{name} must be {needed!r} with maps, not {value!r}")
        if self.accumulator_depth < RING_DEPTH_MIN:
            raise ValueError(
                f"accumulator_depth must be at least {RING_DEPTH_MIN} with maps, "
                f"not {self.accumulator_depth!r}"
            )
        if self.tap_depth > self.accumulator_depth:
            raise ValueError(
                f"tap_depth must be at most accumulator_depth = {self.accumulator_depth}, "
                f"not {self.tap_depth!r}"
            )

    # Derived facts.

    @property
    def fft(self) -> FFTConfig:
        """Both transform cores."""
        return FFTConfig(
            log2_n_max=self.log2_n_max,
            log2_axis_max=self.log2_axis_max,
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
    def n_axis_max(self) -> int:
        """Most points of a transform in one dimension, and on a side of a tile."""
        return 1 << (self.log2_axis_max or self.log2_n_max)

    @property
    def tile_sides(self) -> tuple[int, ...]:
        """Points on a side of the tiles that can be transformed."""
        sides = range(2, self.log2_n_max // 2 + 1)
        return tuple(1 << side for side in sides if self.fft.allows(2 * side, two_d=True))

    @property
    def registered_paths(self) -> bool:
        """Whether registers cut the longest paths (behind memories, around the scheduler): more clock, more cells."""
        return self.fft_architecture == "pipelined"

    @property
    def size_width(self) -> int:
        """Bits of a layer's number of inputs or outputs, padded to whole blocks."""
        # A tile's channels are transformed one after the other: together they may be larger than the memories.
        return max((self.activation_depth + self.n_max).bit_length(), 16 if self.maps else 0)

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
        elif self.log2_axis_max:
            per_fft = 0
        else:
            per_fft = 3 * ((self.log2_n_max - 1) // 2)
        return {
            "lanes": 2 if self.is_serial else 4 * self.n_lanes,
            "forward_fft": per_fft,
            "inverse_fft": per_fft,
            "threshold": self.n_threshold_multipliers,
            "requantize": self.n_requantize_multipliers,
            **({"window": 2} if self.maps else {}),
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
        accumulator_depth=16,
        directory_depth=4096,
        job_queue_depth=8,
    ),
    "conv": AcceleratorConfig(
        name="conv",
        n_lanes=8,
        log2_n_max=8,
        log2_axis_max=4,
        maps=True,
        n_spectrum_banks=4,
        job_queue_depth=8,
        coefficient_depth=4096,
        activation_depth=1 << 16,
        accumulator_depth=256,
        kernel_depth=4096,
        n_layers_max=64,
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
