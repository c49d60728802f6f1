# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Butterfly stages of the transform of several samples a clock: in each path by delay feedback, and between paths."""

import dataclasses
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.butterfly import Announcement, Butterfly
from spectramac.gateware.fft.control import control_layout, is_square
from spectramac.gateware.fft.narrow import Narrow
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan
from spectramac.spec.timing import butterfly_latency, delay_storage

__all__ = ["CrossButterfly", "PathButterfly", "Words"]


def Words(config: FFTConfig, width: int, n_paths: int) -> wiring.Signature:  # noqa: N802 (reads as a class)
    """``n_paths`` samples a cycle without handshake: ``re[k]``, ``im[k]`` where ``valid``.

    Word ``t`` of a frame has samples ``t*n_paths`` to ``t*n_paths + n_paths - 1``, in order. ``first`` marks the
    first word of a frame. ``control`` is that of the frame, constant from its first word until the first of the next.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "first": Out(1),
            "re": Out(signed(width)).array(n_paths),
            "im": Out(signed(width)).array(n_paths),
            "control": Out(control_layout(config)),
        }
    )


class _Stage(wiring.Component):
    """What both kinds of stage have in common: members, and everything behind the adders."""

    def __init__(
        self, config: FFTConfig, stage: StagePlan, n_paths: int, *, technology: str = "generic"
    ) -> None:
        self.config = config
        self.stage = stage
        self.n_paths = n_paths
        self.technology = technology
        super().__init__(
            {
                "i": In(Words(config, stage.width, n_paths)),
                "o": Out(Words(config, stage.butterfly_width, n_paths)),
                "early": Out(Announcement(config)),
                "overflow": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles besides waiting for the second half of a block."""
        return butterfly_latency(self.stage, self.n_paths)

    def _halves(self, control: Any) -> Any:
        """Whether a frame asks for halving here."""
        narrowing = self.stage.narrowing
        if narrowing is None or narrowing.shift is not None:
            return Const(0, 1)
        return control.halve[self.stage.m - 1]

    def _plain(self, control: Any) -> Any:
        """Whether nothing is rotated here: between the dimensions of a frame."""
        if self.config.is_fixed or not self.stage.rotates:
            return Const(0, 1)
        return is_square(control, self.stage.m - 1)

    def _emit(
        self,
        m: Module,
        raw: list[tuple[Any, Any]],
        valid: Any,
        first: Any,
        halve: Any,
        control: Any,
        control_delay: int,
    ) -> None:
        """From the sums and differences to ``o``; ``control`` is that of ``first``, late by ``control_delay``."""
        narrowing = self.stage.narrowing
        after = 0 if narrowing is None else 1 + narrowing.saturates
        before = self.latency - after
        raw_valid = delayed(m, valid, before, "raw_valid", reset=True)
        raw_halve = delayed(m, halve, before, "raw_halve")
        flags = []
        for k, (re, im) in enumerate(raw):
            if narrowing is None:
                m.d.comb += [self.o.re[k].eq(re), self.o.im[k].eq(im)]
                continue
            m.submodules[f"narrow{k}"] = narrow = Narrow(
                len(re), narrowing, technology=self.technology
            )
            flags.append(narrow.overflow)
            m.d.comb += [
                narrow.re.eq(re),
                narrow.im.eq(im),
                narrow.valid.eq(raw_valid),
                narrow.halve.eq(raw_halve),
                self.o.re[k].eq(narrow.out_re),
                self.o.im[k].eq(narrow.out_im),
            ]
        m.d.comb += [
            self.overflow.eq(Cat(flags).any()),
            self.o.valid.eq(delayed(m, valid, self.latency, "valid", reset=True)),
            self.o.first.eq(delayed(m, first, self.latency, "first", reset=True)),
        ]
        if not self.config.is_fixed:
            left = self.latency - control_delay
            m.d.comb += self.o.control.eq(delayed(m, control, left, "control"))


