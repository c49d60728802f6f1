# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of compressed chains: what it keeps to, what it reaches, and the integers that come out."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.clusters import N_CLASSES
from tests.compress.training_cases import CHAINS, SHORT, chain, choices, task

from spectramac.compress.post_training import Choice
from spectramac.compress.procedure import Procedure
from spectramac.compress.quantize import activation_scale
from spectramac.compress.techniques import Pruning, Quantization, SpectralInput, Thresholding
from spectramac.compress.train_compressed import TrainedNetwork, train_compressed
from spectramac.compress.train_distillation import Imitation, VersionedImitation, dense_network
from spectramac.compress.train_student import Student
from spectramac.compress.versions import Versions
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.layer import run_layer, run_network
from spectramac.model.network import Network


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(name: str = "sft", procedure: Procedure = SHORT, **options: object) -> TrainedNetwork:
    x, y = task()
    plans = options.pop("plans", None) or choices(name)
    return train_compressed(chain(), plans, x, y, procedure, device="cpu", **options)  # type: ignore[arg-type]


def integer_accuracy(network: Network, x: np.ndarray, y: np.ndarray) -> float:
    return accuracy(run_network(network, quantize_input(x, network.input_scale)), y)


@pytest.mark.parametrize("name", CHAINS)
def test_the_student_starts_as_the_chain(name: str) -> None:
    """Where the structure can express it: exactly, with all coefficients."""
    layers, (x, _) = chain(), task(50)
    student = Student(layers, choices(name, 1.0), x)
    dense = x
    for i, (w, b) in enumerate(layers):
        dense = dense @ w.T + b
        dense = np.maximum(dense, 0) if i < 2 else dense
    with torch.no_grad():
        got = student(torch.tensor(x, dtype=torch.float32)).numpy()
    if name == "complex":
        assert np.abs(got - dense).max() > 0.1
    else:
        np.testing.assert_allclose(got, dense, rtol=0, atol=2e-4)


def _gains(trained: TrainedNetwork) -> list[float]:
    """Output steps by which independent errors of one input step change an output, at most."""
    gains, scale = [], trained.input_scale
    for layer, activation in zip(trained.student.layers, trained.student.activations, strict=True):
        norms = np.linalg.norm(layer.to_structured().dense(), axis=1)
        gains.append(float(norms.max()) * scale / activation.step)
        scale = activation.step
    return gains


@pytest.mark.parametrize("name", CHAINS)
def test_integers_are_what_training_saw(name: str) -> None:
    """Each layer, on the integers that come to it, within one output step, if it does not magnify its inputs'
    rounding; the classes agree."""
    trained = run(name, dataclasses.replace(SHORT, prune_epochs=1, tune_epochs=1))
    x, _ = task(200, seed=3)
    network = trained.export(x)
    values = quantize_input(np.random.default_rng(1).random(x.shape) * x.max(), network.input_scale)
    scale, position = network.input_scale, 0
    values = values.astype(np.int64)
    gains = _gains(trained)
    assert sum(gain < 3 for gain in gains) >= 2
    for i, layer in enumerate(trained.student.layers):
        inputs = torch.tensor(values * scale, dtype=torch.float32)
        scale = trained.student.activations[i].step
        with torch.no_grad():
            expected = np.rint(trained.student.output(i, inputs).numpy() / scale)
        values = layer.structured.place(values)
        count = len(layer.stages)
        for integer in network.layers[position : position + count]:
            values = run_layer(integer, values).y
        position += count
        difference = np.abs(values - expected)
        assert difference.max() <= (1 if gains[i] < 3 else 2)
        assert np.mean(difference > 0) < 0.1 * gains[i]
        assert np.abs(expected).max() > 40
    assert position == len(network.layers)
    outputs, predicted = (
        run_network(network, quantize_input(x, network.input_scale)),
        trained.predict(x),
    )
    assert np.mean(outputs.argmax(1) == predicted.argmax(1)) > 0.97


