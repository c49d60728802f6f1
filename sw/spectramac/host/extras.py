# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Modules that need an extra of the package."""

import importlib
from typing import Any

__all__ = ["import_extra"]


def import_extra(name: str, extra: str, what: str) -> Any:
    """A module by its name.

    Parameters
    ----------
    name : str
        Of the module.
    extra : str
        That installs what it needs; several with commas.
    what : str
        That needs it, for the error.

    Raises
    ------
    ModuleNotFoundError
        Naming the extra, if something that is not of this package is missing.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("spectramac"):
            raise
        raise ModuleNotFoundError(
            f"{what} needs the Python module {error.name!r}; `pip install 'spectramac[{extra}]'` "
            "adds it",
            name=error.name,
        ) from error