class CrossButterfly(_Stage):
    """Butterflies over blocks of ``2**m`` samples that come in one word.

    Everything flows through. Latency is :func:`spectramac.spec.timing.butterfly_latency`.

    Parameters
    ----------
    config : :class:`FFTConfig`
    stage : StagePlan
        With blocks of no more than ``n_paths`` samples.
    n_paths : int
        Samples a word.
    technology : str
        Ignored: there is no memory.

    Members
    -------
    i, o : :func:`Words`
    early : :func:`Announcement`
        Of the words at ``o``, :attr:`lead` cycles ahead.
    overflow : :py:`Out(1)`
    """

    @property
    def lead(self) -> int:
        """Cycles from ``early`` to ``o``."""
        return self.latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        i, stage = self.i, self.stage
        m.d.comb += [
            self.early.valid.eq(i.valid),
            self.early.first.eq(i.first),
            self.early.control.eq(i.control),
        ]
        plain = self._plain(i.control)
        raw: list[Any] = [None] * self.n_paths
        half = 1 << (stage.m - 1)
        for k in range(self.n_paths):
            if k & half:
                continue
            a, b = (i.re[k], i.im[k]), (i.re[k + half], i.im[k + half])
            minuends, subtrahends = (b, a) if stage.negates else (a, b)
            if stage.rotates and k & (half >> 1):
                # -j times (a - b), unless plain
                minuends, subtrahends = (
                    (Mux(plain, a[0], a[1]), Mux(plain, a[1], b[0])),
                    (Mux(plain, b[0], b[1]), Mux(plain, b[1], a[0])),
                )
            sums, differences = [], []
            for n, name in enumerate(("re", "im")):
                total, difference = (
                    Signal(signed(stage.width + 1), name=f"{kind}{k}_{name}", reset_less=True)
                    for kind in ("sum", "difference")
                )
                m.d.sync += [
                    total.eq(a[n] + b[n]),
                    difference.eq(minuends[n] - subtrahends[n]),
                ]
                sums.append(total)
                differences.append(difference)
            raw[k], raw[k + half] = sums, differences
        self._emit(m, raw, i.valid, i.first, self._halves(i.control), i.control, 0)
        return m


class _Feedback(Butterfly):
    """The sums and differences of one path in a stage with a memory, on the datapath of :class:`Butterfly`.

    What is the same in all paths, its keyword arguments, are signals of the stage that instantiates it.
    """

    def __init__(
        self, config: FFTConfig, stage: StagePlan, *, technology: str = "generic", **shared: Any
    ) -> None:
        self.shared = shared
        super().__init__(config, dataclasses.replace(stage, narrowing=None), technology=technology)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        re, im = self._stored(m, **self.shared)
        m.d.comb += [self.o.re.eq(re), self.o.im.eq(im)]
        return m


