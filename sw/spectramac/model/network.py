# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A chain of integer layers, independent of any accelerator configuration: what the compiler takes.

Each layer is one primitive (docs/design.md)::

    y = requantize( T_out⁻¹( S · Θ(T_in(x)) ) )

``S`` is given in the *real Fourier basis* of both sides (:func:`spectramac.model.spectrum.basis`): an integer matrix
whose zeros are not stored. A block of N real values has N basis values, arranged as N/2 *pairs*: pair 0 is
(X[0], X[N/2]) and pair k is (2 Re X[k], 2 Im X[k]) for an input (column) block, (Re Y[k], Im Y[k]) for an output
(row) block. Under the identity transform the basis values are the values themselves.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.model.parameters import check_numbers, read_only
from spectramac.spec.fixed import Format

__all__ = ["Layer", "Network", "Transform", "load_network", "save_network"]

FORMAT_NAME = "spectramac-network"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Transform:
    """A block transform: ``identity``, ``fft1d`` of ``n`` points or ``fft2d`` of a √n × √n tile."""

    kind: Literal["identity", "fft1d", "fft2d"] = "identity"
    n: int = 2

    def __post_init__(self) -> None:
        if self.kind not in ("identity", "fft1d", "fft2d"):
            raise ValueError(
                f"transform kind must be 'identity', 'fft1d' or 'fft2d', not {self.kind!r}"
            )
        if self.kind == "identity":
            if self.n != 2:
                raise ValueError(f"an identity transform has blocks of 2 (one pair), not {self.n}")
            return
        if self.n < 8 or self.n & (self.n - 1):
            raise ValueError(f"transform length must be a power of two from 8 up, not {self.n!r}")
        if self.kind == "fft2d" and self.log2_n % 2:
            raise ValueError(f"fft2d length must be a power of four, not {self.n!r}")

    @property
    def is_fft(self) -> bool:
        """Whether there is anything to transform."""
        return self.kind != "identity"

    @property
    def log2_n(self) -> int:
        """Logarithm of the length; 1 for identity (a block is one pair)."""
        return self.n.bit_length() - 1

    @property
    def two_d(self) -> bool:
        """Whether this is the two-dimensional transform."""
        return self.kind == "fft2d"

    def padded(self, size: int) -> int:
        """``size`` rounded up to whole blocks."""
        return -(-size // self.n) * self.n


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """One layer in integers.

    With ``u = T_in(x)`` (x int8, u exact FFT integers as the golden model rounds them, pairs k ≥ 1 doubled)
    and ``v = S·Θ(u)``, the output is, for channel c,
    ``sat8(round(relu((z[c] + bias[c]) * multiplier[c] / 2**shift[c])))`` where
    ``z = T_out⁻¹(round(v / 2**row_shift))``, each inverse stage halved where ``halve_out`` says so (all
    stages halved: the inverse is the mathematical one with its 1/N).

    Parameters
    ----------
    name : str
        For reports and errors.
    n_in, n_out : int
        Real sizes; blocks are padded with zeros (inputs) or dropped (outputs).
    t_in, t_out : Transform
    coefficients : int array (t_out.padded(n_out), t_in.padded(n_in))
        S. Zero means "not stored". Row pair r holds rows 2r and 2r+1: one stored word holds both.
    coefficient_bits : int
        4 to 8; every coefficient fits a signed integer of that width. Up to 4 is stored in half the space.
    pattern : str
        ``"real"``, or ``"complex"``: every 2x2 block between a complex row pair and a complex column pair is
        [[a, -b], [b, a]] and stored once. Needs FFTs on both sides.
    bias : int array (n_out,)
    multiplier, shift : int or int array (n_out,)
        Requantization; a plain integer is uniform and stored once. 0 ≤ multiplier < 2**15, 0 ≤ shift < 32.
    row_shift : int or int array (padded rows / 2,)
        Bits dropped from the accumulators, per row pair; a plain integer is uniform.
    relu : bool
    halve_in, halve_out : int
        Bit m-1 halves the stage of block 2**m of the forward / inverse FFT.
    level : int
        Θ keeps a column of an inference whose squared magnitude is at least this. Magnitudes are doubled ones:
        (2τ)². 1 drops exact zeros only and changes no result; 0 keeps all.
    """

    name: str
    n_in: int
    n_out: int
    t_in: Transform
    t_out: Transform
    coefficients: NDArray[np.int16]
    coefficient_bits: int
    bias: NDArray[np.int32]
    multiplier: int | NDArray[np.int32]
    shift: int | NDArray[np.int32]
    row_shift: int | NDArray[np.int32] = 0
    pattern: Literal["real", "complex"] = "real"
    relu: bool = False
    halve_in: int = 0
    halve_out: int = 0
    level: int = 1

    def __post_init__(self) -> None:
        def fail(what: str) -> None:
            raise ValueError(f"layer {self.name!r}: {what}")

        if self.n_in < 1 or self.n_out < 1:
            fail(f"n_in and n_out must be at least 1, not {self.n_in!r} and {self.n_out!r}")
        if not 4 <= self.coefficient_bits <= 8:
            fail(f"coefficient_bits must be from 4 to 8, not {self.coefficient_bits!r}")
        object.__setattr__(self, "coefficients", read_only(self.coefficients, np.int16))
        object.__setattr__(self, "bias", read_only(self.bias, np.int32))
        shape = (self.t_out.padded(self.n_out), self.t_in.padded(self.n_in))
        if self.coefficients.shape != shape:
            fail(f"coefficients must have shape {shape}, not {self.coefficients.shape}")
        fmt = Format(self.coefficient_bits)
        if self.coefficients.min() < fmt.minimum or self.coefficients.max() > fmt.maximum:
            fail(f"coefficients must fit {fmt}, not {int(np.abs(self.coefficients).max())}")
        if self.bias.shape != (self.n_out,):
            fail(f"bias must have shape {(self.n_out,)}, not {self.bias.shape}")
        for name, size, bits in (
            ("multiplier", self.n_out, 15),
            ("shift", self.n_out, 5),
            ("row_shift", shape[0] // 2, 5),
        ):
            value = check_numbers(f"layer {self.name!r}", name, getattr(self, name), size, bits)
            object.__setattr__(self, name, value)
        if self.pattern not in ("real", "complex"):
            fail(f"pattern must be 'real' or 'complex', not {self.pattern!r}")
        if self.pattern == "complex" and not (self.t_in.is_fft and self.t_out.is_fft):
            fail("pattern 'complex' needs an FFT on both sides; use 'real'")
        for name, transform in (("halve_in", self.t_in), ("halve_out", self.t_out)):
            value = getattr(self, name)
            limit = 1 << transform.log2_n if transform.is_fft else 1
            if not 0 <= value < limit:
                fail(f"{name} must be from 0 to {limit - 1} for {transform.kind}, not {value!r}")
        if self.level < 0:
            fail(f"level must be 0 or more, not {self.level!r}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """A chain of layers with what is needed to feed it.

    Parameters
    ----------
    layers : tuple of Layer
        ``layers[i].n_out == layers[i + 1].n_in``.
    input_scale, output_scale : float
        Real value of one step of the int8 input and output: real = integer * scale.
    input_map : int array (n_in,), optional
        Input element i of the flattened user input goes to position ``input_map[i]`` of the first layer
        (a permutation into a larger, zero-padded tile, for instance). Default: in order.
    meta : dict
        JSON-serialisable notes (training seed, accuracies, dense sizes).
    """

    layers: tuple[Layer, ...]
    input_scale: float = 1.0
    output_scale: float = 1.0
    input_map: NDArray[np.int32] | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("a network must have at least one layer")
        for a, b in zip(self.layers, self.layers[1:], strict=False):
            if a.n_out != b.n_in:
                raise ValueError(
                    f"layer {b.name!r}: n_in must be {a.n_out}, the n_out of layer {a.name!r}, "
                    f"not {b.n_in}"
                )
        if self.input_map is not None:
            positions = read_only(self.input_map, np.int32)
            n_in = self.layers[0].n_in
            unique = np.unique(positions)
            if positions.ndim != 1 or len(unique) != len(positions):
                raise ValueError("input_map must be a list of different positions")
            if unique[0] < 0 or unique[-1] >= n_in:
                raise ValueError(f"input_map must hold positions from 0 to {n_in - 1}")
            object.__setattr__(self, "input_map", positions)

    @property
    def n_inputs(self) -> int:
        """Elements of one flattened user input."""
        return self.layers[0].n_in if self.input_map is None else len(self.input_map)

    @property
    def n_outputs(self) -> int:
        """Elements of one output."""
        return self.layers[-1].n_out


_ARRAYS = ("coefficients", "bias", "multiplier", "shift", "row_shift")


def save_network(network: Network, path: str | Path) -> None:
    """Write a network as a compressed ``.npz`` without pickled objects; byte-reproducible content."""
    arrays: dict[str, NDArray[Any]] = {}
    layers = []
    for i, layer in enumerate(network.layers):
        entry: dict[str, Any] = {
            key: getattr(layer, key)
            for key in ("name", "n_in", "n_out", "coefficient_bits", "pattern", "relu")
        }
        entry |= {key: getattr(layer, key) for key in ("halve_in", "halve_out", "level")}
        for key in ("t_in", "t_out"):
            transform = getattr(layer, key)
            entry[key] = {"kind": transform.kind, "n": transform.n}
        for key in _ARRAYS:
            value = getattr(layer, key)
            if isinstance(value, int):
                entry[key] = value
            else:
                arrays[f"{i}.{key}"] = value.astype(np.int8 if key == "coefficients" else np.int32)
        layers.append(entry)
    if network.input_map is not None:
        arrays["input_map"] = network.input_map
    header = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "input_scale": network.input_scale,
        "output_scale": network.output_scale,
        "meta": network.meta,
        "layers": layers,
    }
    text = json.dumps(header, sort_keys=True).encode()
    arrays["header"] = np.frombuffer(text, np.uint8)
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_network(path: str | Path) -> Network:
    """Read a network written by :func:`save_network`; executes no code.

    Raises
    ------
    ValueError
        If the file is not such a network, is damaged, or has another version.
    """
    import zipfile
    import zlib

    try:
        with np.load(Path(path), allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]).decode())
            arrays = {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path} must be a spectramac network file: {error}") from error
    if header.get("format") != FORMAT_NAME or header.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} must be {FORMAT_NAME} version {FORMAT_VERSION}, not "
            f"{header.get('format')!r} version {header.get('version')!r}"
        )
    layers = []
    for i, entry in enumerate(header["layers"]):
        values = dict(entry)
        for key in ("t_in", "t_out"):
            values[key] = Transform(**values[key])
        values |= {key: arrays[f"{i}.{key}"] for key in _ARRAYS if f"{i}.{key}" in arrays}
        layers.append(Layer(**values))
    return Network(
        layers=tuple(layers),
        input_scale=header["input_scale"],
        output_scale=header["output_scale"],
        input_map=arrays.get("input_map"),
        meta=header["meta"],
    )
