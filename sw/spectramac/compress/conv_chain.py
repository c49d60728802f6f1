# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The shape of a convolutional network: a chain of convolutions with a classifier behind.

Every convolution is padded by half of its kernel (with stride 1 its output has the size of its input), followed by
a ReLU and perhaps by pooling; the classifier is fully-connected. Weights are given as for dense chains, those of
convolutions with four axes.
"""

from dataclasses import dataclass

__all__ = ["Architecture", "Convolution"]


@dataclass(frozen=True)
class Convolution:
    """One convolution: filters of ``kernel`` x ``kernel`` taps, an odd number, then pooling.

    ``pool``: side of the windows of which the maximum is taken; 1 for none. ``stride``: of the filters, on both axes.
    """

    n_out: int
    kernel: int
    pool: int = 1
    stride: int = 1


@dataclass(frozen=True)
class Architecture:
    """Shape of a network of convolutions.

    Parameters
    ----------
    image : (int, int)
        Height and width of the input, which has one channel.
    convolutions : tuple of Convolution
    n_classes : int

    Raises
    ------
    ValueError
        If a kernel is even, or pooling leaves a rest.
    """

    image: tuple[int, int]
    convolutions: tuple[Convolution, ...]
    n_classes: int

    def __post_init__(self) -> None:
        for i, (c, size) in enumerate(zip(self.convolutions, self.sizes, strict=True)):
            if c.kernel % 2 == 0:
                raise ValueError(f"kernel of convolution {i} must be odd, not {c.kernel!r}")
            if size[0] % c.pool or size[1] % c.pool:
                raise ValueError(
                    f"pool of convolution {i} must divide {size[0]} x {size[1]}, not be {c.pool!r}"
                )

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the maps that each convolution computes."""
        found, (height, width) = [], self.image
        for c in self.convolutions:
            height, width = -(-height // c.stride), -(-width // c.stride)
            found.append((height, width))
            height, width = height // c.pool, width // c.pool
        return tuple(found)

    @property
    def n_features(self) -> int:
        """Inputs of the classifier."""
        last, (height, width) = self.convolutions[-1], self.sizes[-1]
        return last.n_out * (height // last.pool) * (width // last.pool)

    @property
    def name(self) -> str:
        """In words, for tables."""
        parts = []
        for c in self.convolutions:
            pooled = f", {c.pool}x{c.pool} maximum" if c.pool > 1 else ""
            strided = f" stride {c.stride}" if c.stride > 1 else ""
            parts.append(f"{c.n_out} filters {c.kernel}x{c.kernel}{strided}{pooled}")
        return f"{self.image[0]}x{self.image[1]}; {'; '.join(parts)}; {self.n_classes} classes"
