"""Locks that keep two processes from writing the same file or folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mien.errors import UserError

LOCK_PREFIX = ".lock-"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file or folder to be written, until the block ends.

    The lock is an advisory one (flock) on a hidden file beside `path`, which is removed at the end.
    The kernel drops it when the process dies, however it dies. Where the system or the file system
    has no such locks, nothing is held. Raises UserError if another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = path.resolve()
    lock = path.with_name(f"{LOCK_PREFIX}{path.name}")
    with contextlib.ExitStack() as stack:
        while True:
            try:
                descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:  # the writing itself says why
                break
            closing = contextlib.ExitStack()
            closing.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                closing.close()
                raise UserError(
                    f"{path} is being written by another process; end that one, or name another "
                    "place."
                ) from None
            except OSError:
                closing.close()
                break
            if _is_open_file(lock, descriptor):
                stack.push(closing)
                stack.callback(lock.unlink, missing_ok=True)  # before the lock is released
                break
            closing.close()  # the process before has just removed it
        yield


def _is_open_file(path: Path, descriptor: int) -> bool:
    """Return whether a path still names the file that a descriptor has open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
