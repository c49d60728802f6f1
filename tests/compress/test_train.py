# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training: the float student against its teacher, the quantized one against the integer network."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

import torch

from spectramac.compiler.compile import compile_network
from spectramac.compress import train_demo, train_recipe
from spectramac.compress.data import digits
from spectramac.compress.train import cubic_density
from spectramac.compress.train_demo import train
from spectramac.compress.train_recipe import Recipe
from spectramac.model.layer import run_network
from spectramac.model.network import load_network
from spectramac.spec.config import preset

SHORT = Recipe(teacher_epochs=4, prune_epochs=6, tune_epochs=6)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_cubic_density() -> None:
    values = [cubic_density(p, 0.1) for p in (0, 0.25, 0.5, 1, 2)]
    assert values[0] == 1
    assert values[-2:] == pytest.approx([0.1, 0.1])
    assert values == sorted(values, reverse=True)


def test_student_starts_as_the_teacher() -> None:
    data = digits()
    x = train_recipe.to_real(data.x_train[:200])
    recipe = dataclasses.replace(SHORT, teacher_epochs=1)
    teacher = train_recipe.train_teacher(recipe, x, torch.tensor(data.y_train[:200]), 0)
    student = train_recipe.make_student(recipe, teacher)
    torch.testing.assert_close(student(x), teacher(x), rtol=0, atol=1e-5)


def test_integer_network_computes_what_training_saw() -> None:
    """Quantized student and integer network differ by few output steps, on few digits."""
    data = digits()
    x, y = train_recipe.to_real(data.x_train), torch.tensor(data.y_train)
    recipe = dataclasses.replace(SHORT, prune_epochs=2, tune_epochs=1)
    teacher = train_recipe.train_teacher(recipe, x, y, 0)
    student = train_recipe.train_student(recipe, teacher, x, y, 0)
    network = train_recipe.to_network(recipe, student, data.x_train)
    with torch.no_grad():
        expected = student(x).numpy() / network.output_scale
    difference = np.abs(run_network(network, data.x_train.astype(np.int64)) - expected)
    assert np.mean(difference) < 0.5
    assert difference.max() <= 8


def test_augmented_images_stay_int8_steps() -> None:
    x = train_recipe.to_real(digits().x_train[:50])
    y = train_recipe.augment(x, torch.Generator().manual_seed(0)) * 112
    torch.testing.assert_close(y, y.round(), rtol=0, atol=1e-4)
    assert y.min() >= 0
    assert y.max() <= 112.01


def test_bytes_are_those_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a network that was trained before, beside a teacher that hardly was."""
    given = load_network(train_demo.DATA / "digits.npz")
    data = digits()
    x, y = train_recipe.to_real(data.x_train), torch.tensor(data.y_train)
    teacher = train_recipe.train_teacher(dataclasses.replace(SHORT, teacher_epochs=1), x, y, 0)
    monkeypatch.setattr(train_demo, "train", lambda *_: (teacher, given))
    text = train_demo.train_digits(output=tmp_path / "digits.npz")
    network = load_network(tmp_path / "digits.npz")
    stored = compile_network(given, preset("small")).stored_bytes
    assert f", {stored} compressed" in text
    assert network.meta["stored_bytes"] == stored
    assert network.meta["layers"] == given.meta["layers"]


@pytest.mark.long
def test_short_training_learns_and_repeats() -> None:
    data = digits()
    _, first = train(SHORT, data, 1)
    _, second = train(SHORT, data, 1)
    for a, b in zip(first.layers, second.layers, strict=True):
        np.testing.assert_array_equal(a.coefficients, b.coefficients)
        np.testing.assert_array_equal(a.bias, b.bias)
        assert (a.multiplier, a.shift, a.level) == (b.multiplier, b.shift, b.level)
    outputs = run_network(first, data.x_test.astype(np.int64))
    assert np.mean(np.argmax(outputs, axis=1) == data.y_test) > 0.85
