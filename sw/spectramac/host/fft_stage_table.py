# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The stages of a transform, for its datasheet: widths, memories, multipliers."""

from spectramac.host.docs import markdown_table
from spectramac.model.fft_paths import multiplied_paths
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import Narrowing, StagePlan, plan
from spectramac.spec.timing import (
    DISTRIBUTED_DEPTH_MAX,
    butterfly_latency,
    delay_storage,
    twiddle_latency,
)

__all__ = ["MULTIPLIERS_PER_PRODUCT", "n_multipliers", "stage_table"]

MULTIPLIERS_PER_PRODUCT = 3


def n_multipliers(config: FFTConfig) -> int:
    """Hardware multipliers, one for each real product."""
    n_paths = sum(len(multiplied_paths(config, stage)) for stage in plan(config))
    return MULTIPLIERS_PER_PRODUCT * n_paths


def stage_table(config: FFTConfig, technology: str) -> str:
    """Widths, memories and multipliers of each stage."""
    rows = [
        (
            stage.m,
            stage.width,
            _delay(config, stage, technology),
            _drops(stage.narrowing, stage.m),
            _multipliers(config, stage) + _shifts(stage),
            _drops(stage.product, stage.m),
            stage.output_width,
            butterfly_latency(stage, config.samples_per_clock) + twiddle_latency(stage),
        )
        for stage in plan(config)
    ]
    header = (
        "stage",
        "bits in",
        "delay (words × bits, where)",
        "bits dropped",
        "multipliers",
        "bits dropped after them",
        "bits out",
        "cycles",
    )
    text = (
        f"\nStage m has blocks of 2^m samples. {n_multipliers(config)} multipliers in all; twiddle factors have "
        f"{config.twiddle_width} bits, `{config.twiddle}`, and come from block RAM.\n"
    )
    if config.samples_per_clock > 1:
        text += (
            "Where the two samples of a butterfly come in one word there is no delay. Products by eighths of the "
            "circle are shifts and additions; tables of up to "
            f"{DISTRIBUTED_DEPTH_MAX} factors are made of logic cells.\n"
        )
    return markdown_table(header, rows) + text


def _delay(config: FFTConfig, stage: StagePlan, technology: str) -> str:
    rate = config.samples_per_clock
    storage = delay_storage(stage, rate)
    if storage == "none":
        return ""
    if technology == "ice40" and storage == "distributed":
        storage = "block"
    each = f"{(1 << (stage.m - 1)) // rate} × {2 * (stage.width + 1)}, {storage}"
    return each if rate == 1 else f"{rate} of {each}"


def _drops(narrowing: Narrowing | None, m: int) -> str:
    if narrowing is None:
        return ""
    shift = f"`halve[{m - 1}]`" if narrowing.shift is None else str(narrowing.shift)
    return f"{shift}, saturates" if narrowing.saturates else shift


def _multipliers(config: FFTConfig, stage: StagePlan) -> str:
    n_paths = len(multiplied_paths(config, stage))
    if not n_paths:
        return ""
    # One for (a + b)·c, the others for a and for b.
    total, part, factor = stage.sum_width, stage.factor_width, config.twiddle_width
    if total == part:
        return f"{n_paths * MULTIPLIERS_PER_PRODUCT} of {part}×{factor}"
    others = n_paths * (MULTIPLIERS_PER_PRODUCT - 1)
    return f"{n_paths} of {total}×{factor}, {others} of {part}×{factor}"


def _shifts(stage: StagePlan) -> str:
    if not stage.shifts[-1]:
        return ""
    return f", samples shifted by {', '.join(map(str, stage.shifts[:-1]))} or {stage.shifts[-1]}"
