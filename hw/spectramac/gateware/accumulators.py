# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Accumulators of a multiply-accumulate lane: four sums a row, two banks, in block RAM or in logic cells."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed, repeated
from spectramac.gateware.fixed import saturate
from spectramac.gateware.memory import Storage
from spectramac.spec.config import RING_DEPTH_MIN, AcceleratorConfig
from spectramac.spec.payloads import row_width

__all__ = ["BlockAccumulators", "LogicAccumulators", "accumulators"]

BLOCK_DEPTH = RING_DEPTH_MIN


def accumulators(
    config: AcceleratorConfig, *, technology: str = "generic"
) -> "BlockAccumulators | LogicAccumulators":
    """The accumulators of one lane, of the kind that suits their depth."""
    kind = BlockAccumulators if config.accumulator_depth >= BLOCK_DEPTH else LogicAccumulators
    return kind(config, technology=technology)


class _Accumulators(wiring.Component):
    """Add four products to the sums of a row, one row a cycle; read and clear rows of the other bank.

    Sums are exact or saturate, with ``overflow``. Rows may follow each other in any order, also twice the same. A row
    is complete 4 cycles after it was given.

    The backward loop's requests and the answer pass registers here, so that what is far apart on a chip is not in one
    path: ``drained`` is the row :attr:`DRAIN_LATENCY` cycles after it was asked for, and 0 if it was not.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
    technology : str
        See :func:`~spectramac.gateware.delay.repeated`.

    Members
    -------
    valid, bank : :py:`In(1)`
    row : :py:`In(row)`
    products : :py:`In(signed(product_width))` of 4
        Two cycles after ``valid``: for a1, a2, b1, b2.
    draining : :py:`In(n_banks)`
        Banks that belong to the backward loop: all of them while all rows are being zeroed, else at most one.
    drain_row : :py:`In(row)`
    drain_select : :py:`In(1)`
        Read ``drain_row`` of the draining bank.
    clear : :py:`In(1)`
        Make ``drain_row`` of the draining banks zero.
    drained : :py:`Out(4 * accumulator_width)`
        The row: a1, a2, b1, b2 from bit 0 up.
    overflow : :py:`Out(1)`

    With ``config.maps`` (block RAM only), sampled with ``valid``:

    retire : :py:`In(1)`
        The row becomes zero; the products must be zero.
    copy : :py:`In(1)`
        With ``retire``: what it was goes to ``copy_row`` of bank 1, which the backward loop may own, but not clear.
    copy_row : :py:`In(row)`
    """

    DRAIN_LATENCY = 3

    def __init__(self, config: AcceleratorConfig, *, technology: str = "generic") -> None:
        self.config = config
        self.technology = technology
        row = row_width(config)
        self.product_width = config.coefficient_width + 1 + config.column_width
        maps = {"retire": In(1), "copy": In(1), "copy_row": In(row)}
        super().__init__(
            {
                **(maps if config.maps else {}),
                "valid": In(1),
                "bank": In(1),
                "row": In(row),
                "products": In(signed(self.product_width)).array(4),
                "draining": In(config.n_accumulator_banks),
                "drain_row": In(row),
                "drain_select": In(1),
                "clear": In(1),
                "drained": Out(4 * config.accumulator_width),
                "overflow": Out(1),
            }
        )

    def _history(self, m: Module, last: int) -> tuple[list[Any], list[Any], list[Any]]:
        """``valid``, ``bank`` and ``row`` of the entries of this cycle and of so many before."""
        histories: list[list[Any]] = [[self.valid], [self.bank], [self.row]]
        for name, history in zip(("valid", "bank", "row"), histories, strict=True):
            for stage in range(1, last + 1):
                history.append(delayed(m, history[stage - 1], 1, f"{name}_{stage}"))
        valid, bank, row = histories
        return valid, bank, row

    def _requests(self, m: Module) -> tuple[Any, Any, Any, Any]:
        """``draining``, ``drain_row``, ``clear`` and ``drain_select``, a cycle later, in the lane's own registers."""
        draining, drain_row, clear, drain_select = (
            repeated(m, getattr(self, name), f"{name}_1", technology=self.technology)
            for name in ("draining", "drain_row", "clear", "drain_select")
        )
        return draining, drain_row, clear, drain_select

    def _add(self, m: Module, operand: Any, valid: Any) -> Signal:
        """The sums with the products added to them."""
        acc = self.config.accumulator_width
        sums = Signal(4 * acc)
        flags = []
        for k in range(4):
            part = slice(acc * k, acc * (k + 1))
            total, flag = saturate(operand[part].as_signed() + self.products[k], acc)
            m.d.comb += sums[part].eq(total)
            flags.append(flag)
        m.d.sync += self.overflow.eq(valid & Cat(flags).any())
        return sums


