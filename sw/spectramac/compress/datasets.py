# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Labelled data of the benchmark, always split in the same way: training, validation, test.

===================  =================================================================  ====================
name                 what                                                               comes with
===================  =================================================================  ====================
``digits``           1797 handwritten digits, 8 x 8 pixels, 10 classes                  scikit-learn
``fashion-mnist``    70 000 pictures of clothes, 28 x 28 pixels, 10 classes             IDX files of the user,
                                                                                        or Debian's package
``japanese-vowels``  640 utterances of /ae/ by 9 speakers, to be told apart: 12 LPC     sktime
                     cepstrum coefficients over time (Kudo, Toyama, Shimbo 1999, UCI)
``digits-conv``      the same digits, for a convolutional network                       scikit-learn
===================  =================================================================  ====================

Japanese vowels because it is speech, is small enough to be shipped, and has a test part of other recording
sessions that its authors fixed. Nothing is downloaded.

Whatever is chosen is chosen on the validation part, a stratified part of the authors' training data, or on folds of
that data (:meth:`DataSet.fold`).
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.choose import folds_of
from spectramac.compress.conv_chain import Convolution
from spectramac.compress.data import INPUT_SCALE, SPLIT, digits
from spectramac.compress.idx import find_idx, read_idx_pair
from spectramac.compress.labelled import MAX_CALIBRATION, read_samples

__all__ = [
    "DATASETS",
    "FASHION_MNIST",
    "DataSet",
    "TrainingData",
    "cut",
    "load_dataset",
    "load_training",
]

Labels = NDArray[np.int64]

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the files."""

N_FRAMES = 32
"""Frames that every utterance of ``japanese-vowels`` is stretched to; the longest has 29."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingData:
    """What training and choosing may see.

    Attributes
    ----------
    x_train, x_validation : float array (samples, n_in)
    y_train, y_validation : int array (samples,)
        From 0 to ``n_classes - 1``.
    n_classes : int
    """

    x_train: Floats
    y_train: Labels
    x_validation: Floats
    y_validation: Labels
    n_classes: int

    @property
    def n_in(self) -> int:
        """Elements of one input."""
        return int(self.x_train.shape[1])

    @property
    def calibration(self) -> Floats:
        """Training inputs for scales and the choice of coefficients: the first, in random order."""
        return self.x_train[:MAX_CALIBRATION]