def test_exact_where_formats_allow() -> None:
    """No transforms, steps that are powers of two, biases on the grid: equal outputs, everywhere, end to end."""
    x, y = task()
    procedure = dataclasses.replace(SHORT, tune_epochs=0)
    trained = train_compressed(
        chain(), choices("prune"), x, y, procedure, input_scale=2.0**-6, device="cpu"
    )
    scale = trained.input_scale
    with torch.no_grad():
        for layer, activation in zip(
            trained.student.layers, trained.student.activations, strict=True
        ):
            (stage,) = layer.stages
            stage.log_step.copy_(_power(stage.log_step))
            activation.log_step.copy_(_power(activation.log_step))
            unit = scale * float(torch.exp(stage.log_step))
            stage.bias.copy_(torch.round(stage.bias / unit) * unit)
            scale = float(torch.exp(activation.log_step))
    # A logarithm is not exact; what it stands for must be.
    network = trained.export(x)
    assert all(np.log2(layer.multiplier) % 1 == 0 for layer in network.layers)
    assert all(layer.row_shift == 0 for layer in network.layers)
    inputs = np.random.default_rng(2).random((500, x.shape[1])) * 2
    outputs = run_network(network, quantize_input(inputs, network.input_scale))
    np.testing.assert_array_equal(outputs, np.rint(trained.predict(inputs) / network.output_scale))
    assert len(np.unique(outputs)) > 50


def _power(log_step: torch.Tensor) -> torch.Tensor:
    return torch.round(log_step / np.log(2)) * np.log(2)


@pytest.mark.parametrize("name", ["sft", "complex", "sparse-input", "prune"])
def test_masks_have_the_density_and_training_recovers(name: str) -> None:
    plans = choices(name, 0.25, bits=4)
    x, y = task()
    layers = chain()
    at_once = train_compressed(
        layers, plans, x, y, dataclasses.replace(SHORT, prune_epochs=0, tune_epochs=0), device="cpu"
    )
    long = dataclasses.replace(
        SHORT, prune_epochs=15, tune_epochs=8, prune_rate=2e-2, tune_rate=1e-2, mask_interval=20
    )
    trained = run(plans=plans, procedure=long)
    test_x, test_y = task(400, seed=5)
    before = integer_accuracy(at_once.export(x), test_x, test_y)
    after = integer_accuracy(trained.export(x), test_x, test_y)
    assert before < 60
    assert after > 97
    for choice, layer in zip(plans, trained.student.layers, strict=True):
        (stage,) = layer.to_structured().stages
        whole = choice.technique.select(stage, 1.0)
        assert stage.mask.sum() == pytest.approx(0.25 * whole.sum(), abs=0.02 * stage.mask.size)


def test_masks_follow_the_trained_values() -> None:
    """Not those of the float weights; once chosen, they stay."""
    plans = choices("prune", 0.3)
    x, _ = task()
    once = run(plans=plans, procedure=dataclasses.replace(SHORT, ramp=0.0))
    gradual = run(plans=plans)
    first = [layer.to_structured().stages[0].mask for layer in once.student.layers]
    later = [layer.to_structured().stages[0].mask for layer in gradual.student.layers]
    for (weights, _), choice, mask in zip(chain()[:1], plans, first, strict=False):
        fitted = choice.technique.fit(weights, 0.3, inputs=np.rint(x / x.max() * 127))
        assert np.mean(fitted.stages[0].mask == mask) > 0.97  # on another sample of the inputs
    assert np.mean(first[0] == later[0]) < 0.97


@pytest.mark.parametrize("name", ["sft", "low-rank"])
def test_the_same_seed_gives_the_same_network(name: str) -> None:
    networks = [run(name, seed=seed).export(task()[0]) for seed in (3, 3, 4)]
    for a, b, c in zip(*(network.layers for network in networks), strict=True):
        np.testing.assert_array_equal(a.coefficients, b.coefficients)
        np.testing.assert_array_equal(a.bias, b.bias)
        assert not np.array_equal(a.coefficients, c.coefficients)


def test_fine_tuning_keeps_the_masks_of_fit() -> None:
    """Zero prune epochs: the mask of the weights; training changes the values only."""
    trained = run(procedure=dataclasses.replace(SHORT, prune_epochs=0, tune_epochs=2))
    still = run(procedure=dataclasses.replace(SHORT, prune_epochs=0, tune_epochs=0))
    for a, b in zip(trained.student.layers, still.student.layers, strict=True):
        np.testing.assert_array_equal(a.stages[0].mask, b.stages[0].mask)
        assert not torch.equal(a.stages[0].spectrum, b.stages[0].spectrum)


def test_removed_neurons_are_gone_from_the_next_layer() -> None:
    trained = run("neurons")
    network = trained.export(task()[0])
    assert [layer.n_out for layer in network.layers] == [10, 6, 4]
    assert [layer.n_in for layer in network.layers] == [32, 10, 6]


