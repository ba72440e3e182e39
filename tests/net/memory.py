# SPDX-License-Identifier: GPL-2.0-or-later
"""A program in little memory: in a control group of its own, or, where the machine has none to give, with a limit on what
it allocates itself."""

import os
import pathlib
import resource

V1, V2 = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")


class Limit:
    """`limit` bytes for what calls enter(), with all its children. In a group, what the kernel cannot take back ends in
    the OOM killer; without one, in a failed allocation."""

    def __init__(self, name, limit):
        self.limit, self.group = limit, None
        name = f"ut{os.getpid()}-{name}"
        if (V1 / "memory.limit_in_bytes").exists():
            self.make(V1 / name, "memory.limit_in_bytes", "memory.max_usage_in_bytes")
        elif "memory" in (V2 / "cgroup.subtree_control").read_text().split():
            self.make(V2 / name, "memory.max", "memory.peak")

    def make(self, group, limit_file, peak_file):
        try:
            group.mkdir()
            (group / limit_file).write_text(str(self.limit))
        except OSError:  # read-only, in a container
            return
        self.group, self.peak_file = group, group / peak_file

    @property
    def is_whole(self):
        """Whether the kernel's memory for the program counts too, and a peak is known."""
        return self.group is not None

    def enter(self):
        """Puts the calling process under the limit."""
        if self.group:
            (self.group / "cgroup.procs").write_text("0")
        else:
            resource.setrlimit(resource.RLIMIT_DATA, (self.limit, self.limit))

    def peak_mib(self):
        return int(self.peak_file.read_text()) / (1 << 20)

    def delete(self):
        if self.group:
            self.group.rmdir()