@dataclass(frozen=True, eq=False, kw_only=True)
class DataSet(TrainingData):
    """Data of the benchmark.

    Attributes
    ----------
    name : str
    shape : (int, int)
        Of one input, row-major: height and width of an image; channels and frames of a series.
    is_image : bool
    hidden : tuple of int
        Widths of the hidden layers of the network that the benchmark compresses.
    convolutions : tuple of Convolution
        If there are any, that network has these instead.
    x_test : float array (samples, n_in)
    y_test : int array (samples,)
    split : str
        Where the test part comes from, in words.
    validation : str
        Where the validation part does.
    """

    name: str
    shape: tuple[int, int]
    is_image: bool
    hidden: tuple[int, ...]
    x_test: Floats
    y_test: Labels
    split: str
    validation: str = ""
    convolutions: tuple[Convolution, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of all layers of that network: inputs, hidden, classes."""
        return (self.n_in, *self.hidden, self.n_classes)

    def part(self, name: Literal["validation", "test"]) -> tuple[Floats, Labels]:
        """Inputs and labels of what chooses, or of what reports."""
        if name == "test":
            return self.x_test, self.y_test
        return self.x_validation, self.y_validation

    def merged(self, validation: str) -> "DataSet":
        """The same without a validation part: its samples train. ``validation`` says what is chosen on instead."""
        return replace(
            self,
            x_train=np.concatenate([self.x_train, self.x_validation]),
            y_train=np.concatenate([self.y_train, self.y_validation]),
            x_validation=self.x_validation[:0],
            y_validation=self.y_validation[:0],
            validation=validation,
        )

    def fold(self, number: int, n_folds: int, seed: int) -> "DataSet":
        """A stratified fold of the training part as validation part; the other folds train.

        There is no test part: what is chosen on folds never sees it.
        """
        held_out = folds_of(self.y_train, n_folds, seed) == number
        return replace(
            self,
            x_train=self.x_train[~held_out],
            y_train=self.y_train[~held_out],
            x_validation=self.x_train[held_out],
            y_validation=self.y_train[held_out],
            x_test=self.x_test[:0],
            y_test=self.y_test[:0],
            validation=f"fold {number} of {n_folds}",
        )


def cut(x: Floats, y: Labels, parts: int, seed: int) -> tuple[Floats, Labels, Floats, Labels]:
    """Training and validation, one part of ``parts``, stratified; both in random order."""
    fold = folds_of(y, parts, seed)
    order = np.random.default_rng(seed).permutation(len(y))
    chosen = fold[order] == 0
    train, validation = order[~chosen], order[chosen]
    return x[train], y[train], x[validation], y[validation]


def _dataset(
    name: str,
    parts: int,
    training: tuple[Floats, Labels],
    test: tuple[Floats, Labels],
    shape: tuple[int, int],
    hidden: tuple[int, ...],
    split: str,
    *,
    is_image: bool = True,
) -> DataSet:
    x_train, y_train, x_validation, y_validation = cut(*training, parts, seed=0)
    return DataSet(
        name=name,
        shape=shape,
        is_image=is_image,
        hidden=hidden,
        n_classes=int(max(training[1].max(), test[1].max())) + 1,
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        x_test=test[0],
        y_test=test[1],
        split=split,
        validation=f"1 of {parts} of the training samples, stratified, seed 0",
    )


def _digits(path: Path | None) -> DataSet:
    data = digits()
    training = data.x_train.astype(np.float64) * INPUT_SCALE, data.y_train
    test = data.x_test.astype(np.float64) * INPUT_SCALE, data.y_test
    return _dataset("digits", 5, training, test, (8, 8), (256, 128), SPLIT)


def _digits_conv(path: Path | None) -> DataSet:
    layers = (Convolution(16, 5, pool=2), Convolution(32, 3), Convolution(32, 3, pool=2))
    return replace(_digits(path), name="digits-conv", hidden=(), convolutions=layers)


def _fashion_mnist(path: Path | None) -> DataSet:
    folder = path or FASHION_MNIST
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} must be a folder with the IDX files of Fashion-MNIST; use: apt install "
            "dataset-fashion-mnist, or give the path of the files"
        )
    parts = []
    for start in ("train", "t10k"):
        names = (f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte")
        x, y = read_idx_pair(*(find_idx(folder, name) for name in names))
        parts.append((x.reshape(len(x), -1) / 255, y))
    shape = (28, 28)
    if any(x.shape[1] != shape[0] * shape[1] for x, _ in parts):
        raise ValueError(f"{folder}: images must have {shape[0]} x {shape[1]} pixels")
    split = "the authors' 60 000 training and 10 000 test images"
    return _dataset("fashion-mnist", 10, parts[0], parts[1], shape, (512, 256), split)


def _read_series(path: Path) -> tuple[Floats, Labels]:
    """A ``.ts`` file of equally many channels, each stretched to :data:`N_FRAMES` frames by interpolation.

    After ``@data`` a sample a line: channels and label between colons, values between commas.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise ValueError(f"{path}: there must be a line @data")
    samples, labels = [], []
    for line in filter(None, lines[start + 1 :]):
        *channels, label = line.split(":")
        rows = []
        for channel in channels:
            values = np.array(channel.split(","), np.float64)
            at = np.linspace(0, len(values) - 1, N_FRAMES)
            rows.append(np.interp(at, np.arange(len(values)), values))
        samples.append(np.concatenate(rows))
        labels.append(int(label) - 1)
    return np.array(samples), np.array(labels, np.int64)


def _japanese_vowels(path: Path | None) -> DataSet:
    # Only the files are read: importing sktime takes seconds.
    found = importlib.util.find_spec("sktime")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            "sktime must be installed for the Japanese vowels, which it ships; use: pip install "
            "'spectramac[bench]'"
        )
    folder = Path(found.origin).parent / "datasets" / "data" / "JapaneseVowels"
    train, test = (_read_series(folder / f"JapaneseVowels_{p}.ts") for p in ("TRAIN", "TEST"))
    split = f"the authors' {len(train[1])} training and {len(test[1])} test utterances"
    shape = (train[0].shape[1] // N_FRAMES, N_FRAMES)
    return _dataset("japanese-vowels", 5, train, test, shape, (128, 64), split, is_image=False)


_LOADERS: dict[str, Callable[[Path | None], DataSet]] = {
    "digits": _digits,
    "digits-conv": _digits_conv,
    "fashion-mnist": _fashion_mnist,
    "japanese-vowels": _japanese_vowels,
}
DATASETS = tuple(_LOADERS)


def load_dataset(name: str, fashion_mnist: str | Path | None = None) -> DataSet:
    """A data set of the benchmark, always the same.

    Parameters
    ----------
    name : str
        One of :data:`DATASETS`.
    fashion_mnist : path, optional
        Folder with the four IDX files, as they are or compressed by gzip. Default: :data:`FASHION_MNIST`.

    Raises
    ------
    ValueError
        If there is no such data set, or a file is wrong.
    ModuleNotFoundError, FileNotFoundError
        If what ships the data is not installed; says what to do.
    """
    if name not in _LOADERS:
        raise ValueError(f"data set must be one of {', '.join(DATASETS)}, not {name!r}")
    return _LOADERS[name](None if fashion_mnist is None else Path(fashion_mnist))


def load_training(
    source: str,
    n_in: int,
    n_classes: int,
    *,
    seed: int = 0,
    fashion_mnist: str | Path | None = None,
    shape: tuple[int, ...] | None = None,
) -> TrainingData:
    """Training and validation data by the name of a data set or from an ``.npz`` file with ``x`` and ``y``.

    Of a file's samples a quarter is for validation, random by ``seed``, stratified. ``shape`` is as of
    :func:`~spectramac.compress.labelled.load_labelled`.

    Raises
    ------
    ValueError
        If names, shapes, types or values are wrong, or do not fit the network's ``n_in`` and
        ``n_classes``.
    """
    if source in _LOADERS:
        data = load_dataset(source, fashion_mnist)
        if (data.n_in, data.n_classes) != (n_in, n_classes):
            raise ValueError(
                f"the network must have {data.n_in} inputs and {data.n_classes} outputs for "
                f"{source}, not {n_in} and {n_classes}"
            )
        return data
    x, y = read_samples(source, n_in, n_classes, shape)
    x_train, y_train, x_validation, y_validation = cut(x, y, 4, seed)
    return TrainingData(
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        n_classes=n_classes,
    )
