"""Files and folders that know what of them is on the disk: the contents of a forgetful disk."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass, field

ROOT = 1  # FUSE's number of it


@dataclass(eq=False)
class Node:
    """A file or a folder: as programs see it, and as it was when it was last synced."""

    number: int
    mode: int
    uid: int = 0
    gid: int = 0
    data: bytearray = field(default_factory=bytearray)
    entries: dict[bytes, Node] = field(default_factory=dict)
    synced_data: bytearray = field(default_factory=bytearray)
    synced_entries: dict[bytes, Node] = field(default_factory=dict)
    changed: list[tuple[int, int]] = field(default_factory=list)  # ranges since then
    at: float = field(default_factory=time.time)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def write(self, offset: int, data: bytes) -> None:
        if offset > len(self.data):
            self.resize(offset)
        self.data[offset : offset + len(data)] = data
        self.changed.append((offset, offset + len(data)))
        self.at = time.time()

    def resize(self, size: int) -> None:
        before = len(self.data)
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))
        self.changed.append((min(before, size), size))
        self.at = time.time()

    def sync(self) -> None:
        """What fsync promises: of a file its bytes, of a folder its entries."""
        del self.synced_data[len(self.data) :]
        self.synced_data.extend(bytes(len(self.data) - len(self.synced_data)))
        for start, end in self.changed:
            self.synced_data[start:end] = self.data[start:end]
        del self.synced_data[len(self.data) :]
        self.changed.clear()
        self.synced_entries = dict(self.entries)

    def forget(self) -> None:
        self.data = bytearray(self.synced_data)
        self.changed.clear()
        self.entries = dict(self.synced_entries)


class Tree:
    """All nodes that can be reached, and those that are open though they cannot be any more."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.root = self.make(stat.S_IFDIR | 0o755)

    def make(self, mode: int, uid: int = 0, gid: int = 0) -> Node:
        number = max(self.nodes, default=ROOT - 1) + 1
        self.nodes[number] = Node(number, mode, uid, gid)
        return self.nodes[number]

    def settle(self) -> None:
        for node in self.nodes.values():
            node.sync()

    def forget(self) -> None:
        """Be as a power cut leaves it."""
        for node in self.nodes.values():
            node.forget()
        self.nodes = {node.number: node for node in reached(self.root)}


def reached(node: Node) -> list[Node]:
    return [node, *(below for one in node.entries.values() for below in reached(one))]
