# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a search is for: a budget in bytes or cycles, or a loss of accuracy."""

from dataclasses import dataclass

from spectramac.compress.measure import Size

__all__ = ["Demand"]


@dataclass(frozen=True)
class Demand:
    """One of three: bytes or cycles that may be spent, for the best accuracy; or points of accuracy that may be
    lost, for the fewest bytes.

    Raises
    ------
    ValueError
        If not exactly one is given, or it is not above zero (a loss: negative).
    """

    max_bytes: int | None = None
    max_cycles: float | None = None
    max_loss: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k, v in vars(self).items() if v is not None}
        if len(given) != 1:
            raise ValueError(
                "exactly one of max_bytes, max_cycles and max_loss must be given, not "
                f"{', '.join(given) or 'none'}"
            )
        name, value = next(iter(given.items()))
        if value < 0 or (value == 0 and name != "max_loss"):
            raise ValueError(f"{name} must be above 0, not {value!r}")

    @property
    def is_budget(self) -> bool:
        """Whether bytes or cycles are limited."""
        return self.max_loss is None

    @property
    def text(self) -> str:
        """In words."""
        if self.max_bytes is not None:
            return f"best accuracy within {self.max_bytes} bytes"
        if self.max_cycles is not None:
            return f"best accuracy within {self.max_cycles:g} cycles"
        return f"fewest bytes with a loss of at most {self.max_loss:g} points"

    def excess(self, size: Size, accuracy: float, reference: float) -> float:
        """How far it is missed, as a part of the limit (a loss: in points); at most 0 if it is met.

        ``reference`` is the accuracy of the network before compression, in percent.
        """
        if self.max_bytes is not None:
            return size.stored_bytes / self.max_bytes - 1
        if self.max_cycles is not None:
            return size.cycles / self.max_cycles - 1
        assert self.max_loss is not None
        return reference - accuracy - self.max_loss - 1e-9
