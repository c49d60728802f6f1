# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How long compressing a matrix takes, and how much memory, beside one ``numpy.fft.fft2`` of it.

``python -m spectramac.compress.speed`` prints it. Both are timed in one run and in turns, because machines
are shared; the best of a few is taken.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spectramac.compress.techniques import Sft, Technique

__all__ = ["Speed", "measure"]


@dataclass(frozen=True)
class Speed:
    """One measurement.

    Attributes
    ----------
    n : int
        Rows and columns of the matrix of float64.
    fft_seconds, seconds : float
        CPU time of ``numpy.fft.fft2`` on it, and of transform and threshold.
    peak : float
        Largest memory during compression with the matrix and the result, in sizes of the matrix.
    """

    n: int
    fft_seconds: float
    seconds: float
    peak: float

    @property
    def ratio(self) -> float:
        """Times the time of ``numpy.fft.fft2``."""
        return self.seconds / self.fft_seconds


def measure(
    n: int = 4096,
    density: float = 0.05,
    *,
    technique: Technique | None = None,
    repeats: int = 3,
) -> Speed:
    """Compress a random n x n matrix.

    Parameters
    ----------
    n : int
    density : float
    technique : Technique, optional
        Default: SFT of the whole matrix in the real basis.
    repeats : int
        The fastest of so many is taken, of both.
    """
    chosen = technique or Sft(None, None)
    W = np.random.default_rng(0).normal(size=(n, n))

    def timed(what: Callable[[], object]) -> float:
        # CPU time: neighbours on the machine do not count, threads do.
        start = time.process_time()
        what()
        return time.process_time() - start

    fft_seconds, seconds = [], []
    for _ in range(repeats):
        fft_seconds.append(timed(lambda: np.fft.fft2(W)))
        seconds.append(timed(lambda: chosen.fit(W, density)))
    tracemalloc.start()
    try:
        chosen.fit(W, density)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Speed(n, min(fft_seconds), min(seconds), 1 + peak / W.nbytes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each kind of block."""
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.compress.speed",
        description="Time transform and threshold of a matrix beside numpy.fft.fft2.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=4096, help="rows and columns")
    parser.add_argument("--density", type=float, default=0.05, help="part that is kept")
    options = parser.parse_args(arguments)
    for technique in (Sft(None, None), Sft(64, 64), Sft(8, 8)):
        s = measure(options.size, options.density, technique=technique)
        print(
            f"{technique.name}: {s.n} x {s.n}: {s.seconds:.2f} s, numpy.fft.fft2 "
            f"{s.fft_seconds:.2f} s, ratio {s.ratio:.2f}; peak memory {s.peak:.2f} times the matrix"
        )


if __name__ == "__main__":
    main()
