# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac``: the command line. The commands are in :mod:`spectramac.host.cli_app`,
:mod:`~spectramac.host.cli_compress_command`, :mod:`~spectramac.host.cli_fft`, :mod:`~spectramac.host.cli_import`
and :mod:`~spectramac.host.cli_search`.

Results go to stdout, progress and diagnostics to stderr. Exit status: 0 if all is well, 1 if
something failed or differs, 2 for wrong usage.
"""

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["commands", "main"]


def commands() -> Any:
    """The application (Typer) with the commands of all modules."""
    from spectramac.host import cli_compress_command, cli_fft, cli_import, cli_search

    app = cli_fft.app
    modules = (cli_compress_command, cli_import, cli_search)
    assert all(m.app is app for m in modules)  # every module adds its commands to the same one
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        print(
            f"error: the command line needs the Python module {error.name!r}, which is not installed; "
            "`pip install 'spectramac[cli]'` adds it",
            file=sys.stderr,
        )
        sys.exit(2)
    app = commands()
    app(None if arguments is None else list(arguments), prog_name="spectramac")


if __name__ == "__main__":
    main()
