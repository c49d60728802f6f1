# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random frames for the transform cores, and what the golden model says must come out; no simulator here."""

from dataclasses import dataclass

import numpy as np

from spectramac.model.fft import fft
from spectramac.spec.payloads import fft_input, fft_output

__all__ = ["Frame", "random_frame", "stimulus"]


@dataclass
class Frame:
    """One frame of stimulus, with its control."""

    re: np.ndarray
    im: np.ndarray
    two_d: bool = False
    inverse: bool = False
    halve: int = 0

    @property
    def log2_n(self):
        return len(self.re).bit_length() - 1

    def expected(self, config):
        return fft(
            self.re,
            self.im,
            config=config,
            log2_n=self.log2_n,
            two_d=self.two_d,
            inverse=self.inverse,
            halve=self.halve,
            bit_reversed=config.order == "bit_reversed",
        )


def random_frame(config, rng, log2_n=None):
    """Any size, direction, scaling and amplitude."""
    if log2_n is None:
        sizes = range(3, config.log2_n_max + 1)
        log2_n = int(rng.choice([n for n in sizes if any(config.allows(n, d) for d in (0, 1))]))
    dimensions = [two_d for two_d in (False, True) if config.allows(log2_n, two_d)]
    amplitude = config.data.maximum >> int(rng.integers(0, 6))
    re, im = rng.integers(-amplitude - 1, amplitude + 1, (2, 1 << log2_n))
    if config.is_fixed:
        return Frame(re, im)
    return Frame(
        re,
        im,
        two_d=dimensions[int(rng.integers(2)) % len(dimensions)],
        inverse=bool(rng.integers(2)),
        halve=int(rng.integers(1 << config.log2_n_max)),
    )


def words(payload, re, im, exponent=0, n=1):
    """Of one frame, ``n`` samples in each; ``exponent`` counts if the payload has it."""
    samples = [{"re": a, "im": b} for a, b in zip(re, im, strict=True)]
    groups = [samples[k : k + n] for k in range(0, len(samples), n)]
    data = [group[0] if n == 1 else {f"x{k}": x for k, x in enumerate(group)} for group in groups]
    last = len(data) - 1
    return [
        payload.pack({"data": word, "exponent": exponent, "last": k == last})
        for k, word in enumerate(data)
    ]


def stimulus(config, frames):
    """Packed inputs and expected outputs of ``frames``, and control for each input."""
    inputs, expected, n = [], [], config.samples_per_clock
    control = (
        {} if config.is_fixed else {key: [] for key in ("log2_n", "two_d", "inverse", "halve")}
    )
    for item in frames:
        inputs += words(fft_input(config), item.re, item.im, n=n)
        result = item.expected(config)
        expected += words(fft_output(config), result.re, result.im, result.exponent, n=n)
        for key, values in control.items():
            values += [int(getattr(item, key))] * (len(item.re) // n)
    return inputs, expected, control
