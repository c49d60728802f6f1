# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What stands around a transform that nothing stalls: input before it, something behind it, one queue at the end."""

import dataclasses
from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring

from spectramac.gateware.fft.control import FrameControl
from spectramac.gateware.fft.output import OutputQueue
from spectramac.gateware.fft.pipelined import PipelinedFFT
from spectramac.gateware.fft.streamed import queue_size
from spectramac.spec.timing import pipeline_latency

__all__ = ["Chain"]


class Chain:
    """A transform inside a component that adds something of fixed latency to it.

    Samples are admitted while there is room for their results in the queue, so neither the transform nor what is around
    it ever waits: a step before or behind is a plain pipeline without handshake. Frames keep their distance, and the
    results of one leave the transform in successive cycles.

    Not a component: a group of signals of ``dut``, driven in its ``m``.

    Parameters
    ----------
    m : Module
        Of the component.
    dut : wiring.Component
        With ``config``, ``technology``, ``small_roms_in_logic``, a stream ``i`` with ``last``, the outputs
        ``overflow`` and ``framing_error`` and, unless the configuration is fixed, its control inputs.

    Attributes
    ----------
    accept : Signal
        An input sample is taken.
    control : FrameControl
        Of the frame at the input.
    core : PipelinedFFT
        Fed by :meth:`feed`; its ``o`` must be taken as it comes, in bit-reversed order.
    """

    def __init__(self, m: Module, dut: Any) -> None:
        if dut.config.scaling == "block":
            raise ValueError(
                "scaling must not be 'block' where something follows the transform: only the queue knows the exponent"
            )
        self.config = dut.config
        self.technology = dut.technology
        self.accept = Signal()
        self.room = Signal(init=1)
        self.control = FrameControl(m, dut, self.accept)
        self.core = PipelinedFFT(
            dataclasses.replace(dut.config, order="bit_reversed"),
            queue=False,
            technology=dut.technology,
            small_roms_in_logic=dut.small_roms_in_logic,
        )
        m.submodules.core = self.core
        if not dut.config.is_fixed:
            for name in ("log2_n", "two_d", "inverse", "halve"):
                m.d.comb += getattr(self.core, name).eq(getattr(dut, name))
        m.d.comb += [
            self.accept.eq(dut.i.valid & dut.i.ready),
            dut.i.ready.eq(self.room & self.core.i.ready),
            self.core.o.ready.eq(1),
        ]

    def feed(self, m: Module, valid: Any, re: Any, im: Any) -> None:
        """Give the transform its samples.

        ``valid`` is high with one that was taken some cycles ago, with a fixed configuration, or else with one that is
        offered while there is room.
        """
        m.d.comb += [
            self.core.i.valid.eq(valid),
            self.core.i.payload.data.re.eq(re),
            self.core.i.payload.data.im.eq(im),
        ]

    def finish(
        self,
        m: Module,
        dut: Any,
        valid: Any,
        payload: Any,
        *,
        latency: int,
        taken: Any = None,
        ordered: bool = False,
        overflow: Any = 0,
    ) -> None:
        """Put the queue between ``payload`` and ``dut.o``.

        Parameters
        ----------
        valid, payload : Signal
            Results, in the order of the transform; the queue makes natural order of it if that is configured.
        latency : int
            Cycles of all that was added to the transform.
        taken : Signal
            A sample is taken for which there will be a result; by default ``accept``.
        ordered : bool
            They have their order already.
        overflow : Signal
            Besides the transform's.
        """
        config = self.core.config if ordered else self.config
        depth, reverse = queue_size(config, pipeline_latency(config) + latency)
        m.submodules.queue = queue = OutputQueue(
            payload.shape(), depth, reverse=reverse, technology=self.technology
        )
        m.d.comb += [
            queue.i_valid.eq(valid),
            queue.i_payload.eq(payload),
            queue.taken.eq(self.accept if taken is None else taken),
            self.room.eq(queue.room),
            dut.overflow.eq(self.core.overflow | overflow),
        ]
        wiring.connect(m, queue.o, wiring.flipped(dut.o))
