"""Bounds-checked access to a flatbuffer: tables, their fields, vectors and strings.

The layout is that of https://flatbuffers.dev/internals/: a table starts with the distance back to
its vtable, which holds its own size, the table's size and the offset of each field.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


class FlatbufferError(ValueError):
    """An offset or length that leaves the file; the text says where."""


@dataclass(frozen=True)
class Table:
    """A table whose vtable and fields lie inside the file."""

    data: bytes
    start: int  # bytes
    vtable: int  # bytes, where it stands
    fields: int  # how many the vtable has
    size: int  # bytes, of the fields within the table

    def offset(self, field: int, width: int) -> int:
        """Return where a field of `width` bytes stands, 0 where it is left out."""
        if field >= self.fields:
            return 0
        offset = _unpack("<H", self.data, self.vtable + 4 + 2 * field)
        if offset == 0:
            return 0
        if offset < 4 or offset + width > self.size:
            raise FlatbufferError(f"field {field} leaves its table")
        return self.start + offset

    def number(self, field: int, code: str, default: int = 0) -> int:
        """Return an integer field; `code` is struct's, as "<I"."""
        at = self.offset(field, struct.calcsize(code))
        return _unpack(code, self.data, at) if at else default

    def table(self, field: int) -> Table | None:
        """Return the table that a field points to; None where it is left out."""
        at = self.offset(field, 4)
        return table_at(self.data, _follow(self.data, at)) if at else None

    def vector(self, field: int, width: int) -> range:
        """Return where the elements of a vector stand, `width` bytes each; empty without one."""
        at = self.offset(field, 4)
        if not at:
            return range(0)
        start = _follow(self.data, at)
        count = _unpack("<I", self.data, start)
        if start + 4 + count * width > len(self.data):
            raise FlatbufferError(f"{count} elements of field {field} leave the file")
        return range(start + 4, start + 4 + count * width, width)

    def numbers(self, field: int, code: str) -> tuple[int, ...]:
        """Return a vector of integers; `code` is struct's, as "<i"."""
        places = self.vector(field, struct.calcsize(code))
        return tuple(_unpack(code, self.data, at) for at in places)

    def floats(self, field: int) -> tuple[float, ...]:
        """Return a vector of 32-bit floats."""
        return tuple(struct.unpack_from("<f", self.data, at)[0] for at in self.vector(field, 4))

    def tables(self, field: int) -> tuple[Table, ...]:
        """Return a vector of tables."""
        return tuple(table_at(self.data, _follow(self.data, at)) for at in self.vector(field, 4))

    def text(self, field: int) -> str:
        """Return a string, "" where it is left out."""
        places = self.vector(field, 1)
        if not places:
            return ""
        if self.data[places.stop : places.stop + 1] != b"\0":
            raise FlatbufferError(f"the text of field {field} has no end")
        try:
            return self.data[places.start : places.stop].decode("utf-8")
        except UnicodeDecodeError as error:
            raise FlatbufferError(f"the text of field {field} is not UTF-8") from error


def root(data: bytes, identifier: bytes) -> Table:
    """Return the root table of a file with this identifier; raises FlatbufferError."""
    if data[4:8] != identifier:
        raise FlatbufferError("its identifier is missing")
    return table_at(data, _follow(data, 0))


def table_at(data: bytes, start: int) -> Table:
    """Return the table that begins at a byte; raises FlatbufferError."""
    vtable = start - _unpack("<i", data, start)
    width = _unpack("<H", data, vtable)
    size = _unpack("<H", data, vtable + 2)
    if width < 4 or width % 2 or vtable + width > len(data):
        raise FlatbufferError(f"the vtable of the table at {start} leaves the file")
    if size < 4 or start + size > len(data):
        raise FlatbufferError(f"the table at {start} leaves the file")
    return Table(data, start, vtable, (width - 4) // 2, size)


def _follow(data: bytes, at: int) -> int:
    distance = _unpack("<I", data, at)
    if distance < 4:
        raise FlatbufferError(f"the offset at {at} points at itself")
    return at + distance


def _unpack(code: str, data: bytes, at: int) -> int:
    if at < 0 or at + struct.calcsize(code) > len(data):  # struct would count from the end
        raise FlatbufferError(f"byte {at} is outside the file")
    return int(struct.unpack_from(code, data, at)[0])
