# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The outer layer of a model image file: magic, version, lengths, checksum.

The layout is in :mod:`spectramac.spec.image`. Lengths are bounded before anything is allocated.
"""

import hashlib
import json
import struct
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

from spectramac.spec.errors import (
    ImageChecksumError,
    ImageError,
    ImageTruncatedError,
    ImageVersionError,
)

__all__ = [
    "FORMAT_VERSION",
    "MAGIC",
    "MAX_FILE_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_PAYLOAD_BYTES",
    "StoredFile",
    "canonical_json",
    "unwrap",
    "wrap",
]

MAGIC = b"\x93SPMAC\r\n"
FORMAT_VERSION = 1
MAX_HEADER_BYTES = 1 << 24
MAX_PAYLOAD_BYTES = 1 << 28

_PREFIX = struct.Struct("<8sHHIQ")
_DIGEST_BYTES = 32
MAX_FILE_BYTES = _PREFIX.size + MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES + _DIGEST_BYTES


def canonical_json(header: Any) -> bytes:
    """The one encoding of a header: sorted keys, no spaces, ASCII, finite numbers."""
    return json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def wrap(header: bytes, payload: bytes) -> bytes:
    """File contents.

    Raises
    ------
    ImageError
        If header or payload are too long for the format.
    """
    _check_lengths("the image", len(header), len(payload))
    body = _PREFIX.pack(MAGIC, FORMAT_VERSION, 0, len(header), len(payload)) + header + payload
    return body + hashlib.sha256(body).digest()


def unwrap(data: bytes, name: str) -> tuple[bytes, bytes]:
    """Header and payload, after everything around them was checked.

    Raises
    ------
    ImageTruncatedError, ImageChecksumError, ImageVersionError, ImageError
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise ImageError(
            f"{name} must be a spectramac image, which starts with {MAGIC!r}, not {data[:8]!r}; "
            "`spectramac compile` writes one"
        )
    remedy = "copy or compile it again"
    if len(data) < _PREFIX.size:
        raise ImageTruncatedError(
            f"{name} must have at least {_PREFIX.size} bytes, not {len(data)}; {remedy}"
        )
    _, version, reserved, header_bytes, payload_bytes = _PREFIX.unpack_from(data)
    if version != FORMAT_VERSION:
        raise ImageVersionError(
            f"{name} must have format version {FORMAT_VERSION}, not {version}; compile the network "
            "with this version of spectramac"
        )
    if reserved:
        raise ImageError(f"{name} must have 0 in the reserved field, not {reserved}; {remedy}")
    _check_lengths(name, header_bytes, payload_bytes)
    total = _PREFIX.size + header_bytes + payload_bytes + _DIGEST_BYTES
    if len(data) < total:
        raise ImageTruncatedError(f"{name} must have {total} bytes, not {len(data)}; {remedy}")
    if len(data) > total:
        raise ImageError(f"{name} must have {total} bytes, not {len(data)}; {remedy}")
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise ImageChecksumError(f"{name} must match its SHA-256 checksum; it is damaged: {remedy}")
    start = _PREFIX.size + header_bytes
    return body[_PREFIX.size : start], body[start:]


def _refuse_constant(text: str) -> None:
    raise ImageError(f"the header must hold finite numbers only, not {text}")


class StoredFile(ABC):
    """What is kept in a file: a header of canonical JSON, and a payload."""

    what = "an image"
    """For messages."""

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """The file's header."""

    @abstractmethod
    def payload(self) -> bytes:
        """What follows it."""

    @classmethod
    @abstractmethod
    def parse(cls, header: dict[str, Any], payload: bytes) -> Self:
        """From a file's parts; any error means that they do not fit."""

    def to_bytes(self) -> bytes:
        """The file contents."""
        return wrap(canonical_json(self.header()), self.payload())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "image") -> Self:
        """Parse file contents.

        Parameters
        ----------
        data : bytes
        name : str
            What to call it in messages.

        Raises
        ------
        ImageTruncatedError, ImageChecksumError, ImageVersionError, ImageError
        """
        text, payload = unwrap(data, name)
        try:
            header = json.loads(text, parse_constant=_refuse_constant)
            if canonical_json(header) != text:
                raise ImageError("the header must be canonical JSON")
            return cls.parse(header, payload)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ImageError(
                f"{name}: the header must have the fields of {cls.what}, format version "
                f"{FORMAT_VERSION}: {error!r}"
            ) from None

    def save(self, path: str | Path) -> None:
        """Write the file."""
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file; raises as :meth:`from_bytes`."""
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        return cls.from_bytes(data, str(path))


def _check_lengths(name: str, header_bytes: int, payload_bytes: int) -> None:
    for what, length, limit in (
        ("header", header_bytes, MAX_HEADER_BYTES),
        ("payload", payload_bytes, MAX_PAYLOAD_BYTES),
    ):
        if length > limit:
            raise ImageError(
                f"{name} must have a {what} of at most {limit} bytes, not {length}; "
                "copy or compile it again"
            )
