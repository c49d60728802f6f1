# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Results of a benchmark in a file, complete at any time; and what a point of its curves is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectramac.compress.whole_file import whole_file
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Results", "Target", "open_results"]


@dataclass(frozen=True)
class Target:
    """How much of a network is kept: exactly one of these.

    Parameters
    ----------
    density : float, optional
        Part of the values.
    budget : int, optional
        Bytes that the compiled network may take; as many of them as can be are used.

    Raises
    ------
    ValueError
        If both or none are given.
    """

    density: float | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        if (self.density is None) == (self.budget is None):
            raise ValueError(f"a target must be a density or a budget, not {self!r}")

    @property
    def key(self) -> dict[str, Any]:
        """What finds its rows; a row of a budget has the density that was planned for it besides."""
        if self.budget is not None:
            return {"budget": self.budget}
        return {"density": self.density, "budget": None}

    @property
    def text(self) -> str:
        """In words, after the name of a method."""
        return f"at {self.density:g}" if self.budget is None else f"in {self.budget} bytes"

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.density:g}" if self.budget is None else f"{self.budget}B"


class Results:
    """A JSON file of results, complete after every :meth:`add`.

    Parameters
    ----------
    path : path
        Read if it is there.
    settings : dict
        :meth:`Settings.identity`.

    Raises
    ------
    ValueError
        If the file is of other settings; names the difference.
    """

    _TABLES = ("dense", "rates", "results", "finalists", "rtl")

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in self._TABLES}
        self._settings = settings
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            for key, value in settings.items():
                if found["settings"].get(key) != value:
                    raise ValueError(
                        f"{path} was made with {key} {found['settings'].get(key)!r}, not {value!r}; "
                        "use the same options, or another folder"
                    )
            self.tables = {name: found.get(name, []) for name in self._TABLES}

    def find(self, table: str, **key: Any) -> dict[str, Any] | None:
        """The row with this key, if there is one."""
        rows = (r for r in self.tables[table] if all(r.get(k) == v for k, v in key.items()))
        return next(rows, None)

    def add(self, table: str, **row: Any) -> None:
        """Append a row and write the file, whole or not at all."""
        self.tables[table].append(row)
        text = json.dumps({"settings": self._settings, **self.tables}, indent=1, allow_nan=False)
        with whole_file(self.path) as partial:
            partial.write_text(text + "\n", encoding="utf-8")


def open_results(path: Path) -> tuple[Results, AcceleratorConfig]:
    """Results that are there, and the configuration that they are for.

    Raises
    ------
    ValueError
        If they are for another version of the architecture.
    """
    settings = json.loads(path.read_text(encoding="utf-8"))["settings"]
    identity = settings["configuration"]
    parameters = {k: v for k, v in identity.items() if k != "architecture_version"}
    config = AcceleratorConfig(name="benchmark", **parameters)
    # What a newer parameter's default does is what was done before there was one.
    if any(config.identity()[name] != value for name, value in identity.items()):
        version = identity["architecture_version"]
        raise ValueError(f"{path} is for architecture version {version}; run the benchmark again")
    return Results(path, settings), config
