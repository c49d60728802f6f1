# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Each kind of bad input gives its typed error, and a good run afterwards is as if it had not been."""

import time

import numpy as np
import pytest
from tests.host.devices import FlakyDevice, ForeignDevice, HangingDevice
from tests.spec.images import dense_image, dense_outputs

from spectramac.host.accelerator import Accelerator
from spectramac.host.model_device import ModelDevice
from spectramac.spec.config import ARCHITECTURE_VERSION, preset
from spectramac.spec.descriptor import WORDS, decode, encode
from spectramac.spec.errors import (
    BuildIdMismatchError,
    DeviceError,
    DeviceIdentityError,
    DeviceTimeoutError,
    ImageChecksumError,
    ImageTooLargeError,
    ImageTruncatedError,
    ImageVersionError,
    InputRangeError,
    InputShapeError,
    InputTypeError,
    NoModelError,
    SpectramacError,
)
from spectramac.spec.image import Image
from spectramac.spec.memory import memories
from spectramac.spec.section import Section

TINY = preset("tiny")
WEIGHTS = np.array([[1, -2, 3, -4], [100, 50, -25, 12]])
X = np.array([[10, 20, 30, 40], [-128, 127, -128, 127], [1, 0, 0, 0]])
EXPECTED = dense_outputs(WEIGHTS, X)


def good_image() -> Image:
    return dense_image(WEIGHTS)


def check_good_run(accelerator: Accelerator) -> None:
    result = accelerator.run(X)
    assert np.array_equal(result.outputs, EXPECTED)
    assert result.warnings == ()


# Files.


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda data: data[:-1], ImageTruncatedError),
        (lambda data: data[:100] + bytes([data[100] ^ 4]) + data[101:], ImageChecksumError),
        (lambda data: data[:8] + b"\x09" + data[9:], ImageVersionError),
    ],
    ids=["truncated", "flipped", "version"],
)
def test_damaged_files(tmp_path, damage, error) -> None:
    path = tmp_path / "model.img"
    path.write_bytes(damage(good_image().to_bytes()))
    with pytest.raises(error, match=r"model\.img") as caught:
        Image.load(path)
    assert isinstance(caught.value, SpectramacError)
    assert isinstance(caught.value, ValueError)


# Images that do not fit leave the loaded model alone.


def oversized() -> Image:
    memory = memories(TINY)["bias"]
    section = Section.from_words([0] * (memory.depth + 1), memory.width)
    return dense_image(WEIGHTS, sections={**good_image().sections, "bias": section})


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (oversized(), ImageTooLargeError),
        (dense_image(WEIGHTS, config=preset("small")), BuildIdMismatchError),
    ],
    ids=["oversized", "build id"],
)
def test_an_image_that_does_not_fit_does_not_touch_the_device(image: Image, error) -> None:
    device = FlakyDevice(TINY)
    accelerator = Accelerator(device, TINY)
    accelerator.load(good_image())
    before = device.n_accesses
    with pytest.raises(error):
        accelerator.load(image)
    assert device.n_accesses == before
    check_good_run(accelerator)


def test_build_id_of_the_device() -> None:
    accelerator = Accelerator(ModelDevice(preset("small")), TINY)
    with pytest.raises(BuildIdMismatchError, match=r"device has build id.* 3 lanes") as caught:
        accelerator.load(good_image())
    assert f"0x{preset('small').build_id:08x}" in str(caught.value)
    assert f"0x{TINY.build_id:08x}" in str(caught.value)
    with pytest.raises(NoModelError):
        accelerator.run(X)


@pytest.mark.parametrize(
    ("register", "word", "error", "message"),
    [
        ("id", 0xFFFFFFFF, DeviceIdentityError, "0xffffffff: no spectramac accelerator"),
        (
            "version",
            99,
            DeviceIdentityError,
            f"architecture version {ARCHITECTURE_VERSION}, not 99",
        ),
        ("build_id", 7, BuildIdMismatchError, "0x00000007"),
    ],
)
def test_foreign_devices(register: str, word: int, error, message: str) -> None:
    accelerator = Accelerator(ForeignDevice(TINY, register, word), TINY)
    with pytest.raises(error, match=message):
        accelerator.identify()


# Loading that fails half-way.


def test_no_model() -> None:
    accelerator = Accelerator(ModelDevice(TINY), TINY)
    for use in (accelerator.run, accelerator.quantize_input):
        with pytest.raises(NoModelError, match="load an image first"):
            use(X)


