# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's half of the laboratory's agent: runs commands for the host.

Speaks JSON, one message a line, over a virtio-serial port; bytes travel as
base64. `lab/agent.py` is the other half and describes the messages. One thread
and one selector: whatever a command does, the others go on.
"""

import base64
import fcntl
import glob
import json
import os
import pwd
import selectors
import signal
import subprocess

PORT_NAME = "org.p2pd.lab.agent"
CHUNK = 65536


def open_port() -> int:
    """By its name in sysfs: udev's link may not be there yet."""
    for path in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(path) as name:
            if name.read().strip() == PORT_NAME:
                return os.open("/dev/" + path.split("/")[-2], os.O_RDWR | os.O_CLOEXEC)
    raise SystemExit(f"no virtio port is called {PORT_NAME}")


class Command:
    """One running command, its pipes and what its standard input still has to take."""

    def __init__(self, identity: int, message: dict) -> None:
        self.identity = identity
        self.todo = bytearray()
        self.closing = False
        account = pwd.getpwnam(message["user"] or "root")
        environment = {
            "HOME": account.pw_dir,
            "LANG": "C.UTF-8",
            "LOGNAME": account.pw_name,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SHELL": account.pw_shell,
            "USER": account.pw_name,
        }
        self.process = subprocess.Popen(
            message["argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=account.pw_dir,
            env=environment | message["env"],
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=os.getgrouplist(account.pw_name, account.pw_gid),
            start_new_session=True,
            bufsize=0,
        )
        self.stdin = self.process.stdin.fileno()
        self.streams = {1: self.process.stdout.fileno(), 2: self.process.stderr.fileno()}
        for fd in (self.stdin, *self.streams.values()):
            os.set_blocking(fd, False)
        # A pipe of one page would make every larger output a ping-pong.
        for fd in self.streams.values():
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.pidfd = os.pidfd_open(self.process.pid)


class Agent:
    def __init__(self) -> None:
        self.port = open_port()
        self.selector = selectors.DefaultSelector()
        self.commands: dict[int, Command] = {}
        self.received = bytearray()

    def tell(self, **message: object) -> None:
        rest = memoryview(json.dumps(message).encode() + b"\n")
        while rest:
            rest = rest[os.write(self.port, rest) :]

    def run(self) -> None:
        self.selector.register(self.port, selectors.EVENT_READ, self.receive)
        self.tell(op="hello")
        while True:
            for key, _ in self.selector.select():
                # An earlier event of this turn may have ended the command.
                if key.fd in self.selector.get_map():
                    key.data()

    def receive(self) -> None:
        self.received += os.read(self.port, CHUNK)
        while (end := self.received.find(b"\n")) >= 0:
            line = bytes(self.received[:end])
            del self.received[: end + 1]
            self.obey(json.loads(line))

    def obey(self, message: dict) -> None:
        identity, operation = message["id"], message["op"]
        if operation == "start":
            self.start(identity, message)
            return
        command = self.commands.get(identity)
        if command is None:
            return  # it ended while the message was on its way
        if operation == "write":
            command.todo += base64.b64decode(message["data"])
        elif operation == "close":
            command.closing = True
        elif operation == "signal":
            self.signal(command, message["signal"], message["group"])
        self.feed(command)

    def start(self, identity: int, message: dict) -> None:
        try:
            command = Command(identity, message)
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            self.tell(id=identity, op="failed", error=f"{type(error).__name__}: {error}")
            return
        self.commands[identity] = command
        self.tell(id=identity, op="started", pid=command.process.pid)
        for stream, fd in command.streams.items():
            self.selector.register(fd, selectors.EVENT_READ, lambda s=stream: self.forward(command, s))
        self.selector.register(command.pidfd, selectors.EVENT_READ, lambda: self.finish(command))

    @staticmethod
    def signal(command: Command, number: int, group: bool) -> None:
        try:
            if group:
                os.killpg(command.process.pid, number)
            else:
                signal.pidfd_send_signal(command.pidfd, number)
        except ProcessLookupError:
            pass  # it is a zombie that the selector is about to tell us of

    def feed(self, command: Command) -> None:
        """Writes what the command's standard input takes now, and comes back for the rest."""
        if command.stdin < 0:
            return
        try:
            while command.todo:
                del command.todo[: os.write(command.stdin, command.todo)]
        except BlockingIOError:
            if command.stdin not in self.selector.get_map():
                self.selector.register(command.stdin, selectors.EVENT_WRITE, lambda: self.feed(command))
            return
        except BrokenPipeError:
            command.closing = True
        if command.stdin in self.selector.get_map():
            self.selector.unregister(command.stdin)
        if command.closing:
            self.close_stdin(command)

    def close_stdin(self, command: Command) -> None:
        if command.stdin in self.selector.get_map():
            self.selector.unregister(command.stdin)
        command.process.stdin.close()
        command.stdin = -1

    def forward(self, command: Command, stream: int) -> bool:
        """Sends on one piece of output. False when there is none now, or never again."""
        fd = command.streams[stream]
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.selector.unregister(fd)
            del command.streams[stream]
            return False
        self.tell(id=command.identity, op="output", stream=stream, data=base64.b64encode(data).decode())
        return True

    def finish(self, command: Command) -> None:
        """The process ended: all it wrote is in the pipes. A child it left behind is not waited for."""
        status = command.process.wait()
        for stream in list(command.streams):
            while stream in command.streams and self.forward(command, stream):
                pass
        for fd in command.streams.values():
            self.selector.unregister(fd)
        if command.stdin >= 0:
            self.close_stdin(command)
        command.process.stdout.close()
        command.process.stderr.close()
        self.selector.unregister(command.pidfd)
        os.close(command.pidfd)
        del self.commands[command.identity]
        self.tell(id=command.identity, op="exit", status=status)


Agent().run()
