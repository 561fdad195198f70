"""A file system that forgets, at a power cut, all that was not synced: in memory, by FUSE.

    with ForgetfulDisk() as disk:
        ...                     # real programs, real files in disk.folder
        disk.cut()              # only what was fsynced is there now, entries of folders too

As LazyFS, it is the worst that POSIX allows: a file has the bytes of its last fsync, a folder the
entries of its own; that a file was fsynced puts it in no folder. It needs /dev/fuse and the right
to mount (Linux, root); where those are missing, `ForgetfulDisk.usable()` is False.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import os
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.forgetful_files import Tree
from benchmarks.forgetful_protocol import serve

DEVICE = "/dev/fuse"
DETACH = 2  # MNT_DETACH
libc = ctypes.CDLL(None, use_errno=True)


class ForgetfulDisk:
    """Mounted on a temporary folder while it is open; a process of its own serves it."""

    @staticmethod
    def usable() -> bool:
        """Whether this process may mount one."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                os.close(mounted(folder))
            except OSError:
                return False
            unmount(folder)
            return True

    def __enter__(self) -> ForgetfulDisk:
        self._place = tempfile.TemporaryDirectory()
        self.folder = Path(self._place.name)
        forked = multiprocessing.get_context("fork")
        self._pipe, theirs = forked.Pipe()
        self._process = forked.Process(target=keep, args=(theirs, self._place.name), daemon=True)
        self._process.start()
        assert self._pipe.recv() == "mounted"
        return self

    def cut(self) -> None:
        """The power fails, and is back. Whoever has files open here must be dead."""
        self._tell("cut")

    def settle(self) -> None:
        """All that is there is on the disk, as it would be after half a minute."""
        self._tell("settle")

    def __exit__(self, *_: object) -> None:
        self._pipe.send("end")
        self._process.join()
        self._place.cleanup()

    def _tell(self, what: str) -> None:
        self._pipe.send(what)
        assert self._pipe.recv() == "mounted"


def keep(pipe: Connection[Any, Any], folder: str) -> None:
    """The process of the disk: mounts it, again after each cut."""
    tree = Tree()
    while True:
        device = mounted(folder)
        pipe.send("mounted")
        while (told := serve(device, tree, pipe)) == "settle":
            tree.settle()
            pipe.send("mounted")
        unmount(folder)
        os.close(device)
        if told == "end":
            return
        tree.forget()


def mounted(folder: str) -> int:
    """The device by which the kernel asks for what is in this folder; or OSError."""
    device = os.open(DEVICE, os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    kind = b"fuse.forgetful"
    if libc.mount(b"forgetful", folder.encode(), kind, 0, options.encode()):
        os.close(device)
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, os.strerror(number))
    return device


def unmount(folder: str) -> None:
    libc.umount2(folder.encode(), DETACH)
