# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laboratory: a real Linux kernel behind an emulated IOMMU, on any Debian 12.

    from lab import Machine, Layout

    with Machine.boot() as guest:
        guest.run("lspci -nn").text
        guest.address("edu")            # where this boot's firmware put it
        guest.memory("ivshmem")         # the BAR's bytes, read from outside

One file per idea: what to boot (`image`, `kernel`), with which devices
(`layout`), the running machine (`machine`) and the two ways into it (`agent`,
`qmp`). Everything that takes long to make goes through `cache`.
"""

from .agent import CommandFailed, Process, Result
from .errors import LabError
from .layout import Layout
from .machine import Machine

__all__ = ["CommandFailed", "LabError", "Layout", "Machine", "Process", "Result"]
