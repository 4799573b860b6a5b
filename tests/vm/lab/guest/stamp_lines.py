# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command and writes each line of its output with the time at which it came (CLOCK_MONOTONIC, as udevadm prints).

usage: stamp_lines.py COMMAND...
"""

import subprocess
import sys
import time

with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as command:
    assert command.stdout
    for line in command.stdout:
        print(f"{time.monotonic():.6f} {line.decode(errors='replace')}", end="", flush=True)
