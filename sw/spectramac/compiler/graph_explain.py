# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a compiled network graph will cost, node by node: stored bytes, predicted cycles and what they are spent on."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.cycles import predict_descriptor
from spectramac.compiler.cycles_window import window_taps
from spectramac.model.graph_program import run_graph_program
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.graph_image import GraphImage

__all__ = ["NodePlan", "explain_graph"]

STAGES = ("forward", "lanes", "backward", "window")


@dataclass
class NodePlan:
    """One node of a compiled graph.

    Attributes
    ----------
    node, kind, form : str
    n_passes : int
        Descriptors.
    stored_pairs, n_bytes : int
        Coefficient pairs without padding (complex ones twice); bytes of all tables. Descriptors are not counted.
    cycles : int
        Predicted, for a pair of inferences.
    work : dict
        Clocks of a pair for which each of :data:`STAGES` has something to do. The greatest bounds the node.
    multiplications : int
        Of one inference on a dense engine.
    """

    node: str
    kind: str
    form: str
    n_passes: int = 0
    stored_pairs: int = 0
    n_bytes: int = 0
    cycles: int = 0
    work: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    multiplications: int = 0

    @property
    def bound(self) -> str:
        """The stage with the most work."""
        return max(self.work, key=lambda stage: self.work[stage])

    def ideal_dense_cycles(self, config: AcceleratorConfig) -> float:
        """Cycles of one inference on a perfect dense engine with as many multipliers."""
        return self.multiplications / config.n_multipliers


def explain_graph(
    image: GraphImage, config: AcceleratorConfig, x: NDArray[np.int8]
) -> list[NodePlan]:
    """Run a pair of inferences on the golden model and predict what it costs.

    Parameters
    ----------
    image : GraphImage
    config : AcceleratorConfig
    x : int8 array (2, height, width, channels)
        Which columns are skipped depends on it.
    """
    programs = run_graph_program(config, image, x[:2]).programs
    traces = [trace for program in programs for trace in program.layers]
    plans: dict[str, NodePlan] = {}
    for report, trace in zip(image.layers, traces, strict=True):
        name = report["node"]
        plan = plans.setdefault(name, NodePlan(name, report["kind"], report["form"]))
        plan.n_passes += 1
        plan.stored_pairs += report["stored_pairs"]
        plan.n_bytes += report["bytes"]
        plan.multiplications += report["multiplications"]
        plan.cycles += predict_descriptor(config, trace, 1).cycles
        for stage, clocks in _work(trace).items():
            plan.work[stage] += clocks
    return list(plans.values())


def _work(trace: Any) -> dict[str, int]:
    """Clocks that the stages need for a pair of inferences, if nothing ever waits."""
    d, kind = trace.descriptor, trace.descriptor["kind"]
    outputs = d.get("out_height", 1) * d.get("out_width", 1)
    if Kind(kind).in_window:
        return {"window": outputs * d["n_out"] * window_taps(d)}
    counts, kept = trace.counts, trace.kept
    blocks, positions, loads = 1, outputs, 0
    if kind == Kind.LAYER:
        kept = np.broadcast_to(kept[:, None], (len(kept), *counts.shape))
        positions = 1
    elif kind == Kind.TILES:
        blocks = positions = d["walk_height"] * d["walk_width"]
    else:
        counts, kept = _pixels(d, counts, kept)
        blocks = len(kept)
        loads = blocks * d["padded_in"] // 2 if kind == Kind.DEPTHWISE else 0
    entries = np.where(kept, counts, 0)
    if d["is_complex"]:
        entries[..., 0] *= 2
    return {
        "forward": blocks * d["padded_in"],
        # A directory word without entries to execute takes a clock as well.
        "lanes": int(np.maximum(entries, 1).sum()) + loads,
        "backward": positions * d["padded_out"],
    }


def _pixels(d: dict[str, int], counts: NDArray[Any], kept: NDArray[Any]) -> tuple[Any, Any]:
    """Directory words and which are kept of every pixel that is read, (pixels, column pairs, 2 or 3)."""
    found: list[tuple[Any, Any]] = []
    for y in range(min(d["in_height"], d["walk_height"] - d["top"])):
        for x in range(min(d["in_width"], d["walk_width"] - d["left"])):
            at = y + d["top"], x + d["left"]
            py, px = at[0] % d["stride_y"], at[1] % d["stride_x"]
            if py < d["kernel_height"] and px < d["kernel_width"]:
                found.append((counts[py * d["stride_x"] + px], kept[0, y, x]))
    words, keeps = zip(*found, strict=True)
    return np.array(words), np.array(keeps)