def test_features_of_a_wider_teacher() -> None:
    """The map between other widths is trained, and hidden activations come nearer to the teacher's."""
    layers, teacher = chain(), chain((40, 16), seed=1)
    x, y = task()
    values = torch.tensor(x, dtype=torch.float32)
    losses = []
    for weight in (0.0, 20.0):
        procedure = dataclasses.replace(SHORT, features=weight, prune_epochs=8)
        trained = train_compressed(
            layers, choices("sft"), x, y, procedure, teacher=teacher, device="cpu"
        )
        with torch.no_grad():
            hidden = trained.student.trace(values)[1].numpy()
        target = np.maximum(
            np.maximum(x @ teacher[0][0].T + teacher[0][1], 0) @ teacher[1][0].T + teacher[1][1], 0
        )
        losses.append(np.square(hidden - target).mean() / np.square(target).mean())
    assert losses[1] < 0.7 * losses[0]


def test_the_teacher_is_asked_about_augmented_inputs() -> None:
    layers, (x, y) = chain(), task(64)
    student = Student(layers, choices("prune", 1.0), x)
    inputs, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    procedure = Procedure(distillation=1.0)
    losses = []
    for fixed in (True, False):
        imitation = Imitation(
            student, dense_network(layers), inputs, labels, procedure, fixed,
            torch.Generator().manual_seed(0),
        )  # fmt: skip
        moved = inputs.flip(1)
        loss = imitation.loss(imitation(moved), torch.arange(64), moved)
        losses.append(float(loss.detach()))
    assert losses[0] > 0.1
    assert losses[1] == pytest.approx(0, abs=1e-5)


def versions_of(x: np.ndarray, scale: float, logits: np.ndarray) -> Versions:
    """The samples, and the same reversed; the first has these logits, the second their opposite."""
    steps = quantize_input(x, scale)
    return Versions(
        inputs=np.array([steps, steps[:, ::-1]]),
        logits=np.array([logits, -logits], np.float32),
        plain=0.25,
    )


def test_every_version_has_its_own_logits() -> None:
    """The loss compares a drawn version with what the teacher says of that version, not of the sample."""
    layers, (x, y) = chain(), task(64)
    scale = 1 / 32
    student = Student(layers, choices("prune", 1.0), x)
    inputs, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    versions = versions_of(x, scale, np.zeros((64, N_CLASSES)))
    with torch.no_grad():
        found = [student(torch.tensor(v * scale, dtype=torch.float32)) for v in versions.inputs]
    versions = dataclasses.replace(versions, logits=torch.stack(found).numpy())
    generator = torch.Generator().manual_seed(0)
    imitation = VersionedImitation(
        student, dense_network(layers), inputs, labels, Procedure(distillation=1.0), generator,
        versions, scale,
    )  # fmt: skip
    drawn = imitation.draw(torch.arange(64), generator)
    assert torch.equal(drawn % 64, torch.arange(64))
    assert 8 <= int((drawn >= 64).sum()) <= 40
    loss = imitation.loss(imitation(drawn), torch.arange(64), drawn)
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5)
    loss = imitation.loss(imitation(drawn), torch.arange(64), (drawn + 64) % 128)
    assert float(loss.detach()) > 0.1


def test_given_logits_teach_instead_of_the_network() -> None:
    """Wrong labels and a teacher of no use: only the logits of the versions say which class is which."""
    x, y = task()
    scale = activation_scale(x, "max")
    logits = 6.0 * np.eye(N_CLASSES)[y]
    versions = dataclasses.replace(versions_of(x, scale, logits), plain=1.0)
    trained = train_compressed(
        chain(),
        choices("prune"),
        x,
        np.roll(y, 1),
        dataclasses.replace(SHORT, distillation=1.0),
        input_scale=scale,
        teacher=[(np.zeros((N_CLASSES, x.shape[1])), np.zeros(N_CLASSES))],
        versions=versions,
        device="cpu",
    )
    assert accuracy(trained.predict(x), y) > 90


def test_features_are_unknown_with_versions() -> None:
    x, y = task(64)
    versions = versions_of(x, 1 / 32, np.zeros((64, N_CLASSES)))
    with pytest.raises(ValueError, match="features must be 0 with versions"):
        train_compressed(
            chain(), choices("prune"), x, y, dataclasses.replace(SHORT, features=1.0),
            input_scale=1 / 32, versions=versions, device="cpu",
        )  # fmt: skip


