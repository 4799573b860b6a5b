# SPDX-License-Identifier: LGPL-2.1-or-later
"""A root shell in the guest on this terminal."""

import os
import selectors
import shutil
import socket
import sys
import termios
import tty

from .machine import Machine

_LEAVE = b"\x1d"  # Ctrl-], as telnet has it


def attach(machine: Machine) -> None:
    """Logs in on the guest's virtio console and stays until the shell ends or Ctrl-] is typed."""
    size = shutil.get_terminal_size()
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.connect(str(machine.shell_socket))
    machine.run(f"stty -F /dev/hvc0 sane rows {size.lines} cols {size.columns}")
    login = machine.start(["/sbin/agetty", "--autologin", "root", "--noissue", "hvc0", os.environ.get("TERM", "vt100")])
    print("a root shell in the guest; leave it with Ctrl-D or Ctrl-]", flush=True)
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin, selectors.EVENT_READ)
            selector.register(line, selectors.EVENT_READ)
            # The end of the shell comes over the agent's connection, hence the look every half second.
            while login.status is None:
                for key, _ in selector.select(0.5):
                    if key.fileobj is line:
                        os.write(sys.stdout.fileno(), line.recv(4096))
                        continue
                    typed = os.read(sys.stdin.fileno(), 4096)
                    if not typed or _LEAVE in typed:
                        return
                    line.sendall(typed)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        line.close()
        print()
