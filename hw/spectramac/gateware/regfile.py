# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The register file and the memory port, made from :mod:`spectramac.spec.registers`."""

from typing import Any

from amaranth import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort, WritePort
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import BUS_WIDTH, memories
from spectramac.spec.registers import REQUEST, RESPONSE, Access, Field, Register, register_map

__all__ = ["RegisterFile", "memory_ports", "port_name"]

ADDRESS_BITS = 16


def port_name(register: Register, field: Field) -> str:
    """Name of a field's port: ``<register>_<field>``, or the one name that both have."""
    return field.name if field.name == register.name else f"{register.name}_{field.name}"


def _field_port(field: Field) -> Any:
    if field.access is Access.STATUS:
        return In(field.width)
    if field.access is Access.STICKY:
        return In(field.width)
    return Out(field.width)


def memory_ports(config: AcceleratorConfig) -> dict[str, Any]:
    """Host access to the memories, from the host's side: ``memory_<name>`` writes, ``read_<name>`` reads."""
    ports: dict[str, Any] = {}
    for memory in memories(config).values():
        address_width = max(1, (memory.depth - 1).bit_length())
        if memory.writable:
            ports[f"memory_{memory.name}"] = Out(WritePort(address_width, memory.width))
        if memory.readable:
            ports[f"read_{memory.name}"] = Out(ReadPort(address_width, memory.width))
    return ports


