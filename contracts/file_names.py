"""Which file names may be written: a name is hostile input, made to look like, or to become, another. Pure."""

from __future__ import annotations

import re
import unicodedata

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255

_LOOKALIKES = str.maketrans("․。·ɡցіıⅰɩтτ", "...ggiiiitt")
_SHORT_NAME = re.compile(r"(git|gi[0-9a-f]{4})~[0-9]+", re.ASCII)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def name_problem(path: str) -> str:
    """Why a path may not be written, as far as its name tells; "" when it may.

    It could leave the tree, reach git's own files, or show as something it is not.
    """
    for char in path:
        if unicodedata.category(char) in _INVISIBLE or (char != " " and char.isspace()):
            return f"{path!r} has the invisible or control character U+{ord(char):04X}"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"{path[:80] + '…'!r} has more than {MAX_PATH_BYTES} bytes"
    if "\\" in path or re.match("[A-Za-z]:", path):
        return f"{path!r} has a backslash or a drive letter, which other systems read as a folder"
    for name in path.split("/"):
        if name in ("", ".", ".."):
            return f"{path!r} is no path inside the repository"
        if len(name.encode()) > MAX_NAME_BYTES:
            return f"{path!r} has a name of more than {MAX_NAME_BYTES} bytes"
        plain = _plain(name)
        if plain == ".git" or _SHORT_NAME.fullmatch(plain):
            return f"{path!r} has {name!r}, which is or can become git's own folder"
        if plain == ".gitmodules":
            return f"{path!r} is git's list of submodules"
    return ""


def folded(path: str) -> str:
    """`path` as a file system sees it that ignores case and Unicode form; equal for names that can collide."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _plain(name: str) -> str:
    """`name` as the most forgiving file system reads it.

    NTFS drops trailing dots and spaces and everything after a colon (streams); HFS+ and APFS ignore case and
    Unicode form; people do not see the difference between some letters at all.
    """
    plain = folded(name).translate(_LOOKALIKES)
    bare = "".join(char for char in unicodedata.normalize("NFD", plain) if not unicodedata.combining(char))
    return bare.split(":", 1)[0].rstrip(". ")