def test_every_interrupted_load_leaves_no_model() -> None:
    device = FlakyDevice(TINY)
    accelerator = Accelerator(device, TINY)
    accelerator.load(good_image())
    n_accesses = device.n_accesses - 4  # the first load also identifies
    for step in range(1, n_accesses + 1):
        device.n_accesses, device.fail_at = 0, step
        with pytest.raises(OSError, match="cable"):
            accelerator.load(good_image())
        with pytest.raises(NoModelError, match="half-way; load it again"):
            accelerator.run(X)
        device.fail_at = None
        accelerator.load(good_image())
        check_good_run(accelerator)
    device.n_accesses, device.fail_at = 0, n_accesses + 1
    accelerator.load(good_image())


def test_a_refused_write_leaves_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    device = ModelDevice(TINY)
    accelerator = Accelerator(device, TINY)
    with monkeypatch.context() as patch:
        patch.setattr(device, "_memory", lambda writing: None)
        with pytest.raises(DeviceError, match="refused a bus access while the image was written"):
            accelerator.load(good_image())
    with pytest.raises(NoModelError):
        accelerator.run(X)
    accelerator.load(good_image())
    check_good_run(accelerator)


def test_every_interrupted_run_can_be_repeated() -> None:
    device = FlakyDevice(TINY)
    accelerator = Accelerator(device, TINY)
    accelerator.load(good_image())
    device.n_accesses = 0
    check_good_run(accelerator)
    for step in range(1, device.n_accesses + 1):
        device.n_accesses, device.fail_at = 0, step
        with pytest.raises(OSError, match="cable"):
            accelerator.run(-X.clip(-127))
        device.fail_at = None
        check_good_run(accelerator)


# Inputs.


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((3, 5), int), InputShapeError, r"\(batch, 4\).* not \(3, 5\)"),
        (np.zeros((3, 2, 3), int), InputShapeError, r"not \(3, 2, 3\)"),
        (np.zeros(4, int), InputShapeError, r"needs a batch axis: x\[None\]"),
        (np.zeros((), int), InputShapeError, r"not \(\)"),
        (np.zeros((0, 5), int), InputShapeError, r"not \(0, 5\)"),
        (np.zeros((3, 4)), InputTypeError, "not float64; quantize_input"),
        (np.full((3, 4), np.nan), InputTypeError, "float64"),
        (np.zeros((3, 4), bool), InputTypeError, "not bool"),
        (np.zeros((3, 4), complex), InputTypeError, "not complex128"),
        (np.full((3, 4), "a"), InputTypeError, "not <U1"),
        (np.full((3, 4), None), InputTypeError, "not object"),
        (np.array([[0, 0, 0, 0], [0, 0, 128, 0]]), InputRangeError, r"128 \(item 1, element 2\)"),
        (np.full((3, 4), -129), InputRangeError, "from -128 to 127, not -129"),
        (np.full((1, 4), 255, np.uint8), InputRangeError, "not 255"),
        (np.full((1, 4), 1 << 63, np.uint64), InputRangeError, "not 9223372036854775808"),
    ],
)
def test_bad_inputs_do_not_touch_the_device(x: np.ndarray, error, message: str) -> None:
    device = FlakyDevice(TINY)
    accelerator = Accelerator(device, TINY)
    accelerator.load(good_image())
    before = device.n_accesses
    with pytest.raises(error, match=message):
        accelerator.run(x)
    assert device.n_accesses == before
    check_good_run(accelerator)


# Runs that do not end.


def test_a_run_that_never_finishes() -> None:
    device = HangingDevice(TINY)
    accelerator = Accelerator(device, TINY)
    accelerator.load(good_image())
    device.hanging = True
    start = time.monotonic()
    with pytest.raises(DeviceTimeoutError, match=r"within 0\.05 s or 77 cycles") as caught:
        accelerator.run(X, timeout=0.05, max_cycles=77)
    assert time.monotonic() - start < 5
    assert isinstance(caught.value, TimeoutError)
    device.hanging = False
    check_good_run(accelerator)


def test_a_senseless_program_times_out_and_says_why() -> None:
    image = good_image()
    values = decode(image.sections["descriptor"].words()[:WORDS]) | {"n_in": 0}
    bad = Section.from_words(encode(values), 32)
    accelerator = Accelerator(ModelDevice(TINY), TINY)
    accelerator.load(dense_image(WEIGHTS, sections={**image.sections, "descriptor": bad}))
    with pytest.raises(DeviceTimeoutError, match="layer 0: n_in must be from 1"):
        accelerator.run(X)
    accelerator.load(image)
    check_good_run(accelerator)
