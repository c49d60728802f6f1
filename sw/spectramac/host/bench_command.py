# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the commands of the benchmarks of compression have in common."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["add_data_folder", "log", "run_command"]


def add_data_folder(parser: argparse.ArgumentParser) -> None:
    """The option that says where Fashion-MNIST is."""
    from spectramac.compress.datasets import FASHION_MNIST

    parser.add_argument(
        "--fashion-mnist",
        type=Path,
        default=FASHION_MNIST,
        help="folder of its IDX files, gz or not",
    )


def log(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def run_command(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], bool | None],
    arguments: Sequence[str] | None,
) -> None:
    """Parse and run; what is wrong with data or options is said in one line.

    Parameters
    ----------
    parser : ArgumentParser
    run : callable (options) -> bool or None
        Gets the options, and all arguments as given in ``options.arguments``. False is failure.
    arguments : sequence of str, optional
        Default: those of the process.

    Raises
    ------
    SystemExit
        With status 1 after an error or a failure.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)
    options.arguments = given
    try:
        succeeded = run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    if succeeded is False:
        sys.exit(1)