class PathButterfly(_Stage):
    """Butterflies over blocks of ``2**m`` samples whose halves come in different words.

    Each path is a delay feedback as in :class:`Butterfly`, over blocks of ``2**m / n_paths`` words; all share one
    control, and the rules of that class hold with words for samples. Half blocks of one or two words are held in
    registers.

    Latency is ``2**(m - 1) / n_paths`` and :func:`spectramac.spec.timing.butterfly_latency`, which shorter frames
    take too.

    Parameters
    ----------
    config : :class:`FFTConfig`
    stage : StagePlan
        With blocks of at least ``2 * n_paths`` samples.
    n_paths : int
        Samples a word.
    technology : str
        See :class:`BlockRAM`.

    Members
    -------
    i, o : :func:`Words`
    early : :func:`Announcement`
        Of the words at ``o``, :attr:`lead` cycles ahead.
    overflow : :py:`Out(1)`
    """

    @property
    def lead(self) -> int:
        """Cycles from ``early`` to ``o``."""
        return self.latency - 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stage, i = self.stage, self.i
        number = stage.m - (self.n_paths.bit_length() - 1)  # blocks of 2**number words
        active: Any = Const(1, 1)
        if not self.config.is_fixed:
            active = i.control.size[stage.m - 1]
        taken = Signal(number)
        # Slot to be read: of the next word's partners, then of the next differences.
        slot, next_slot = Signal(number - 1), Signal(number - 1)
        at_end = slot.all() if number > 1 else Const(1, 1)
        draining, draining_next, fresh = Signal(), Signal(), Signal()
        accept, computing, passing, first = Signal(), Signal(), Signal(), Signal()
        # Control of the frame that is being emitted. A frame may be as short as one word.
        held, now = Signal(control_layout(self.config)), Signal(control_layout(self.config))
        m.d.comb += [
            accept.eq(i.valid & active),
            passing.eq(i.valid & ~active),
            computing.eq(accept & taken[-1]),
            first.eq((computing & fresh) | (passing & i.first)),
            now.eq(Mux(first, i.control, held)),
            next_slot.eq(Mux(computing | draining, slot + 1, slot)),
            draining_next.eq(Mux((computing | draining) & at_end, computing, draining)),
        ]
        m.d.sync += [held.eq(now), slot.eq(next_slot), draining.eq(draining_next)]
        with m.If(accept):
            m.d.sync += taken.eq(taken + 1)
        with m.If(accept & i.first):
            m.d.sync += fresh.eq(1)
        with m.If(first):
            m.d.sync += fresh.eq(0)

        valid = computing | draining | passing
        m.d.sync += [self.early.valid.eq(valid), self.early.first.eq(first)]
        m.d.comb += self.early.control.eq(held)
        idle = ~active & ~draining
        if delay_storage(stage, self.n_paths) == "registers":
            turned: Any = Const(0, 1)
            if stage.rotates:
                turned = ~self._plain(i.control) & (taken[0] if number > 1 else Const(1, 1))
            raw = [
                self._held(m, k, accept, computing, draining, idle, turned)
                for k in range(self.n_paths)
            ]
        else:
            rotate, rotate_next = Signal(), Signal()
            m.d.comb += rotate_next.eq(rotate)
            if stage.rotates:
                with m.If(draining & slot[:-1].all()):
                    m.d.comb += rotate_next.eq(~slot[-1] & ~self._plain(held))
                m.d.sync += rotate.eq(rotate_next)
            # Stored differences are b - a. Emitted are a - b, or -j(a - b), or b - a.
            inverts: list[Any] = [Const(0, 1), Const(0, 1)]
            if not stage.negates:
                negative = (draining_next, draining_next & ~rotate_next)
                for n, value in enumerate(negative):
                    inverts[n] = delayed(m, value, 1, f"invert{n}", reset=True)
            raw = []
            for k in range(self.n_paths):
                path = _Feedback(
                    self.config,
                    dataclasses.replace(stage, m=number),
                    technology=self.technology,
                    accept=accept,
                    computing=computing,
                    draining=draining,
                    passing=idle,
                    rotate=rotate,
                    inverts=inverts,
                    taken=taken,
                    slots=(slot, next_slot),
                )
                m.submodules[f"path{k}"] = path
                m.d.comb += [path.i.re.eq(i.re[k]), path.i.im.eq(i.im[k])]
                raw.append((path.o.re, path.o.im))
        self._emit(m, raw, valid, first, self._halves(now) & ~passing, held, 1)
        return m

    def _held(
        self,
        m: Module,
        k: int,
        accept: Any,
        computing: Any,
        draining: Any,
        idle: Any,
        turned: Any,
    ) -> tuple[Any, Any]:
        """Path ``k`` of a stage whose half blocks are one or two words, in registers; latency 2."""
        stage, width = self.stage, self.stage.width + 1
        half = (1 << (stage.m - 1)) // self.n_paths
        if half == 1 and not k & (self.n_paths >> 1):
            turned = Const(0, 1)  # the rotated half is the upper half of the paths
        x = (self.i.re[k], self.i.im[k])
        partners, differences = (
            [
                [
                    Signal(signed(bits), name=f"{kind}{k}_{name}_{n}", reset_less=True)
                    for n in range(half)
                ]
                for name in ("re", "im")
            ]
            for kind, bits in (("partner", stage.width), ("difference", width))
        )
        a = [line[-1] for line in partners]
        re, im = (x[n] - a[n] if stage.negates else a[n] - x[n] for n in range(2))
        chosen = (re, im)
        if stage.rotates:
            chosen = Mux(turned, im, re), Mux(turned, x[0] - a[0], im)
        raw = []
        for n, name in enumerate(("re", "im")):
            with m.If(accept):
                m.d.sync += Cat(partners[n]).eq(Cat(x[n], *partners[n][:-1]))
            with m.If(computing | draining):
                m.d.sync += [
                    later.eq(earlier)
                    for earlier, later in zip(
                        [chosen[n], *differences[n]], differences[n], strict=False
                    )
                ]
            augend = Signal(signed(stage.width), name=f"augend{k}_{name}", reset_less=True)
            addend = Signal(signed(width), name=f"addend{k}_{name}", reset_less=True)
            total = Signal(signed(width), name=f"raw{k}_{name}", reset_less=True)
            m.d.sync += [
                augend.eq(Mux(draining, 0, x[n])),
                addend.eq(Mux(draining, differences[n][-1], Mux(idle, 0, a[n]))),
                total.eq(augend + addend),
            ]
            raw.append(total)
        return raw[0], raw[1]
