"""Files below a tree, reached one folder at a time so that no symbolic link is ever followed.

`openat` with `O_NOFOLLOW` for every component: a link, a submodule or a name that points out of the tree
is an error of the kernel's, not of a check that ran a moment earlier.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from servers.specialist import ToolError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def components(path: str) -> tuple[str, ...]:
    """The names of a relative path.

    Raises:
        ToolError: invalid, when it is absolute or has an empty, `.` or `..` component or a NUL.
    """
    parts = tuple(path.split("/"))
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ToolError("invalid", f"a path inside the tree is expected, found {path!r}")
    return parts


@contextmanager
def folder_of(tree: Path, path: str, *, create: bool = False) -> Generator[tuple[int, str]]:
    """A descriptor of the folder that holds `path`, and the last name; `create` makes missing folders.

    Raises:
        ToolError: not_found, when a folder is missing; invalid, when a component is a link or no folder.
    """
    *parents, name = components(path)
    handle = os.open(tree, FOLDER)
    try:
        for parent in parents:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(parent, 0o777, dir_fd=handle)
            try:
                inner = os.open(parent, FOLDER, dir_fd=handle)
            except OSError as error:
                raise _refused(error, path) from error
            os.close(handle)
            handle = inner
        yield handle, name
    finally:
        os.close(handle)


def read_at(folder: int, name: str, path: str, limit: int) -> tuple[bytes, os.stat_result]:
    """Content and status of the regular file `name` in `folder`; `path` is for the message.

    Raises:
        ToolError: not_found; invalid, when it is not a regular file; limit, when it is over `limit` bytes.
    """
    try:
        # O_NONBLOCK: opening a pipe somebody left there must not wait for a writer.
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise _refused(error, path) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise ToolError("invalid", f"{path} is not a regular file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > limit:
            raise ToolError("limit", f"{path} has {status.st_size} bytes; at most {limit} are read")
        return file.read(limit + 1), status


def read(tree: Path, path: str, limit: int) -> bytes:
    """Content of a regular file below `tree`; errors as `folder_of` and `read_at`."""
    with folder_of(tree, path) as (folder, name):
        return read_at(folder, name, path, limit)[0]


def text_of(data: bytes, path: str) -> str:
    """`data` as text.

    Raises:
        ToolError: invalid, when it holds a NUL (git's mark of a binary file) or is not UTF-8.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ToolError("invalid", f"{path} is not UTF-8 text (byte {error.start})") from error
    if "\0" in text:
        raise ToolError("invalid", f"{path} is a binary file")
    return text


def shown(path: str) -> str:
    """`path` as valid text; bytes that are not UTF-8 are escaped, and such a file cannot be asked for."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _refused(error: OSError, path: str) -> ToolError:
    if error.errno == errno.ENOENT:
        return ToolError("not_found", f"{path} does not exist", way_out="List the tree for what there is.")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return ToolError("invalid", f"{path} leads through or to a symbolic link, or a file used as a folder")
    return ToolError("invalid", f"{path} cannot be opened: {error.strerror}")
