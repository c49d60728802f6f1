# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong for a user, as types. Every message names the thing, the constraint and the
remedy."""

__all__ = [
    "BuildIdMismatchError",
    "DeviceError",
    "DeviceIdentityError",
    "DeviceTimeoutError",
    "ImageChecksumError",
    "ImageError",
    "ImageTooLargeError",
    "ImageTruncatedError",
    "ImageVersionError",
    "InputRangeError",
    "InputShapeError",
    "InputTypeError",
    "MismatchError",
    "NoModelError",
    "SpectramacError",
]


class SpectramacError(Exception):
    """Base of all errors that a user can cause."""


class ImageError(SpectramacError, ValueError):
    """A model image is not what the format says it must be."""


class ImageTruncatedError(ImageError):
    """A model image ends too early."""


class ImageChecksumError(ImageError):
    """A model image was changed after it was written."""


class ImageVersionError(ImageError):
    """A model image has a format version that this software does not read."""


class ImageTooLargeError(ImageError):
    """A model image does not fit a memory of the accelerator."""


class BuildIdMismatchError(SpectramacError, ValueError):
    """Two of image, driver and device are for different configurations.

    Parameters
    ----------
    what : str
        What has the build id ``found``: ``"image"`` or ``"device"``.
    found, expected : int
        Both build ids.
    detail : str
        What differs, and the remedy.
    """

    def __init__(self, what: str, found: int, expected: int, detail: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"the {what} has build id 0x{found:08x}, but this driver's configuration has "
            f"0x{expected:08x}: {detail}"
        )


class InputShapeError(SpectramacError, ValueError):
    """A batch of inputs has the wrong shape."""


class InputTypeError(SpectramacError, TypeError):
    """A batch of inputs has the wrong element type."""


class InputRangeError(SpectramacError, ValueError):
    """A batch of inputs has values that an activation cannot hold."""


class DeviceError(SpectramacError, RuntimeError):
    """The device refused an access or does not answer as it must."""


class DeviceIdentityError(DeviceError):
    """What answers on the bus is not an accelerator of this architecture version."""


class DeviceTimeoutError(DeviceError, TimeoutError):
    """A run did not finish in time."""


class NoModelError(DeviceError):
    """A run was asked for, and no model is (completely) loaded."""


class MismatchError(SpectramacError):
    """Two results that must be identical are not."""
