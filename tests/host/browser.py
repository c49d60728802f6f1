# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A page in headless Chromium: its document once loaded, what it asked the network for, console messages, a picture."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Loaded", "chromium", "load", "screenshot"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--force-device-scale-factor=1", "--enable-logging=stderr",
)  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """What a page was after loading.

    Attributes
    ----------
    document : str
        The document's HTML, as the browser understood it.
    requests : tuple of str
        Addresses that the page (not the browser itself) asked the network for.
    console : tuple of str
        Messages, errors among them.
    """

    document: str
    requests: tuple[str, ...]
    console: tuple[str, ...]


def chromium() -> str:
    """The program; skips the test where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(
            f"none of {', '.join(_NAMES)} is installed; on Debian: apt-get install chromium"
        )
    return found


def _run(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [chromium(), *_OPTIONS, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)


def load(page: Path, folder: Path) -> Loaded:
    """Load a page; files of the browser go to ``folder``."""
    log = folder / "net.json"
    done = _run(page, folder, "--dump-dom", f"--log-net-log={log}")
    text = log.read_text(encoding="utf-8")
    if not text.rstrip().endswith("}"):  # the browser ended before it closed the list
        text = text.rstrip().rstrip(",") + "]}"
    net = json.loads(text)
    start = net["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    jobs = [e.get("params", {}) for e in net["events"] if e["type"] == start]
    jobs = [p for p in jobs if "url" in p]  # the others are ends
    # The browser's own requests have no origin.
    requests = tuple(p["url"] for p in jobs if p.get("initiator") != "not an origin")
    console = tuple(re.findall(r":CONSOLE[:(].*", done.stderr))
    return Loaded(done.stdout, requests, console)


def screenshot(page: Path, folder: Path, width: int, height: int) -> Path:
    """A picture of the top of a page."""
    path = folder / "page.png"
    _run(page, folder, f"--window-size={width},{height}", f"--screenshot={path}")
    return path
