# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The C++ side of :mod:`spectramac.sim.library`: a flat C interface around one Verilated class.

One cycle is: drive the inputs, settle with the clock low, sample, raise the clock. A stream's ``valid`` is
held until the transfer. All loops run in C; a call from Python costs more than a thousand cycles.
"""

from collections.abc import Mapping, Sequence

__all__ = ["wrapper"]

_HEAD = """
#include <cstdint>
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

namespace {

struct Stall {
    uint64_t state = 1;
    uint32_t threshold = 0;
    bool hit() {
        if (!threshold) return false;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<uint32_t>((state * 0x2545f4914f6cdd1dULL) >> 32) < threshold;
    }
};

struct Dut {
    VerilatedContext context;
    @TOP@* top = nullptr;
    uint64_t cycles = 0;
    Stall stall_in[@N_IN@ + 1], stall_out[@N_OUT@ + 1];
#if VM_TRACE
    VerilatedFstC* trace = nullptr;
#endif
};

inline void settle(Dut* d) {
    d->top->clk = 0;
    d->top->eval();
}

// After settle().
inline void edge(Dut* d) {
#if VM_TRACE
    if (d->trace) d->trace->dump(d->cycles * 10);
#endif
    d->top->clk = 1;
    d->top->eval();
#if VM_TRACE
    if (d->trace) d->trace->dump(d->cycles * 10 + 5);
#endif
    ++d->cycles;
}

// Any width from and to 64-bit words.
template <typename T> inline void load(T& port, const uint64_t* word) { port = *word; }
template <std::size_t N> inline void load(VlWide<N>& port, const uint64_t* word) {
    for (std::size_t k = 0; k < N; ++k) port[k] = word[k / 2] >> (32 * (k % 2));
}
template <typename T> inline void store(const T& port, uint64_t* word) { *word = port; }
template <std::size_t N> inline void store(const VlWide<N>& port, uint64_t* word) {
    for (std::size_t k = 0; k < N; ++k) {
        if (k % 2 == 0) word[k / 2] = 0;
        word[k / 2] |= static_cast<uint64_t>(port[k]) << (32 * (k % 2));
    }
}

}  // namespace

#define API extern "C" __attribute__((visibility("default")))

API void* dut_new() {
    Dut* d = new Dut;
#if VM_TRACE
    d->context.traceEverOn(true);
#endif
    d->top = new @TOP@(&d->context, "top");
    settle(d);
    return d;
}

API void dut_free(Dut* d) {
#if VM_TRACE
    if (d->trace) {
        d->trace->close();
        delete d->trace;
    }
#endif
    d->top->final();
    delete d->top;
    delete d;
}

API int dut_trace(Dut* d, const char* path) {
#if VM_TRACE
    if (d->trace) return 1;
    d->trace = new VerilatedFstC;
    d->top->trace(d->trace, 99);
    d->trace->open(path);
    return !d->trace->isOpen();
#else
    return 1;
#endif
}

API uint64_t dut_cycles(Dut* d) { return d->cycles; }

API void dut_stall(Dut* d, int is_input, int index, uint32_t threshold, uint64_t seed) {
    Stall& stall = is_input ? d->stall_in[index] : d->stall_out[index];
    stall.threshold = threshold;
    stall.state = seed ? seed : 1;
}

API void dut_step(Dut* d, uint64_t n) {
    while (n--) {
        settle(d);
        edge(d);
    }
    settle(d);
}
"""


def _ports(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    sets = "".join(
        f"        case {k}: load(d->top->@PORT:{name}@, word); break;\n"
        for k, name in enumerate(inputs)
    )
    gets = "".join(
        f"        case {k}: store(d->top->@PORT:{name}@, word); break;\n"
        for k, name in enumerate(outputs)
    )
    waits = "".join(
        f"        case {k}: store(d->top->@PORT:{name}@, value); break;\n"
        for k, name in enumerate(outputs)
    )
    return f"""
API void dut_set(Dut* d, int port, const uint64_t* word) {{
    switch (port) {{
{sets}    }}
    settle(d);
}}

API void dut_get(Dut* d, int port, uint64_t* word) {{
    switch (port) {{
{gets}    }}
}}

// Cycles until (port & mask) == wanted, looked at before each clock edge; -1 past the limit.
API int64_t dut_wait(Dut* d, int port, uint64_t mask, uint64_t wanted, uint64_t limit) {{
    uint64_t value[64];
    for (uint64_t n = 0;; ++n) {{
        settle(d);
        switch (port) {{
{waits}        }}
        if ((value[0] & mask) == wanted) return n;
        if (n == limit) return -1;
        edge(d);
    }}
}}
"""


def _exchange(sources: Sequence[tuple[str, int]], sinks: Sequence[tuple[str, int]]) -> str:
    drive, sample, after, idle = "", "", "", ""
    for k, (name, words) in enumerate(sources):
        drive += f"""
        if (!offered[{k}] && in_done[{k}] < in_n[{k}] && !d->stall_in[{k}].hit()) {{
            load(top->@PORT:{name}__payload@, in[{k}] + {words} * in_done[{k}]);
            top->@PORT:{name}__valid@ = 1;
            offered[{k}] = true;
        }}"""
        sample += f"""
        const bool taken{k} = offered[{k}] && top->@PORT:{name}__ready@;"""
        after += f"""
        if (taken{k}) {{
            top->@PORT:{name}__valid@ = 0;
            offered[{k}] = false;
            ++in_done[{k}];
            --left;
        }}"""
        idle += f"""
    top->@PORT:{name}__valid@ = 0;"""
    for k, (name, words) in enumerate(sinks):
        drive += f"""
        const bool ready{k} = out_done[{k}] < out_n[{k}] && !d->stall_out[{k}].hit();
        top->@PORT:{name}__ready@ = ready{k};"""
        sample += f"""
        if (ready{k} && top->@PORT:{name}__valid@) {{
            store(top->@PORT:{name}__payload@, out[{k}] + {words} * out_done[{k}]);
            ++out_done[{k}];
            --left;
        }}"""
        idle += f"""
    top->@PORT:{name}__ready@ = 0;"""
    return f"""
// Push in_n[k] words into each input stream while taking out_n[k] from each output stream.
// 0 when all are done, 1 past the limit.
API int dut_exchange(Dut* d, const uint64_t* const* in, const uint64_t* in_n, uint64_t* in_done,
                     uint64_t* const* out, const uint64_t* out_n, uint64_t* out_done,
                     uint64_t limit) {{
    auto* top = d->top;
    bool offered[{len(sources)} + 1] = {{}};
    uint64_t left = 0;
    for (int k = 0; k < {len(sources)}; ++k) left += in_n[k], in_done[k] = 0;
    for (int k = 0; k < {len(sinks)}; ++k) left += out_n[k], out_done[k] = 0;
    uint64_t n = 0;
    for (; left && n < limit; ++n) {{{drive}
        settle(d);{sample}
        edge(d);{after}
    }}{idle}
    settle(d);
    return left != 0;
}}
"""


def wrapper(
    prefix: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    sources: Mapping[str, int],
    sinks: Mapping[str, int],
) -> str:
    """C++ text for a class ``prefix``.

    ``inputs`` and ``outputs`` are port names in index order; ``sources`` and ``sinks`` map input and output
    streams to their 64-bit words, in index order.
    """
    head = _HEAD.replace("@TOP@", prefix)
    head = head.replace("@N_IN@", str(len(sources))).replace("@N_OUT@", str(len(sinks)))
    return head + _ports(inputs, outputs) + _exchange(list(sources.items()), list(sinks.items()))