def test_labels_alone_are_a_teacher() -> None:
    """Without distillation the teacher has no say: any one gives the same network."""
    procedure = dataclasses.replace(SHORT, distillation=0.0)
    a, b = (run(procedure=procedure, teacher=chain(seed=s)).predict(task()[0]) for s in (0, 1))
    np.testing.assert_array_equal(a, b)


def test_augmented_inputs_stay_on_int8_steps() -> None:
    seen = []

    def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.append(x)
        return x + 0.01 * torch.randn(x.shape, generator=generator)

    trained = run(
        procedure=dataclasses.replace(SHORT, prune_epochs=1, tune_epochs=0), augment=augment
    )
    steps = torch.cat(seen) / trained.input_scale
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)
    assert len(steps) == 300


def test_go_on_at_another_density() -> None:
    """Values and density of the first training are where the second begins."""
    first = run(plans=choices("sft", 0.3))
    x, y = task()
    still = dataclasses.replace(SHORT, prune_epochs=0, tune_epochs=0)
    again = train_compressed(chain(), choices("sft", 0.5), x, y, still, start=first, device="cpu")
    for old, new in zip(first.student.layers, again.student.layers, strict=True):
        was, now = old.to_structured().stages[0], new.to_structured().stages[0]
        both = was.mask & now.mask
        assert both.sum() > 0.9 * was.mask.sum()
        np.testing.assert_array_equal(was.spectrum[both], now.spectrum[both])
        assert now.n_values > 1.5 * was.n_values
    assert again.student.first_densities == [0.3, 0.3, 0.3]


def test_progress_is_reported() -> None:
    told = []
    run(progress=lambda done, of: told.append((done, of)))
    assert told[0] == (0, 5)
    assert told[-1] == (5, 5)


def test_when_masks_are_chosen() -> None:
    p = Procedure(ramp=0.5, mask_interval=4)
    chosen = {i: p.mask_progress(i, 20) for i in range(20) if p.mask_progress(i, 20) is not None}
    assert chosen == {0: 0.0, 4: 0.4, 8: 0.8, 10: 1.0}
    assert Procedure(ramp=0.0).mask_progress(0, 20) == 1.0


def test_spectral_input_loses_bins_then_coefficients() -> None:
    technique = SpectralInput((4, 8), bins=0.5)
    assert isinstance(technique, Thresholding)
    (stage,) = technique.transform(chain()[0][0]).stages
    most = technique.select(stage, 0.8).reshape(len(stage.mask), -1, 2)
    assert np.all(most == most[:1, :, :1])  # whole bins
    less = technique.select(stage, 0.2)
    assert less.sum() == pytest.approx(0.2 * less.size, abs=2)
    columns = less.any(axis=0).mean()
    assert 0.3 < columns <= 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(3)}, r"y must have shape \(300,\), not \(3,\)"),
        ({"teacher": chain()[:2]}, "the teacher must have 32 inputs and 4 outputs, not 32 and 16"),
        ({"plans": choices("sft")[:2]}, "there must be 3 choices"),
        (
            {"plans": [Choice(Pruning()), Choice(SpectralInput((4, 6))), Choice(Pruning())]},
            "only the first layer may rearrange",
        ),
        ({"plans": choices("neurons")[:1] * 3}, "layer 2: technique must keep all outputs"),
    ],
)
def test_errors(change: dict[str, object], message: str) -> None:
    x, y = task()
    arguments = {"plans": choices("sft"), "y": y, "teacher": None} | change
    with pytest.raises(ValueError, match=message):
        train_compressed(
            chain(),
            arguments["plans"],
            x,
            arguments["y"],
            SHORT,
            teacher=arguments["teacher"],  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "change", [{"ramp": 1.5}, {"prune_rate": 0.0}, {"mask_interval": 0}, {"features": -1.0}]
)
def test_procedure_refuses(change: dict[str, float]) -> None:
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} must be"):
        Procedure(**change)  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", ["sft", "low-rank"])
def test_cuda_reaches_the_same(name: str) -> None:
    x, y = task()
    networks = [
        train_compressed(chain(), choices(name, 0.4, "row"), x, y, SHORT, device=device).export(x)
        for device in ("cpu", "cuda")
    ]
    a, b = (integer_accuracy(network, *task(400, seed=5)) for network in networks)
    assert abs(a - b) < 3


def test_row_steps_are_learned() -> None:
    trained = run(
        plans=[Choice(c.technique, 0.4, Quantization(4, "row")) for c in choices("prune")]
    )
    network = trained.export(task()[0])
    assert all(np.size(layer.multiplier) == layer.n_out for layer in network.layers)
