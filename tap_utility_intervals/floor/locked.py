"""A file that only one process has at a time."""

from __future__ import annotations

import sys
from typing import IO


def locked(file: IO[bytes]) -> bool:
    """Take the file; whether it is ours now. The system lets go when we end, however.

    The file must stay: who deletes a locked file lets a third one in.
    """
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - there only

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - everywhere else

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
