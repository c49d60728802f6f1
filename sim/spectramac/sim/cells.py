# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Simulation models of the cells that a technology's gateware instantiates and that Yosys maps it to."""

import re
from importlib.resources import files

__all__ = ["FLOWS", "cell_models"]

FLOWS = {
    "ecp5": "synth_ecp5 -abc9",
    "ice40": "synth_ice40 -device u -dsp",
}
"""Yosys command by technology."""
_OURS = {"ecp5": "ecp5_cells.v"}
_YOSYS = {
    "ecp5": ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    "ice40": ("ice40/cells_sim.v",),
}
_NOT_SIMULATED = re.compile(r"(?s)`ifndef NO_INCLUDES.*?`endif|\bspecify\b.*?\bendspecify\b")


def cell_models(technology: str) -> str:
    """Verilog of the cells: Yosys's ``cells_sim`` models, and ours of the cells that it has no behaviour for.

    Timing is left out. ``"generic"`` has none.

    Parameters
    ----------
    technology : str
        See :class:`spectramac.gateware.fft.device.BlockRAM`.

    Raises
    ------
    ModuleNotFoundError
        If pyosys is not installed, which ships its models.
    """
    texts = []
    if technology in _OURS:
        texts.append(files("spectramac.sim").joinpath(_OURS[technology]).read_text())
    for name in _YOSYS.get(technology, ()):
        text = files("pyosys").joinpath("share", *name.split("/")).read_text()
        texts.append(_NOT_SIMULATED.sub("", text))
    return "\n".join(texts)
