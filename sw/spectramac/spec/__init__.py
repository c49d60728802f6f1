# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The single source of truth: formats, configuration, registers, descriptors, memories, image.

Standard library only. Everything else (model, gateware, compiler, driver) reads its widths, addresses
and layouts from here.
"""
