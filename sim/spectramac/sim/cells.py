# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Simulation models of the cells that a technology's gateware instantiates and that Yosys maps it to."""

import re
from importlib.resources import files

__all__ = ["FLOWS", "REPAIRS", "cell_models"]

FLOWS = {
    "ecp5": "synth_ecp5 -abc9",
    "ice40": "synth_ice40 -device u",  # -dsp would overwrite the registers of instances of SB_MAC16
    "gowin": "synth_gowin -family gw1n",
    "nexus": "synth_nexus",
}
"""Yosys command by technology."""
_CARRY = files("spectramac.sim").joinpath("nexus_carry.v")
REPAIRS = {"nexus": (f'techmap -max_iter 1 -map "{_CARRY}"',)}
"""Yosys commands that must follow it, by technology."""
_OURS = {"ecp5": "ecp5_cells.v", "gowin": "gowin_cells.v", "nexus": "nexus_cells.v"}
_YOSYS = {
    "ecp5": ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    "ice40": ("ice40/cells_sim.v",),
    "gowin": ("gowin/cells_sim.v",),
    "nexus": ("nexus/cells_sim.v",),
}
_NOT_SIMULATED = re.compile(r"(?s)`ifndef NO_INCLUDES.*?`endif|\bspecify\b.*?\bendspecify\b")
_INCLUDE = re.compile(r'(?m)^`include "(.*)"')


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
        folder, _, file = name.partition("/")
        share = files("pyosys").joinpath("share", folder)
        text = _NOT_SIMULATED.sub("", share.joinpath(file).read_text())
        for include in set(_INCLUDE.findall(text)):
            text = text.replace(f'`include "{include}"', share.joinpath(include).read_text())
        texts.append(text)
    return "\n".join(texts)