class RegisterFile(wiring.Component):
    """Registers and memory port behind a request and a response stream.

    One request a cycle; a read holds further requests until its response is taken: 1 cycle for a register, 2 for a word
    of memory, 3 with ``config.maps``, where activation memory is deep and what it gives goes through a register. For
    each field of the register map there is a port: constants have none; ``STORAGE`` fields drive their value;
    ``PULSE`` fields drive a strobe; ``STATUS`` fields are inputs; ``STICKY`` fields are inputs that set the flag while
    high (a set wins over a clear). The memory port's behaviour is that of :mod:`spectramac.host.model_device`, access
    by access.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    i_request : :py:`In(stream.Signature(layout(REQUEST)))`
    o_response : :py:`Out(stream.Signature(layout(RESPONSE)))`
    memory_<name> : :py:`Out(WritePort)`
        For each memory that the host may write.
    read_<name> : :py:`Out(ReadPort)`
        For each memory that the host may read. Meaningful only while not busy.
    interrupt : :py:`Out(1)`
        Level: ``status.done``.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.map = register_map(config)
        ports: dict[str, Any] = {
            "i_request": In(stream.Signature(layout(REQUEST))),
            "o_response": Out(stream.Signature(layout(RESPONSE))),
            **memory_ports(config),
        }
        for register in self.map.registers:
            for field in register.fields:
                if field.access not in (Access.CONSTANT, Access.PORT):
                    ports[port_name(register, field)] = _field_port(field)
        ports["interrupt"] = Out(1)
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flags = {
            field.name: Signal(field.width, name=f"{register.name}_{field.name}_flag")
            for register in self.map.registers
            for field in register.fields
            if field.access is Access.STICKY
        }
        m.d.comb += self.interrupt.eq(flags["done"])
        request, response = self.i_request, self.o_response
        pending = Signal(2)  # steps left of a read of memory
        accept, mapped = Signal(), Signal()
        write, read = Signal(), Signal()
        m.d.comb += [
            request.ready.eq((~response.valid | response.ready) & (pending == 0)),
            accept.eq(request.valid & request.ready),
            write.eq(accept & request.payload.write),
            read.eq(accept & ~request.payload.write),
        ]
        with m.If(response.ready):
            m.d.sync += response.valid.eq(0)
        with m.If(read):
            m.d.sync += [response.valid.eq(1), response.payload.data.eq(0)]
        bus_error = Signal()
        address = self._memory_port(m, write, read, pending, bus_error)
        with m.Switch(request.payload.address):
            for register in self.map.registers:
                with m.Case(register.address):
                    m.d.comb += mapped.eq(1)
                    value = self._read_value(register, address, flags)
                    with m.If(read):
                        m.d.sync += response.payload.data.eq(value)
        with m.If(accept & ~mapped):
            m.d.comb += bus_error.eq(1)
        for register in self.map.registers:
            for field in register.fields:
                self._field(m, register, field, write, bus_error, flags)
        return m

    def _hit(self, register: Register) -> Any:
        return self.i_request.payload.address == register.address

    def _read_value(self, register: Register, address: Signal, flags: dict[str, Signal]) -> Any:
        parts = []
        for field in register.fields:
            if field.access is Access.CONSTANT:
                parts.append(C(field.reset, field.width))
            elif field.access is Access.PULSE:
                parts.append(C(0, field.width))
            elif field.access is Access.PORT:
                parts.append(address if register.name == "memory_address" else C(0, field.width))
            elif field.access is Access.STICKY:
                parts.append(flags[field.name])
            else:
                parts.append(getattr(self, port_name(register, field)))
        return Cat(*parts)

    def _field(
        self,
        m: Module,
        register: Register,
        field: Field,
        write: Signal,
        bus_error: Signal,
        flags: dict[str, Signal],
    ) -> None:
        bits = self.i_request.payload.data[field.offset : field.offset + field.width]
        hit = write & self._hit(register)
        if field.access is Access.STORAGE:
            port = getattr(self, port_name(register, field))
            storage = Signal(
                field.width, name=f"{port_name(register, field)}_value", init=field.reset
            )
            m.d.comb += port.eq(storage)
            with m.If(hit):
                m.d.sync += storage.eq(bits)
        elif field.access is Access.PULSE:
            m.d.comb += getattr(self, port_name(register, field)).eq(hit & bits)
        elif field.access is Access.STICKY:
            flag = flags[field.name]
            with m.If(hit):
                m.d.sync += flag.eq(flag & ~bits)
            if register.name == "status" and field.name != "bus_error":
                with m.If(self.control_start & ~self.control_reset & ~self.status_busy):
                    m.d.sync += flag.eq(0)
            event = getattr(self, port_name(register, field))
            with m.If(event | (bus_error if field.name == "bus_error" else 0)):
                m.d.sync += flag.eq(1)

    def _memory_port(
        self, m: Module, write: Signal, read: Signal, pending: Signal, bus_error: Signal
    ) -> Signal:
        table = memories(self.config).values()
        n_chunks = max(memory.chunks for memory in table)
        address = Signal(ADDRESS_BITS)
        chunk = Signal(range(max(2, n_chunks)))
        staging = Signal(max(1, BUS_WIDTH * (n_chunks - 1)), reset_less=True)
        data = self.i_request.payload.data
        access_write = Signal()
        access_read = Signal()
        last, in_depth = Signal(), Signal()
        can_read, can_write = Signal(), Signal()
        select = self.memory_select_select
        m.d.comb += [
            access_write.eq(write & self._hit(self.map["memory_data"])),
            access_read.eq(read & self._hit(self.map["memory_data"])),
            last.eq(1),
        ]
        with m.Switch(select):
            for memory in table:
                with m.Case(memory.select):
                    m.d.comb += [
                        last.eq(chunk == memory.chunks - 1),
                        in_depth.eq(address < memory.depth),
                        can_read.eq(int(memory.readable)),
                        can_write.eq(int(memory.writable)),
                    ]
        allowed = in_depth & ~self.status_busy
        with m.If((access_write & ~(allowed & can_write)) | (access_read & ~(allowed & can_read))):
            m.d.comb += bus_error.eq(1)
        with m.If(access_write | access_read):
            with m.If(last):
                m.d.sync += [chunk.eq(0), address.eq(address + 1)]
            with m.Else():
                m.d.sync += chunk.eq(chunk + 1)
        with m.If(write & self._hit(self.map["memory_address"])):
            m.d.sync += [address.eq(data), chunk.eq(0)]

        # A word goes to memory one cycle after its last part has come; the other parts have been staged by then.
        word_address = Signal(ADDRESS_BITS)
        top = Signal(BUS_WIDTH, reset_less=True)
        m.d.sync += [word_address.eq(address), top.eq(data)]
        if n_chunks > 1:
            for i in range(n_chunks - 1):
                stage = Signal(name=f"stage_{i}")
                m.d.sync += stage.eq(access_write & allowed & can_write & (chunk == i))
                with m.If(stage):
                    m.d.sync += staging.word_select(i, BUS_WIDTH).eq(top)
        for memory in table:
            if not memory.writable:
                continue
            port = getattr(self, f"memory_{memory.name}")
            enable = Signal(name=f"write_{memory.name}")
            m.d.sync += enable.eq(access_write & allowed & last & (select == memory.select))
            m.d.comb += [
                port.enable.eq(enable),
                port.address.eq(word_address),
                port.data.eq(Cat(staging[: BUS_WIDTH * (memory.chunks - 1)], top)),
            ]

        # A read of memory: the address is presented one cycle after the request, the word comes one cycle later, and
        # with maps is in a register another cycle later.
        steps = 3 if self.config.maps else 2
        fetch_select = Signal.like(select)
        fetch_ok = Signal()
        fetch_chunk = Signal.like(chunk)
        with m.If(access_read):
            m.d.sync += [
                pending.eq(steps),
                self.o_response.valid.eq(0),
                fetch_select.eq(select),
                fetch_ok.eq(allowed & can_read),
                fetch_chunk.eq(chunk),
            ]
        for memory in table:
            if not memory.readable:
                continue
            port = getattr(self, f"read_{memory.name}")
            m.d.comb += [port.address.eq(word_address), port.enable.eq(pending == steps)]
            word = port.data
            if self.config.maps:
                word = Signal.like(port.data, name=f"fetched_{memory.name}", reset_less=True)
                m.d.sync += word.eq(port.data)
            with m.If((pending == 1) & (fetch_select == memory.select) & fetch_ok):
                m.d.sync += self.o_response.payload.data.eq(
                    word.word_select(fetch_chunk, BUS_WIDTH) if memory.chunks > 1 else word
                )
        with m.If(pending != 0):
            m.d.sync += pending.eq(pending - 1)
        with m.If(pending == 1):
            m.d.sync += self.o_response.valid.eq(1)
        return address
