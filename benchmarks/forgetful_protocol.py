"""As much of FUSE (Linux, <linux/fuse.h>, version 7.31) as databases and files need."""

from __future__ import annotations

import errno
import os
import select
import stat
import struct
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.forgetful_files import Node, Tree

IN = struct.Struct("<IIQQIIIHH")  # length, opcode, unique, node, uid, gid, pid, –, –
OUT = struct.Struct("<IiQ")  # length, error, unique
INIT_OUT = struct.Struct("<IIIIHHIIHHII6I")
ATTRIBUTES = struct.Struct("<6Q10I")
ENTRY = struct.Struct("<4QII")
SET = struct.Struct("<II6Q8I")
BIG_WRITES, KEEP_CACHE = 1 << 5, 2
MOST = 1 << 17  # bytes in one write
VALID_S = 3600  # nobody but the kernel changes anything
SET_MODE, SET_UID, SET_GID, SET_SIZE = 1, 2, 4, 8
FREE_BLOCKS = 10_000_000  # of 4 KiB: it never looks full
SILENT = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET: the kernel wants no answer


def serve(device: int, tree: Tree, pipe: Connection[Any, Any]) -> str:
    """Answer the kernel until there is a word in the pipe; returns it."""
    answers = Answers(tree)
    while True:
        ready, _, _ = select.select([device, pipe], [], [])
        if pipe in ready:
            return str(pipe.recv())
        try:
            asked = os.read(device, MOST + 4096)
        except OSError:  # it was interrupted before it was read
            continue
        if answer := answers.to(asked):
            os.write(device, answer)


class Answers:
    """What a tree has to say to each question."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._by_code: dict[int, Callable[[Node, bytes], bytes]] = {
            1: self._lookup,
            3: lambda node, _: attributes_of(node),
            4: self._set,
            8: self._make_node,
            9: self._make_folder,
            10: self._unlink,
            11: self._unlink,
            12: lambda node, asked: self._rename(node, asked, 8),
            14: lambda node, _: opened(node),
            15: self._read,
            16: self._write,
            17: lambda node, _: space(),
            18: lambda node, _: b"",
            20: self._sync,
            25: lambda node, _: b"",
            26: lambda node, asked: greeting(asked),
            27: lambda node, _: opened(node),
            28: self._list,
            29: lambda node, _: b"",
            30: self._sync,
            35: self._create,
            38: lambda node, _: b"",
            45: lambda node, asked: self._rename(node, asked, 16),
        }

    def to(self, asked: bytes) -> bytes | None:
        _, code, unique, number, self._uid, self._gid, *_ = IN.unpack_from(asked)
        if code in SILENT:
            return None
        try:
            node = self._tree.nodes.get(number, self._tree.root)
            said, error = self._by_code[code](node, asked[IN.size :]), 0
        except KeyError:
            said, error = b"", errno.ENOSYS
        except OSError as refused:
            said, error = b"", refused.errno or errno.EIO
        return OUT.pack(OUT.size + len(said), -error, unique) + said

    def _lookup(self, folder: Node, asked: bytes) -> bytes:
        return entry_of(self._found(folder, name_in(asked)))

    def _found(self, folder: Node, name: bytes) -> Node:
        if name not in folder.entries:
            raise OSError(errno.ENOENT, "")
        return folder.entries[name]

    def _set(self, node: Node, asked: bytes) -> bytes:
        valid, _, _, size, *_, mode, _, uid, gid, _ = SET.unpack_from(asked)
        if valid & SET_MODE:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        node.uid = uid if valid & SET_UID else node.uid
        node.gid = gid if valid & SET_GID else node.gid
        if valid & SET_SIZE:
            node.resize(size)
        return attributes_of(node)

    def _make(self, folder: Node, name: bytes, mode: int) -> Node:
        if name in folder.entries:
            raise OSError(errno.EEXIST, "")
        folder.entries[name] = self._tree.make(mode, self._uid, self._gid)
        return folder.entries[name]

    def _make_node(self, folder: Node, asked: bytes) -> bytes:
        (mode,) = struct.unpack_from("<I", asked)
        return entry_of(self._make(folder, name_in(asked[16:]), mode))

    def _make_folder(self, folder: Node, asked: bytes) -> bytes:
        (mode,) = struct.unpack_from("<I", asked)
        return entry_of(self._make(folder, name_in(asked[8:]), stat.S_IFDIR | mode))

    def _create(self, folder: Node, asked: bytes) -> bytes:
        _, mode = struct.unpack_from("<II", asked)
        made = self._make(folder, name_in(asked[16:]), stat.S_IFREG | mode)
        return entry_of(made) + opened(made)

    def _unlink(self, folder: Node, asked: bytes) -> bytes:
        name = name_in(asked)
        if self._found(folder, name).entries:
            raise OSError(errno.ENOTEMPTY, "")
        del folder.entries[name]
        return b""

    def _rename(self, folder: Node, asked: bytes, names_at: int) -> bytes:
        (target,) = struct.unpack_from("<Q", asked)
        old, new, *_ = asked[names_at:].split(b"\0")
        moved = self._found(folder, old)
        self._tree.nodes[target].entries[new] = moved
        if (target, new) != (folder.number, old):
            del folder.entries[old]
        return b""

    def _read(self, node: Node, asked: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", asked)
        return bytes(node.data[offset : offset + size])

    def _write(self, node: Node, asked: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", asked)
        node.write(offset, asked[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def _sync(self, node: Node, asked: bytes) -> bytes:
        node.sync()
        return b""

    def _list(self, folder: Node, asked: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", asked)
        listed = b""
        for place, (name, node) in enumerate([*folder.entries.items()][offset:], start=offset + 1):
            line = struct.pack("<QQII", node.number, place, len(name), node.mode >> 12) + name
            line += bytes(-len(line) % 8)
            if len(listed) + len(line) > size:
                break
            listed += line
        return listed


def greeting(asked: bytes) -> bytes:
    major, minor, ahead, _ = struct.unpack_from("<IIII", asked)
    rest = (BIG_WRITES, 16, 12, MOST, 1, 0, 0, 0, 0, *[0] * 6)
    return INIT_OUT.pack(major, min(minor, 31), ahead, *rest)


def entry_of(node: Node) -> bytes:
    return ENTRY.pack(node.number, 0, VALID_S, VALID_S, 0, 0) + attributes(node)


def attributes_of(node: Node) -> bytes:
    return struct.pack("<QII", VALID_S, 0, 0) + attributes(node)


def attributes(node: Node) -> bytes:
    size, at = len(node.data), int(node.at)
    links = 2 if node.is_folder else 1
    who = (node.mode, links, node.uid, node.gid, 0, 4096, 0)
    return ATTRIBUTES.pack(node.number, size, -(-size // 512), at, at, at, 0, 0, 0, *who)


def opened(node: Node) -> bytes:
    return struct.pack("<QIi", node.number, KEEP_CACHE, 0)


def space() -> bytes:
    some = (FREE_BLOCKS, FREE_BLOCKS, FREE_BLOCKS, FREE_BLOCKS, FREE_BLOCKS)
    return struct.pack("<5Q10I", *some, 4096, 255, 4096, 0, *[0] * 6)


def name_in(asked: bytes) -> bytes:
    return asked.partition(b"\0")[0]
