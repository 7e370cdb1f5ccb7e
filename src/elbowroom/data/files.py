"""Bytes of a file, unpacked where it is gzipped, never more than a limit."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from elbowroom.data.raw import reading
from elbowroom.errors import UserError

LIMIT = 16 * 2**30
"""Most bytes that a packed file may unpack to; a small file that says more is a trap."""


def read_bytes(path: Path, what: str) -> bytes:
    """Return the contents of a file, gunzipped if its name ends in ``.gz``.

    Raises:
        UserError: if it is missing, unreadable, empty, truncated or too large unpacked.
    """
    with reading(path, what):
        content = _gunzip(path) if path.suffix == ".gz" else path.read_bytes()
    if not content:
        raise UserError(f"{path}: the file is empty.")
    return content


def _gunzip(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            content = stream.read(LIMIT + 1)
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path}: the gzip file is cut short or damaged ({error}).") from error
    if len(content) > LIMIT:
        raise UserError(f"{path}: unpacks to more than {LIMIT // 2**30} GB.")
    return content


def decode(path: Path, content: bytes) -> str:
    """Return text in UTF-8 (or UTF-16 with its mark), line ends as ``\\n``.

    Raises:
        UserError: on bytes that are no such text, named by their line.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}: line {line} holds bytes that are not {encoding[:6].rstrip('-')} text "
            f"(0x{content[error.start]:02x}). Save the file as UTF-8."
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}: not a text file: line {line} holds a zero byte.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sha256(path: Path) -> str:
    """SHA-256 of what a file holds: of a ``.gz`` file, the unpacked content.

    The same data packed by another program then still verify.
    """
    import hashlib

    digest = hashlib.sha256()
    with reading(path, "a file"), _open(path) as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _open(path: Path):
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