class LogicAccumulators(_Accumulators):
    """In memories of logic cells, which are read in the same cycle: a row is read in one cycle, and added to and
    written in the next.

    So only the entry just ahead can be on its way when a row is read; its sums are forwarded. It is of the same bank,
    for a marker is between the entries of two. A bit more in each row says that it has been written since it was
    cleared; clearing leaves the sums as they are. There is a memory for every :attr:`ROWS` rows, so that all that
    reaches a memory, and all that chooses among them, comes straight from registers.

    Entries are not stopped by a reset, but are written before the rows are cleared that follows it.
    """

    ROWS = 16

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        acc, low = config.accumulator_width, (self.ROWS - 1).bit_length()
        valid, bank, row = self._history(m, 2)
        draining, drain_row, clear, drain_select = self._requests(m)
        ahead = valid[1] & (row[0] == row[1])
        use_last = delayed(m, ahead, 2, "use_last")
        chosen, drained = Value.cast(0), Value.cast(0)
        ports = []
        for b in range(config.n_accumulator_banks):
            in_drain = delayed(m, draining[b], 1, f"in_drain_{b}")
            read_address, write_address = (
                delayed(m, Mux(draining[b], drain_row, entry)[:low], 1, f"{name}_address_{b}")
                for name, entry in (("read", row[0]), ("write", row[1]))
            )
            for k in range(-(-config.accumulator_depth // self.ROWS)):
                m.submodules[f"bank_{b}_{k}"] = memory = Memory(
                    shape=4 * acc + 1,
                    depth=min(self.ROWS, config.accumulator_depth),
                    init=[],
                    attrs={"ram_style": "distributed"},
                )
                write, read = memory.write_port(), memory.read_port(domain="comb")
                here, here_1, drain_here = (
                    value[low:] == k for value in (row[0], row[1], drain_row)
                )
                in_use, asked, enable = (
                    delayed(m, value, 1, f"{name}_{b}_{k}")
                    for name, value in (
                        ("in_use", (bank[0] == b) & here & ~ahead),
                        ("asked", draining[b] & drain_select & drain_here),
                        (
                            "enable",
                            Mux(
                                draining[b],
                                clear & drain_here,
                                valid[1] & (bank[1] == b) & here_1,
                            ),
                        ),
                    )
                )
                m.d.comb += [
                    read.addr.eq(read_address),
                    write.addr.eq(write_address),
                    write.en.eq(enable),
                ]
                sums, written = read.data[:-1], read.data[-1]
                chosen = chosen | Mux(in_use & written, sums, 0)
                drained = drained | Mux(asked & written, sums, 0)
                ports.append((write, in_drain))
        word, last = delayed(m, chosen, 1, "word"), Signal(4 * acc, reset_less=True)
        m.d.comb += self.drained.eq(delayed(m, drained, 1, "drained"))
        sums = self._add(m, word | Mux(use_last, last, 0), valid[2])
        m.d.sync += last.eq(sums)
        for write, in_drain in ports:
            m.d.comb += write.data.eq(Cat(sums, ~in_drain))
        return m


class BlockAccumulators(_Accumulators):
    """In block RAM: a row is read in the cycle in which it is given, collected, added to, and written 3 cycles later.

    Read-modify-write hazards are resolved by forwarding from the three entries ahead (a row that is read and written in
    one cycle is one of these).
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        acc = config.accumulator_width
        valid, bank, row = self._history(m, 3)
        draining, drain_row, clear, drain_select = self._requests(m)
        sums, sums_3 = Signal(4 * acc), Signal(4 * acc, reset_less=True)
        kept = Signal(4 * acc)  # sums, or zero where a row retires
        read, drained = [], Value.cast(0)
        for b in range(config.n_accumulator_banks):
            storage = Storage(4 * acc, config.accumulator_depth, block=True)
            m.submodules[f"bank_{b}"] = storage
            m.d.comb += storage.read.enable.eq(1)
            with m.If(draining[b]):
                m.d.comb += [
                    storage.read.address.eq(drain_row),
                    storage.write.address.eq(drain_row),
                    storage.write.enable.eq(clear),
                ]
            with m.Else():
                m.d.comb += [
                    storage.read.address.eq(row[0]),
                    storage.write.address.eq(row[3]),
                    storage.write.enable.eq(valid[3] & (bank[3] == b)),
                    storage.write.data.eq(sums_3),
                ]
            if config.maps and b == 1:
                self._copy(m, storage, sums, clear)
            asked = Signal(name=f"asked_{b}")
            m.d.sync += asked.eq(drain_select & draining[b])
            drained = drained | Mux(asked, storage.read.data, 0)
            read.append(storage.read.data)
        m.d.comb += self.drained.eq(delayed(m, drained, 1, "drained"))

        # The row as the entries ahead leave it. Compared one stage early.
        ahead = [valid[k] & (row[0] == row[k]) & (bank[0] == bank[k]) for k in range(1, 4)]
        forward = Signal(4 * acc, reset_less=True)
        use_sums, use_forward = Signal(), Signal()
        m.d.sync += [
            forward.eq(Mux(ahead[1], kept, sums_3)),
            use_sums.eq(ahead[0]),
            use_forward.eq(~ahead[0] & (ahead[1] | ahead[2])),
        ]
        operand = Signal(4 * acc, reset_less=True)
        chosen = Mux(use_sums, kept, 0) | Mux(use_forward, forward, 0)
        for b, word in enumerate(read):
            use_read = Signal(name=f"use_read_{b}")
            m.d.sync += use_read.eq((bank[0] == b) & ~(ahead[0] | ahead[1] | ahead[2]))
            chosen = chosen | Mux(use_read, word, 0)
        m.d.sync += [operand.eq(chosen), sums_3.eq(kept)]
        m.d.comb += [sums.eq(self._add(m, operand, valid[2])), kept.eq(sums)]
        if config.maps:
            with m.If(delayed(m, self.retire, 2, "retire")):
                m.d.comb += kept.eq(0)
        return m

    def _copy(self, m: Module, storage: Storage, sums: Signal, clear: Any) -> None:
        """A row that retires goes to this bank, when it would be written. One that meets a reset's clearing is lost."""
        copy, copy_row = delayed(m, self.copy, 3, "copy"), delayed(m, self.copy_row, 3, "copy_row")
        sums_copied = delayed(m, sums, 1, "copied")
        with m.If(copy & ~clear):
            m.d.comb += [
                storage.write.address.eq(copy_row),
                storage.write.data.eq(sums_copied),
                storage.write.enable.eq(1),
            ]
