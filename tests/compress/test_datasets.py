# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""IDX files and their errors; splits that are always the same and never overlap."""

import gzip
import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest

from spectramac.compress.conv_chain import Architecture
from spectramac.compress.datasets import FASHION_MNIST, load_dataset, load_training
from spectramac.compress.idx import read_idx, read_idx_pair

N = 20


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.astype(np.uint8).tobytes()


def folder_of(path: Path, *, compressed: bool) -> Path:
    """A tiny Fashion-MNIST."""
    rng = np.random.default_rng(0)
    for start, n in (("train", 6 * N), ("t10k", N)):
        images = rng.integers(0, 256, (n, 28, 28))
        for name, array in (
            (f"{start}-images-idx3-ubyte", images),
            (f"{start}-labels-idx1-ubyte", np.arange(n) % 10),
        ):
            if compressed:
                (path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (path / name).write_bytes(idx(array))
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_idx_is_read(tmp_path, compressed):
    array = np.arange(24).reshape(2, 3, 4)
    data = idx(array)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(data) if compressed else data)
    np.testing.assert_array_equal(read_idx(path, 3), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x00\x08\x01" + bytes(8), "must start with 00000803, not 00000801"),
        (b"", "must start with 00000803, not nothing"),
        (b"\x00\x00\x08\x03\x00\x00", "the header must have 16 bytes, not 6"),
        (idx(np.zeros((2, 3, 4)))[:-1], r"24 bytes, for shape \(2, 3, 4\), not 23"),
        (idx(np.zeros((2, 3, 4))) + b"\x00", "24 bytes, .* not 25"),
        (gzip.compress(idx(np.zeros((2, 3, 4))), mtime=0)[:-9], "must be a whole gzip file"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, data, message):
    path = tmp_path / "images"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"(?s)images.*{message}"):
        read_idx(path, 3)


def test_images_and_labels_must_be_equally_many(tmp_path):
    (tmp_path / "x").write_bytes(idx(np.zeros((3, 2, 2))))
    (tmp_path / "y").write_bytes(idx(np.zeros(2)))
    with pytest.raises(ValueError, match="must hold equally many, not 3 and 2"):
        read_idx_pair(tmp_path / "x", tmp_path / "y")


@pytest.mark.parametrize("compressed", [False, True])
def test_fashion_mnist_from_a_folder(tmp_path, compressed):
    data = load_dataset("fashion-mnist", folder_of(tmp_path, compressed=compressed))
    assert data.sizes == (784, 512, 256, 10)
    assert data.x_test.shape == (N, 784)
    assert len(data.x_train) + len(data.x_validation) == 6 * N
    assert data.x_train.max() <= 1
    np.testing.assert_array_equal(np.bincount(data.y_test), N // 10)


def test_missing_files_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte or .*\.gz in"):
        load_dataset("fashion-mnist", tmp_path)
    with pytest.raises(FileNotFoundError, match="apt install dataset-fashion-mnist"):
        load_dataset("fashion-mnist", tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"must be one of digits, .*fashion-mnist, .* not 'mnist'"):
        load_dataset("mnist")


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="Debian's dataset-fashion-mnist is absent")
def test_debians_fashion_mnist():
    data = load_dataset("fashion-mnist")
    assert (len(data.x_train), len(data.x_validation), len(data.x_test)) == (54000, 6000, 10000)


def parts(data):
    return [("train", data.x_train), ("validation", data.x_validation), ("test", data.x_test)]


def check_split(data) -> None:
    seen = {name: {row.tobytes() for row in x} for name, x in parts(data)}
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert len(seen[a] & seen[b]) <= 1, (a, b)  # a picture that occurs twice in the source
    for y in (data.y_train, data.y_validation, data.y_test):
        assert set(y.tolist()) == set(range(data.n_classes))


def test_digits():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    data = load_dataset("digits")
    assert [len(x) for _, x in parts(data)] == [1149, 288, 360]
    check_split(data)
    again = load_dataset("digits")
    np.testing.assert_array_equal(data.x_validation, again.x_validation)
    np.testing.assert_array_equal(data.y_train, again.y_train)


def test_validation_samples_train_when_merged():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    data = load_dataset("digits")
    merged = data.merged("elsewhere")
    assert merged.validation == "elsewhere"
    assert len(merged.x_validation) == len(merged.y_validation) == 0
    np.testing.assert_array_equal(merged.x_train[:1149], data.x_train)
    np.testing.assert_array_equal(merged.x_train[1149:], data.x_validation)
    np.testing.assert_array_equal(merged.y_train[1149:], data.y_validation)
    np.testing.assert_array_equal(merged.x_test, data.x_test)


def test_digits_for_convolutions():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    flat, images = load_dataset("digits"), load_dataset("digits-conv")
    np.testing.assert_array_equal(images.x_test, flat.x_test)
    np.testing.assert_array_equal(images.y_train, flat.y_train)
    assert flat.convolutions == ()
    shape = Architecture(images.shape, images.convolutions, images.n_classes)
    assert shape.sizes == ((8, 8), (4, 4), (4, 4))
    assert shape.n_features == 128


def test_japanese_vowels():
    if importlib.util.find_spec("sktime") is None:
        pytest.skip("the Japanese vowels come with sktime: pip install 'spectramac[bench]'")
    data = load_dataset("japanese-vowels")
    assert [len(x) for _, x in parts(data)] == [216, 54, 370]
    assert data.sizes == (384, 128, 64, 9)
    assert data.shape == (12, 32)
    # The first value of the first channel of the first test utterance in the file.
    assert data.x_test[0, 0] == pytest.approx(1.635533)
    check_split(data)


def test_a_file_of_a_user_is_split(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 6))
    np.savez(tmp_path / "d.npz", x=x.reshape(40, 2, 3), y=np.arange(40) % 4)
    data = load_training(str(tmp_path / "d.npz"), 6, 4)
    assert (len(data.x_train), len(data.x_validation)) == (30, 10)
    both = np.concatenate([data.x_train, data.x_validation])
    assert sorted(map(tuple, both)) == sorted(map(tuple, x))
    with pytest.raises(ValueError, match=r"x must have shape \(samples, 7\)"):
        load_training(str(tmp_path / "d.npz"), 7, 4)


def test_a_network_must_fit_the_data_set():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    with pytest.raises(ValueError, match="64 inputs and 10 outputs for digits, not 32 and 10"):
        load_training("digits", 32, 10)
