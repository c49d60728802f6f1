# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Parameters of a configuration that are changed on a command line: ``--set NAME=VALUE``."""

import json
from dataclasses import fields
from typing import Any

from spectramac.spec.config import AcceleratorConfig

__all__ = ["configured"]


def configured(config: AcceleratorConfig, settings: list[str]) -> AcceleratorConfig:
    """A configuration with parameters changed, each ``name=value``.

    Raises
    ------
    ValueError
        If a setting is not of that form, names no parameter, or its value does not fit.
    """
    names = [field.name for field in fields(config) if field.name != "name"]
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or name not in names:
            raise ValueError(
                f"--set must be one of {', '.join(names)} with =VALUE, not {setting!r}"
            )
        try:
            changes[name] = json.loads(text)
        except ValueError:
            changes[name] = text
    if not changes:
        return config
    return config.replace(**changes, name=f"{config.name} with {', '.join(settings)}")
