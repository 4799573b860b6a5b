# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the host's tools with their output in a log file."""

import contextlib
import functools
import itertools
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import LabError

REPOSITORY = Path(__file__).resolve().parents[3]


RUNS_KEPT = 20


@functools.cache
def log_directory() -> Path:
    """Where every log of this run goes: `build/log/TIME-PID`, and `build/log/latest`."""
    top = REPOSITORY / "build" / "log"
    path = top / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    path.mkdir(parents=True)
    latest = top / f".latest-{os.getpid()}"
    latest.symlink_to(path.name)
    latest.replace(top / "latest")
    for old in sorted(p for p in top.glob("2*-*") if p.is_dir())[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def tail(path: Path, lines: int = 30) -> str:
    """The last lines of a log, for an error message."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError as error:
        return f"({error})"
    return "\n".join(text.replace("\r", "").splitlines()[-lines:])


def as_root(command: Sequence[str]) -> list[str]:
    """The command, through sudo unless we are root already."""
    return list(command) if os.geteuid() == 0 else ["sudo", "--", *command]


def run_logged(
    command: Sequence[str | Path], log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Runs a command to its end; if it fails, the error shows the log's last lines."""
    words = [str(word) for word in command]
    with open(log, "ab") as out:
        out.write(f"$ {shlex.join(words)}\n".encode())
        out.flush()
        status = subprocess.run(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode
    if status != 0:
        raise LabError(f"{words[0]} ended with status {status}; {log} ends:\n{tail(log)}")


def fresh_log(name: str) -> Path:
    """An empty log file of that name; the second one of a run is called `NAME-2.log`."""
    for number in itertools.count(1):
        path = log_directory() / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise AssertionError("count() has no end")


def output_of(command: Sequence[str]) -> str:
    """The standard output of a command that must succeed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{shlex.join(command)} ended with status {done.returncode}:\n{done.stderr}")
    return done.stdout
