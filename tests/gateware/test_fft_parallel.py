# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform of several samples a clock against the model, bit for bit, and its timing against the formulas."""

import numpy as np
import pytest
from tests.gateware.drive import refused
from tests.gateware.streams import STALLS, assert_same, run_stream
from tests.gateware.test_fft import Frame, random_frame

from spectramac.gateware.fft import ParallelFFT
from spectramac.spec.config import FFTConfig
from spectramac.spec.stream import abreast, complex_payload, frame
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency

CONTROL = ("log2_n", "two_d", "inverse", "halve")
SCALINGS = ("per_stage", "halving", "growth")
PATHS = (2, 4, 8)


def words(format_, n_paths, re, im):
    """Packed words of one frame."""
    payload = frame(abreast(complex_payload(format_), n_paths))
    pairs = list(zip(re.tolist(), im.tolist(), strict=True))
    return [
        payload.pack(
            {
                "data": {
                    f"x{k}": dict(zip(("re", "im"), pairs[start + k], strict=True))
                    for k in range(n_paths)
                },
                "last": start + n_paths == len(pairs),
            }
        )
        for start in range(0, len(pairs), n_paths)
    ]


def run(config, n_paths, frames, **options):
    """Simulate ``frames`` back to back and compare with the model."""
    inputs, expected, where = [], [], []
    control = {} if config.is_fixed else {key: [] for key in CONTROL}
    for f, item in enumerate(frames):
        inputs += words(config.data, n_paths, item.re, item.im)
        result = item.expected(config)
        expected += words(config.output, n_paths, result.re, result.im)
        n_words = len(item.re) // n_paths
        where += [f"frame {f}, word {t}" for t in range(n_words)]
        for key, values in control.items():
            values += [int(getattr(item, key))] * n_words
    produced = run_stream(
        ParallelFFT(config, samples_per_clock=n_paths),
        inputs,
        len(expected),
        control=control,
        strobes=("overflow", "framing_error"),
        budget=1000 + 16 * len(inputs) + options.get("sink_delay", 0),
        **options,
    )
    payload = frame(abreast(complex_payload(config.output), n_paths))
    assert_same(produced.outputs, expected, where.__getitem__, lambda w: str(payload.unpack(w)))
    assert not produced.strobes["framing_error"]
    return produced


def config_of(scaling, log2_n, **widths):
    widths.setdefault("twiddle_width", 16 if scaling == "per_stage" else 18)
    return FFTConfig(log2_n_max=log2_n, scaling=scaling, **widths)


def check_one_size(config, n_paths, stalls="none"):
    """Frames of one size follow each other without a gap, with the latency of the formula."""
    rng = np.random.default_rng(config.log2_n_max)
    log2_n = config.log2_n_max
    frames = [random_frame(config, rng, log2_n) for _ in range(4)]
    result = run(config, n_paths, frames, stalls=stalls, seed=2)
    if stalls == "none":
        n_words = config.n_max // n_paths
        latency = fft_latency(config, log2_n, samples_per_clock=n_paths)
        assert result.valid_cycles[0] - result.in_cycles[0] == latency
        assert result.in_cycles == list(range(4 * n_words))
        first = result.out_cycles[0]
        assert result.out_cycles == list(range(first, first + 4 * n_words))
    return result


@pytest.mark.parametrize("stalls", ["none", "both"])
@pytest.mark.parametrize("log2_n", [3, 4, 5, 6])
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_one_size(scaling, n_paths, log2_n, stalls):
    check_one_size(config_of(scaling, log2_n), n_paths, stalls)
