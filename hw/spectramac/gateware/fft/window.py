# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A window in front of the transform."""

from collections.abc import Sequence
from typing import Any

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.chain import Chain
from spectramac.gateware.fft.control import ports
from spectramac.gateware.fft.device import BlockRAM, Multiplier
from spectramac.gateware.fft.narrow import Narrow
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import Narrowing
from spectramac.spec.timing import WINDOW_LATENCY, fft_latency

__all__ = ["Window", "WindowedFFT", "check_coefficients"]


def check_coefficients(config: FFTConfig, coefficients: Sequence[int]) -> tuple[int, ...]:
    """The coefficients of a :class:`Window`, as Python integers.

    Raises
    ------
    ValueError
        If the scaling is another than halving or growth, with several samples a clock, or if their number or one of
        them is out of range.
    """
    if config.scaling not in ("halving", "growth"):
        raise ValueError(
            f"scaling must be 'halving' or 'growth' with a window, not {config.scaling!r}"
        )
    config.check_one_sample("a window")
    if len(coefficients) != config.n_max:
        raise ValueError(f"coefficients must be {config.n_max} numbers, not {len(coefficients)}")
    one = 1 << config.twiddle.fraction
    for value in coefficients:
        if not -one // 2 <= value <= one:
            raise ValueError(f"coefficients must be from {-one // 2} to {one}, not {value!r}")
    return tuple(int(value) for value in coefficients)


class Window(wiring.Component):
    """Samples times the coefficients of their places, rounded once, half to even.

    Coefficients come from block RAM. No product is larger than the sample, so nothing overflows.

    Latency is :data:`spectramac.spec.timing.WINDOW_LATENCY`; one sample a cycle, two multipliers, nothing waits.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Fixed.
    coefficients : sequence of int
        One for each sample of a frame, in the format of the twiddle factors, from -1/2 to 1.
    technology : str
        See :class:`BlockRAM`.

    Members
    -------
    valid : :py:`In(1)`
    index : :py:`In(config.log2_n_max)`
        Number of the sample in its frame.
    re, im : :py:`In(signed(config.data_width))`
    out_valid : :py:`Out(1)`
    out_re, out_im : :py:`Out(signed(config.data_width))`

    References
    ----------
    :func:`spectramac.model.window.apply_window`
    """

    def __init__(
        self, config: FFTConfig, coefficients: Sequence[int], *, technology: str = "generic"
    ) -> None:
        self.config = config
        self.coefficients = check_coefficients(config, coefficients)
        self.technology = technology
        part = signed(config.data_width)
        super().__init__(
            {
                "valid": In(1),
                "index": In(config.log2_n_max),
                "re": In(part),
                "im": In(part),
                "out_valid": Out(1),
                "out_re": Out(part),
                "out_im": Out(part),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, width = self.config, self.config.twiddle_width
        m.submodules.rom = rom = BlockRAM(
            width,
            config.n_max,
            init=[value & (1 << width) - 1 for value in self.coefficients],
            technology=self.technology,
        )
        narrowing = Narrowing(config.twiddle.fraction, config.data_width, False)
        m.submodules.narrow = narrow = Narrow(config.data_width + width, narrowing)
        m.d.comb += [
            rom.read_address.eq(self.index),
            self.out_valid.eq(delayed(m, self.valid, WINDOW_LATENCY, "valid", reset=True)),
        ]
        for name in ("re", "im"):
            multiplier = Multiplier(config.data_width, width, technology=self.technology)
            m.submodules[f"times_{name}"] = multiplier
            m.d.comb += [
                multiplier.a.eq(delayed(m, getattr(self, name), BlockRAM.latency, name)),
                multiplier.b.eq(rom.read_data.as_signed()),
                getattr(narrow, name).eq(multiplier.p),
                getattr(self, f"out_{name}").eq(getattr(narrow, f"out_{name}")),
            ]
        return m


class WindowedFFT(wiring.Component):
    """Fast Fourier transform of frames times a window.

    :class:`Window` in front of :class:`PipelinedFFT`, whose streams, rate and flags it has. Latency is
    :data:`spectramac.spec.timing.WINDOW_LATENCY` more. All outputs depend on registers only.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Of the transform, fixed.
    coefficients : sequence of int
        See :class:`Window`.
    technology, small_roms_in_logic
        See :class:`StreamedFFT`.

    Members
    -------
    i, o, overflow, framing_error
        See :class:`StreamedFFT`.
    """

    def __init__(
        self,
        config: FFTConfig,
        coefficients: Sequence[int],
        *,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        self.config = config
        self.window = Window(config, coefficients, technology=technology)
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(ports(config))

    @property
    def latency(self) -> int:
        """Cycles from the first sample of a frame taken to its first bin offered."""
        return fft_latency(self.config, self.config.log2_n_max) + WINDOW_LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        chain = Chain(m, self)
        m.submodules.window = window = self.window
        data = self.i.payload.data
        m.d.comb += [
            window.valid.eq(chain.accept),
            window.index.eq(chain.control.index),
            window.re.eq(data.re),
            window.im.eq(data.im),
        ]
        chain.feed(m, window.out_valid, window.out_re, window.out_im)
        bins = chain.core.o
        result = Signal(bins.payload.shape())
        m.d.comb += result.eq(bins.payload)
        chain.finish(m, self, bins.valid, result, latency=WINDOW_LATENCY)
        return m
