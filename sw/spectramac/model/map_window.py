# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Windows that slide over a map: kernel, stride and padding of convolution and pooling."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from spectramac.model.fixed import Ints

__all__ = ["PIXEL", "Pair", "Window"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Output (y, x) sees the pixels (y·sy + i - top, x·sx + j - left) for 0 ≤ i < h, 0 ≤ j < w.

    Parameters
    ----------
    kernel : (int, int)
        Height h and width w.
    stride : (int, int)
        sy and sx.
    padding : ((int, int), (int, int))
        Pixels beyond the map: (top, bottom), (left, right); each less than the kernel, so that every window meets
        the map.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))

    def __post_init__(self) -> None:
        for name in ("kernel", "stride"):
            value = getattr(self, name)
            if len(value) != 2 or min(value) < 1:
                raise ValueError(f"{name} must be two numbers of at least 1, not {value}")
        if len(self.padding) != 2 or any(
            len(pad) != 2 or not 0 <= min(pad) <= max(pad) < k
            for pad, k in zip(self.padding, self.kernel, strict=True)
        ):
            raise ValueError(
                f"padding must be two pairs from 0 to below the kernel {self.kernel}, not {self.padding}"
            )

    @property
    def n_taps(self) -> int:
        """Pixels of a window."""
        return self.kernel[0] * self.kernel[1]

    def output_size(self, size: Pair) -> Pair:
        """Positions on a map of this height and width: ⌊(extent + padding - kernel) / stride⌋ + 1.

        Raises
        ------
        ValueError
            If there is none.
        """
        spans = zip(size, self.kernel, self.stride, self.padding, strict=True)
        height, width = ((n + sum(pad) - k) // s + 1 for n, k, s, pad in spans)
        if min(height, width) < 1:
            raise ValueError(f"kernel {self.kernel} must fit the padded map, not exceed {size}")
        return height, width

    def gather(self, x: Ints, fill: int = 0) -> Ints:
        """Every window: (batch, height, width, channels) to (batch, rows, columns, taps, channels).

        Tap t = i·w + j. Pixels beyond the map are ``fill``.
        """
        padded = np.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=fill)
        views = sliding_window_view(padded, self.kernel, axis=(1, 2))
        views = views[:, :: self.stride[0], :: self.stride[1]]
        windows: Ints = np.moveaxis(views, 3, -1)
        return windows.reshape(*windows.shape[:3], self.n_taps, x.shape[3])


PIXEL = Window()
"""Of one pixel."""
