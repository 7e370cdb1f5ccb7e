"""Limits of machines: numbers that fit, and what allocators say, in words for people."""

from __future__ import annotations

import re

LARGEST_SEED = 2**62
"""Generators take 64 bits with a sign; what is added to a seed has room above this."""

SIGNS = (
    "allocate memory",
    "out of memory",
    "Unable to allocate",
    "Overflow when unpacking long",
    "calculation overflowed",
    "multiplication overflow",
)
"""What torch and numpy say where an array is too large for the memory, or for any."""

ASKED = re.compile(r"(?i)(?:tried to|unable to) allocate ([\d.]+) ?(bytes|[KMGTPE]iB)")
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def shortage(error: BaseException) -> str | None:
    """Return in words that an array was too large, and how large; None for other errors.

    Args:
        error: whatever was raised.
    """
    text = str(error)
    if not isinstance(error, MemoryError) and not any(sign in text for sign in SIGNS):
        return None
    found = ASKED.search(text)
    size = f" (one array alone takes {readable(*found.groups())})" if found else ""
    return f"out of memory{size}"


def readable(number: str, unit: str) -> str:
    """Write a number of bytes, or of KiB and so on, in the unit that suits it.

    Example:
        >>> readable("1024000000000", "bytes")
        '1.02 TB'
    """
    size = float(number) * (1024 ** ("KMGTPE".index(unit[0]) + 1) if unit != "bytes" else 1)
    place = 0
    while size >= 1000 and place < len(UNITS) - 1:
        size, place = size / 1000, place + 1
    return f"{size:.3g} {UNITS[place]}"
