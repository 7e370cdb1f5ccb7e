"""One call that keeps the C library from handing memory back to the kernel at every step."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ONE_GIBIBYTE = 1 << 30


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next step; return whether it was told.

    A step frees and takes back its gradients. By default glibc returns blocks of that size to the
    kernel, at the price of hundreds of page faults a step. Elsewhere than glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "gnu_get_libc_version"):
        return False
    return all(library.mallopt(key, ONE_GIBIBYTE) for key in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))
