# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import numpy as np
import pytest
from tests.spec.images import dense_image, dense_outputs

from spectramac.host.accelerator import Accelerator
from spectramac.host.model_device import ModelDevice
from spectramac.spec.config import PRESETS, preset
from spectramac.spec.image import Image, Placement
from spectramac.spec.memory import memories

TINY = preset("tiny")
N_IN, N_OUT = 6, 4


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


def network(rng: np.random.Generator, **fields) -> tuple[np.ndarray, np.ndarray, Image]:
    config = fields.get("config", TINY)
    weights = rng.integers(-15, 16, (N_OUT, N_IN))  # no sum leaves 15 bits
    bias = rng.integers(-4000, 4000, N_OUT)
    return weights, bias, dense_image(weights, bias=bias, shift=5, **({"config": config} | fields))


def loaded(image: Image, config=TINY) -> Accelerator:
    accelerator = Accelerator(ModelDevice(config), config)
    accelerator.load(image)
    return accelerator


@pytest.mark.parametrize("name", PRESETS)
def test_identify(name: str) -> None:
    config = preset(name)
    identity = Accelerator(ModelDevice(config), config).identify()
    assert identity.build_id == config.build_id
    assert identity.n_lanes == config.n_lanes
    assert identity.data_width == config.data_width


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("batch", [1, 2, 3, 5, 12, 13, 40])
@pytest.mark.parametrize("max_pairs", [1, 3, 60])
def test_batches_of_any_size(
    rng: np.random.Generator, name: str, batch: int, max_pairs: int
) -> None:
    config = preset(name)
    weights, bias, image = network(rng, config=config, max_pairs=max_pairs)
    x = rng.integers(-128, 128, (batch, N_IN))
    result = loaded(image, config).run(x)
    assert result.outputs.dtype == np.int8
    assert np.array_equal(result.outputs, dense_outputs(weights, x, bias=bias, shift=5))
    n_pairs = -(-batch // 2)
    assert (result.n_pairs, result.n_passes) == (n_pairs, -(-n_pairs // max_pairs))
    assert result.layer_cycles.shape == (1,)
    assert result.warnings == ()


def test_an_empty_batch_gives_an_empty_result(rng: np.random.Generator) -> None:
    result = loaded(network(rng)[2]).run(np.zeros((0, N_IN), np.int8))
    assert result.outputs.shape == (0, N_OUT)
    assert result.outputs.dtype == np.int8
    assert (result.n_passes, result.cycles_per_inference, result.utilisation) == (0, 0.0, 0.0)


def test_the_partner_and_earlier_runs_leave_no_trace(rng: np.random.Generator) -> None:
    _weights, _bias, image = network(rng, max_pairs=4)
    accelerator = loaded(image)
    x = rng.integers(-128, 128, (8, N_IN))
    accelerator.run(np.full((8, N_IN), 127))
    assert np.array_equal(
        np.concatenate([accelerator.run(x[i : i + 1]).outputs for i in range(8)]),
        accelerator.run(x).outputs,
    )


def test_counters_are_summed_over_passes(rng: np.random.Generator) -> None:
    weights, bias, image = network(rng, max_pairs=2)
    x = rng.integers(-128, 128, (11, N_IN))
    accelerator = loaded(image)
    whole = accelerator.run(x)
    parts = [accelerator.run(x[i : i + 4]) for i in range(0, 11, 4)]
    assert whole.n_passes == len(parts) == 3
    for name, value in whole.counters.items():
        assert value == sum(part.counters[name] for part in parts), name
    z = (x @ weights.T + bias) / 32
    saturated = (np.rint(z) > 127) | (np.rint(z) < -128)
    assert whole.counters["saturations"] == int(saturated.sum()) > 0


def test_progress_is_reported(rng: np.random.Generator) -> None:
    seen: list[tuple[int, int]] = []
    accelerator = loaded(network(rng, max_pairs=2)[2])
    accelerator.run(np.zeros((7, N_IN), int), progress=lambda *step: seen.append(step))
    assert seen == [(0, 7), (4, 7), (7, 7)]


def test_mapped_inputs_leave_the_other_positions_zero(rng: np.random.Generator) -> None:
    weights, bias, image = network(rng, n_inputs=3, input_map=(4, 0, 5))
    accelerator = loaded(image)
    # Dirt that a wrong driver would leave in place.
    port = accelerator._memories["activation"]
    contents = accelerator.transport._contents["activation"]  # type: ignore[attr-defined]
    contents[:] = np.uint32(0x7F7F)
    assert len(contents) == port.depth
    x = rng.integers(-128, 128, (5, 3))
    mapped = np.zeros((5, N_IN), int)
    mapped[:, [4, 0, 5]] = x
    expected = dense_outputs(weights, mapped, bias=bias, shift=5)
    assert np.array_equal(accelerator.run(x).outputs, expected)


def test_contiguous_vectors_travel_in_one_burst(rng: np.random.Generator) -> None:
    weights, bias, image = network(rng, max_pairs=8)
    x = rng.integers(-128, 128, (16, N_IN))
    regions = {"input": Placement(0, N_IN, N_IN), "output": Placement(8 * N_IN, N_OUT, N_OUT)}
    from spectramac.spec.descriptor import WORDS, decode, encode
    from spectramac.spec.section import Section

    values = decode(image.sections["descriptor"].words()[:WORDS])
    values |= {"in_stride": N_IN, "out_base": 8 * N_IN, "out_stride": N_OUT}
    sections = {**image.sections, "descriptor": Section.from_words(encode(values), 32)}
    packed = dense_image(weights, max_pairs=8, sections=sections, **regions)
    expected = dense_outputs(weights, x, bias=bias, shift=5)
    assert np.array_equal(loaded(packed).run(x).outputs, expected)
    assert np.array_equal(loaded(image).run(x).outputs, expected)


def test_inputs_of_any_integer_type_and_shape(rng: np.random.Generator) -> None:
    weights, bias, image = network(rng)
    accelerator = loaded(image)
    x = rng.integers(0, 128, (3, N_IN))
    expected = dense_outputs(weights, x, bias=bias, shift=5)
    for dtype in (np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64):
        assert np.array_equal(accelerator.run(x.astype(dtype)).outputs, expected)
    assert np.array_equal(accelerator.run(x.tolist()).outputs, expected)
    assert np.array_equal(accelerator.run(x.reshape(3, 2, 3)).outputs, expected)
    assert np.array_equal(accelerator.run(np.asfortranarray(x)).outputs, expected)


def test_real_inputs_are_quantized_on_request(rng: np.random.Generator) -> None:
    image = network(rng, input_scale=0.5)[2]
    accelerator = loaded(image)
    x = np.array([[0.25, 0.75, -0.25, 63.5, 64.0, -64.5]])
    assert accelerator.quantize_input(x).tolist() == [[0, 2, 0, 127, 127, -128]]
    assert accelerator.quantize_input(x.reshape(1, 2, 3)).shape == (1, N_IN)
    assert accelerator.quantize_input([[1, 2, 3, 4, 5, 6]]).tolist() == [[2, 4, 6, 8, 10, 12]]


def test_saturation_inside_the_datapath_is_a_warning() -> None:
    config = TINY.replace(accumulator_width=16)
    weights = np.full((2, 8), 127)
    accelerator = loaded(dense_image(weights, config=config), config)
    assert accelerator.run(np.full((1, 8), 1)).warnings == ()
    assert accelerator.run(np.full((4, 8), 127)).warnings == ("accumulator", "merge")
    assert accelerator.run(np.full((1, 8), 1)).warnings == ()


def test_loading_twice_replaces_the_model(rng: np.random.Generator) -> None:
    _weights, _bias, image = network(rng)
    other_weights, other_bias, other = network(rng)
    accelerator = loaded(image)
    x = rng.integers(-128, 128, (4, N_IN))
    accelerator.load(other)
    assert accelerator.image is other
    expected = dense_outputs(other_weights, x, bias=other_bias, shift=5)
    assert np.array_equal(accelerator.run(x).outputs, expected)


def test_memories_hold_exactly_the_sections(rng: np.random.Generator) -> None:
    from spectramac.model.image import image_memories

    config = preset("large")
    image = network(rng, config=config)[2]
    device = ModelDevice(config)
    Accelerator(device, config).load(image)
    for name, contents in image_memories(image, config).items():
        assert np.array_equal(device._contents[name], contents), name
    assert set(device._contents) == set(memories(config))
