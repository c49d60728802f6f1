# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What compilation refuses."""

__all__ = ["CompileError"]


class CompileError(ValueError):
    """A network does not fit a configuration; names the layer, the resource and a remedy."""
