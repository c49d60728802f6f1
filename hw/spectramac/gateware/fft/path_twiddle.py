# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Twiddle products of the transform of several samples a clock."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.butterfly import Announcement
from spectramac.gateware.fft.control import is_square
from spectramac.gateware.fft.path_product import EighthTwiddle, PathTwiddle
from spectramac.gateware.fft.paths import Words
from spectramac.model.fft_paths import multiplied_paths, path_exponents
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan
from spectramac.spec.timing import twiddle_latency

__all__ = ["ParallelTwiddle"]


class ParallelTwiddle(wiring.Component):
    """Multiplication of words by the twiddle factors of the pair of stages that ends with stage ``m``.

    Sample ``n = t*n_paths + k`` of a frame, in path k, has the factor that :class:`Twiddle` gives it. A path has a
    table of its own, by the word's number t in a block. In two dimensions low bits of the index i are cleared: those
    of t in the address; for those of k the path has a second table.

    Paths whose factors are all eighths of the circle take no multiplier, the others three. Latency is
    :func:`spectramac.spec.timing.twiddle_latency`.

    Parameters
    ----------
    config : :class:`FFTConfig`
    stage : StagePlan
        With a product.
    n_paths : int
        Samples a word.
    lead : int
        Cycles from ``early`` to the word at ``i``, at least 1.
    technology : str
        See :class:`BlockRAM`.
    small_roms_in_logic : bool
        Factors are made of logic cells if there are no more than 64; otherwise, if no more than 16.

    Members
    -------
    early : :func:`Announcement`
    i, o : :func:`Words`
    overflow : :py:`Out(1)`
    """

    def __init__(
        self,
        config: FFTConfig,
        stage: StagePlan,
        n_paths: int,
        *,
        lead: int,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        self.config = config
        self.stage = stage
        self.n_paths = n_paths
        self.lead = lead
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(
            {
                "early": In(Announcement(config)),
                "i": In(Words(config, stage.butterfly_width, n_paths)),
                "o": Out(Words(config, stage.output_width, n_paths)),
                "overflow": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from ``i`` to ``o``."""
        return twiddle_latency(self.stage)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        own, with_square = self._addresses(m)
        flags, multiplied = [], multiplied_paths(self.config, self.stage)
        for k in range(self.n_paths):
            exponents = path_exponents(self.config, self.stage, k)
            kind = PathTwiddle if k in multiplied else EighthTwiddle
            address = with_square if len(exponents) > 1 << len(own) else own
            path = kind(
                self.config,
                self.stage,
                exponents,
                address,
                lead=self.lead,
                technology=self.technology,
                small_roms_in_logic=self.small_roms_in_logic,
            )
            m.submodules[f"path{k}"] = path
            m.d.comb += [
                path.i.valid.eq(self.i.valid),
                path.i.re.eq(self.i.re[k]),
                path.i.im.eq(self.i.im[k]),
                self.o.re[k].eq(path.o.re),
                self.o.im[k].eq(path.o.im),
            ]
            flags.append(path.overflow)
        m.d.comb += [
            self.overflow.eq(Cat(flags).any()),
            self.o.valid.eq(delayed(m, self.i.valid, self.latency, "valid", reset=True)),
            self.o.first.eq(delayed(m, self.i.first, self.latency, "first", reset=True)),
        ]
        if not self.config.is_fixed:
            m.d.comb += self.o.control.eq(delayed(m, self.i.control, self.latency, "control"))
        return m

    def _addresses(self, m: Module) -> tuple[Any, Any]:
        """ROM addresses of the announced word: without and with the choice of the second table."""
        stage = self.stage
        log2_paths = self.n_paths.bit_length() - 1
        top = stage.m == self.config.log2_n_max
        n_bits = max(stage.m - log2_paths, 0)  # of t below p
        n_i = max(n_bits - 1, 0)  # of t in i
        index = Signal(n_bits + (not top))
        now = Signal.like(index)
        m.d.comb += now.eq(Mux(self.early.first, 0, index))
        with m.If(self.early.valid):
            m.d.sync += index.eq(now + 1)
        if self.config.is_fixed:
            return now, now
        clear_i: Any = Const(0, n_i)
        clear_p: Any = Const(0, 1)
        square: Any = Const(0, 1)
        for log2_t in range(2, self.config.log2_n_max // 2 + 1):
            here = is_square(self.early.control, log2_t)
            if log2_t == stage.m:
                clear_p = clear_p | here
            elif log2_t < stage.m:
                square = square | here
                low = (1 << max(log2_t - log2_paths, 0)) - 1
                clear_i = clear_i | Mux(here, low, 0)
        chosen = Cat(now[:n_i] & ~clear_i[:n_i], now[n_i:n_bits], now[n_bits:] & ~clear_p)
        return chosen, Cat(chosen, square)
