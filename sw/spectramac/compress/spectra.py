# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Spectra of a layer before and after compression, as figures and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.sft import orthonormal_sft
from spectramac.compress.techniques import Quantization, Structured
from spectramac.model.network import Network

__all__ = ["LayerSpectra", "chain_spectra", "draw_spectra", "reduce_to"]

Steps = Sequence[Floats | float]

_PIXELS = 256
"""Of a side of a picture, at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerSpectra:
    """One dense layer, in the basis in which its coefficients are stored.

    Attributes
    ----------
    names : tuple of str
        Of the integer layers that it became.
    sizes : tuple of int
        Coefficients of each of these at full density.
    technique : str
    density : float
        That the technique was asked for.
    basis : str
        Of ``before`` and ``after``: ``"spectrum"``, or ``"weights"`` where nothing is transformed (and for
        several layers in series, which have no common spectrum).
    before, after : float array (rows, columns)
        Orthonormal; after thresholding and quantization, zero where nothing is stored.
    kept : float
        Part of the coefficients that is stored.
    error : float
        Relative error of the weights, root mean square.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    technique: str
    density: float
    basis: str
    before: Floats
    after: Floats
    kept: float
    error: float

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        weights: Floats,
        density: float,
        fit: Structured,
        quantization: Quantization,
        steps: Steps | None = None,
    ) -> "LayerSpectra":
        """What ``fit`` makes of ``weights`` (n_out, n_in) once it is quantized, in these steps, if any are given."""
        done = fit.quantized(quantization, steps)
        if len(fit.stages) > 1:
            before, after, basis = weights, done.dense(), "weights"
        else:
            (stage,) = done.stages
            placed = np.zeros((len(weights), stage.n_in))
            places = slice(None) if fit.input_map is None else fit.input_map
            placed[:, places] = weights
            before, after = orthonormal_sft(placed, stage.t_in, stage.t_out), stage.spectrum
            basis = "spectrum" if stage.t_in.is_fft or stage.t_out.is_fft else "weights"
        return cls(
            names=names,
            sizes=tuple(stage.n_coefficients for stage in fit.stages),
            technique=fit.technique,
            density=density,
            basis=basis,
            before=before,
            after=after,
            kept=sum(int(s.mask.sum()) for s in fit.stages)
            / sum(s.n_coefficients for s in fit.stages),
            error=done.error(weights),
        )


def chain_spectra(
    network: Network,
    chain: Sequence[DenseLayer],
    choices: Sequence[Choice],
    fits: Sequence[Structured],
    steps: Sequence[Steps | None] | None = None,
) -> list[LayerSpectra]:
    """What became of every dense layer of a chain.

    Parameters
    ----------
    network : Network
        The integer layers that it became, in the same order.
    chain : sequence of (weights, bias)
    choices : sequence of Choice
    fits : sequence of Structured
        Before quantization.
    steps : sequence, optional
        Of the coefficients of every layer, one a stage. Default: those of least error.
    """
    found, first = [], 0
    given = [None] * len(chain) if steps is None else steps
    for (w, _), choice, fit, step in zip(chain, choices, fits, given, strict=True):
        names = tuple(layer.name for layer in network.layers[first : first + len(fit.stages)])
        found.append(LayerSpectra.of(names, w, choice.density, fit, choice.quantization, step))
        first += len(fit.stages)
    return found


def reduce_to(values: Floats, size: int) -> Floats:
    """The largest value of each tile, with as small tiles as leave ``size`` rows and columns at most."""
    rows, columns = (-(-n // size) for n in values.shape)
    padded = np.pad(values, ((0, -values.shape[0] % rows), (0, -values.shape[1] % columns)))
    tiles = padded.reshape(padded.shape[0] // rows, rows, -1, columns)
    return np.asarray(tiles.max(axis=(1, 3)))


def draw_spectra(shown: LayerSpectra, path: str | Path) -> None:
    """Magnitudes before and after side by side, on one scale; the suffix of ``path`` gives the format.

    What is not stored is white. Large matrices are drawn as the largest magnitude of each tile. The same
    spectra give the same SVG.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    import matplotlib
    from matplotlib.figure import Figure

    before, after = (reduce_to(np.abs(x), _PIXELS) for x in (shown.before, shown.after))
    top = float(np.quantile(before, 0.998)) or 1.0
    style: Any = {"svg.hashsalt": "spectramac", "svg.fonttype": "path", "font.size": 9}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(9.4, 3.6), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        rows, columns = shown.before.shape
        for axis, values, when in zip(axes, (before, after), ("before", "after"), strict=True):
            image = axis.imshow(
                np.where(values > 0, values, np.nan),
                cmap="viridis_r", vmin=0, vmax=top, aspect="auto", interpolation="nearest",
                extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
            )  # fmt: skip
            axis.set_title(f"{shown.basis} {when}", loc="left")
            axis.set_xlabel("column")
        axes[0].set_ylabel("row")
        figure.colorbar(image, ax=axes, extend="max").set_label("magnitude")
        path = Path(path)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=110, metadata=metadata, facecolor="white")
