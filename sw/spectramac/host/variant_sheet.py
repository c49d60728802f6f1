# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Datasheet of a product made of the transform (:mod:`spectramac.host.fft_variants`)."""

from pathlib import Path

from spectramac.host import fft_datasheet
from spectramac.host.docs import markdown_table
from spectramac.host.fft_measured import BENCH, resources
from spectramac.host.fft_product import Port, common_ports
from spectramac.host.fft_stage_table import stage_table
from spectramac.host.fft_variants import Variant

__all__ = ["ports", "sheet"]


def ports(variant: Variant) -> list[Port]:
    """All ports of the Verilog module."""
    return common_ports(variant.i, variant.o, variant.control, variant.meanings)


def sheet(
    variant: Variant,
    *,
    technology: str = "generic",
    sha256: str = "",
    bench: Path = BENCH,
) -> str:
    """The whole document; parameters and errors as of :func:`spectramac.host.fft_datasheet.datasheet`."""
    config, module = variant.config, variant.module
    belongs = f" Describes `{module}.v` with SHA-256 `{sha256}`." if sha256 else ""
    more = f"Besides those of the stages: {variant.multipliers}.\n" if variant.multipliers else ""
    sections = [
        f"# {variant.title}\n",
        f"Made by `{variant.command} --technology {technology}`.{belongs}\n",
        "## Function\n",
        f"{variant.function} `{module}_vectors.txt` has samples of it. {fft_datasheet.DEVICES[technology]}\n",
        "## Ports\n",
        markdown_table(
            ("port", "direction", "bits", "meaning"),
            [(f"`{p.name}`", p.direction, p.width, p.meaning) for p in ports(variant)],
        ),
        fft_datasheet.payload_table(variant.i, variant.o, variant.fields),
        "## Streams\n",
        "".join(f"- {rule}\n" for rule in _rules(variant)),
        "## Scaling and overflow\n",
        f"{fft_datasheet.scaling_text(config)}{variant.flags}\n",
        "## Cycles\n",
        fft_datasheet.cycles_table(variant.cycles),
        "## Stages\n",
        f"{stage_table(config, technology)}{more}",
        "## Noise\n",
        _noise(variant),
        "## Resources and clock\n",
        resources(config, technology, bench, product=module),
        "## Instantiation\n",
        fft_datasheet.instance(module, variant.i, variant.o, variant.control),
    ]
    return "\n".join(sections)


def _noise(variant: Variant) -> str:
    if variant.noise is None:
        return fft_datasheet.noise_text(variant.config)
    return fft_datasheet.noise_table(variant.noise(), variant.error)


def _rules(variant: Variant) -> list[str]:
    rules = [
        fft_datasheet.TRANSFER_RULE,
        *variant.rules,
        fft_datasheet.FRAMING_RULE,
        fft_datasheet.GAP_RULE,
    ]
    names = ", ".join(f"`{field.name}`" for field in variant.control.fields)
    if names:
        verb = "are" if len(variant.control.fields) > 1 else "is"
        rules.append(
            f"{names} {verb} sampled with the first sample of a frame and must be there while it is offered."
        )
    if variant.config.is_fixed:
        rules.append("All outputs depend on registers only.")
    else:
        rules += fft_datasheet.RUN_TIME_RULES
    return rules
