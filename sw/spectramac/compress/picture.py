# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Draws docs/images/sft.svg: weights, their spectrum, what the threshold keeps, the reconstruction.

``python -m spectramac.compress.picture docs/images/sft.svg`` makes it from the first layer of the
demonstration's dense teacher (data/digits-dense.npz, written by ``spectramac train-demo``). Needs the
extras ``plot`` and ``data``. The file is the same on every run.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.compress.data import digits
from spectramac.compress.sft import Floats, from_orthonormal, inverse_sft, orthonormal, sft
from spectramac.compress.threshold import Mask, by_density, column_rms
from spectramac.model.network import Transform
from spectramac.model.spectrum import pair_map

__all__ = ["Panels", "draw", "load_dense", "make_panels"]

DENSE = Path(__file__).parent / "data" / "digits-dense.npz"
T_IN = Transform("fft2d", 64)
T_OUT = Transform("fft1d", 8)


@dataclass(frozen=True, eq=False)
class Panels:
    """What the four panels show.

    Attributes
    ----------
    W, reconstruction : float array (n_out, 64)
        One row of weights on the 8 x 8 image for each hidden unit.
    spectrum : float array (n_out, 64)
        Orthonormal.
    mask : bool array (n_out, 64)
    weight_error, output_error : float
        Relative errors (root mean square) of the weights, and of W x over the training images.
    """

    W: Floats
    spectrum: Floats
    mask: Mask
    reconstruction: Floats
    weight_error: float
    output_error: float

    @property
    def density(self) -> float:
        """Part of the coefficients that is kept."""
        return float(self.mask.mean())


def load_dense() -> Floats:
    """Weights of the teacher's first 64 hidden units, float (64, 64)."""
    with np.load(DENSE, allow_pickle=False) as file:
        return np.asarray(file["w"], np.float64)


def make_panels(W: Floats, x: Floats, density: float) -> Panels:
    """Transform ``W``, keep the pairs that matter most for inputs ``x`` (batch, 64), transform back."""
    spectrum = orthonormal(sft(W, T_IN, T_OUT), T_IN, T_OUT)
    mask = by_density(spectrum, density, column_rms(x, T_IN))
    kept = from_orthonormal(spectrum * mask, T_IN, T_OUT)
    shape = (W.shape[0], W.shape[1])
    reconstruction = inverse_sft(kept, T_IN, T_OUT, shape)
    lost = W - reconstruction
    return Panels(
        W,
        spectrum,
        mask,
        reconstruction,
        float(np.linalg.norm(lost) / np.linalg.norm(W)),
        float(np.linalg.norm(x @ lost.T) / np.linalg.norm(x @ W.T)),
    )


def _tiles(W: Floats, across: int) -> Floats:
    """Rows as 8 x 8 images, ``across`` in a line, separated by not-a-number."""
    count = W.shape[0] // across
    canvas = np.full((9 * count + 1, 9 * across + 1), np.nan)
    for i, row in enumerate(W[: count * across]):
        top, left = 9 * (i // across) + 1, 9 * (i % across) + 1
        canvas[top : top + 8, left : left + 8] = row.reshape(8, 8)
    return canvas


def _by_frequency() -> np.ndarray[Any, np.dtype[np.int64]]:
    """Columns in order of spatial frequency; the two of a complex bin stay neighbours."""
    p = pair_map(64, True)
    bins = np.stack([p.first, np.where(p.joint, p.first, p.second)], 1).ravel()
    high, low = np.minimum(bins // 8, 8 - bins // 8), np.minimum(bins % 8, 8 - bins % 8)
    return np.argsort(high**2 + low**2, kind="stable")


def draw(path: str | Path, *, density: float = 0.25, n_units: int = 64) -> Panels:
    """Write the picture; the suffix of ``path`` gives the format.

    Parameters
    ----------
    density : float
        Part of the coefficients that the threshold keeps.
    n_units : int
        Hidden units shown, a multiple of 8.

    Returns
    -------
    Panels
        The numbers in the titles.
    """
    import matplotlib
    from matplotlib.figure import Figure

    shown = make_panels(load_dense()[:n_units], digits().x_train.astype(np.float64), density)
    style: Any = {
        "svg.hashsalt": "spectramac",
        "svg.fonttype": "path",
        "font.size": 10,
        "axes.titlesize": 10,
        "image.interpolation": "none",
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(13.6, 4.9), layout="constrained")
        _fill(figure, shown)
        path = Path(path)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=110, metadata=metadata, facecolor="white")
    return shown


def _fill(figure: Any, shown: Panels) -> None:
    axes = figure.subplots(1, 4)
    n_units = len(shown.W)
    limit = float(np.quantile(np.abs(shown.W), 0.995))
    order = _by_frequency()
    magnitude = np.abs(shown.spectrum)[:, order]
    top = float(np.quantile(magnitude, 0.998))
    kept = np.where(shown.mask[:, order], magnitude, np.nan)
    count, n_kept = shown.W.size, int(shown.mask.sum())
    # Two 4-bit values and a 4-bit index a pair, against 8 bits a weight.
    ratio = 8 * count / (6 * n_kept)
    titles = (
        f"1  Weights W\n{n_units} hidden units x 8 x 8 pixels:\n{count} values",
        "2  Spectrum of W\n2-D over the image,\n8 points over the units",
        (
            f"3  What the threshold keeps\n{n_kept} values ({shown.density:.0%}), in 4 bits and with\n"
            f"indices {ratio:.1f} times smaller than int8"
        ),
        (
            f"4  Reconstruction, not yet fine-tuned\nerror of W: {shown.weight_error:.0%}\n"
            f"error of W x on the digits: {shown.output_error:.0%}"
        ),
    )
    weights: dict[str, Any] = {"cmap": "PuOr", "vmin": -limit, "vmax": limit}
    spectra: dict[str, Any] = {"cmap": "cividis", "vmin": 0, "vmax": top, "aspect": "auto"}
    images = (
        axes[0].imshow(_tiles(shown.W, 8), **weights),
        axes[1].imshow(magnitude, **spectra),
        axes[2].imshow(kept, **spectra),
        axes[3].imshow(_tiles(shown.reconstruction, 8), **weights),
    )
    for i, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        axis.set_title(title, loc="left")
        tiles = i in (0, 3)
        if tiles:
            axis.set_axis_off()
        else:
            axis.set_facecolor("white")
            axis.set_box_aspect(1)
            axis.set_xlabel("image frequency, low to high")
            axis.set_ylabel("bins of the units, 8 a block")
            axis.set_xticks([0, 16, 32, 48, 63])
            axis.set_yticks(range(0, n_units + 1, 16))
        label = "weight" if tiles else "magnitude"
        figure.colorbar(
            images[i], ax=axis, location="bottom", shrink=0.8, extend="max" if not tiles else "both"
        ).set_label(label)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.compress.picture",
        description="Draw a weight matrix, its spectrum, what is kept, and the reconstruction.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("path", type=Path, nargs="?", default=Path("docs/images/sft.svg"))
    parser.add_argument("--density", type=float, default=0.25, help="part that is kept")
    options = parser.parse_args(arguments)
    options.path.parent.mkdir(parents=True, exist_ok=True)
    draw(options.path, density=options.density)


if __name__ == "__main__":
    main()
