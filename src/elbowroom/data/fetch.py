"""Where a built-in set's files are: a folder of the user's, the cache, or the network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from elbowroom.data.files import sha256
from elbowroom.errors import UserError

VARIABLE = "ELBOWROOM_DATA"
"""Environment variable that names a folder of data sets, one sub-folder each."""


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Attributes:
        path: ``folder/name`` below the data folder.
        sha256: of the content, unpacked if the name ends in ``.gz``.
        url: where exactly this content is published, or None.
        origin: where people find it, in words, if there is no such address.
    """

    path: str
    sha256: str
    url: str | None = None
    origin: str = ""


def folders() -> list[Path]:
    """Return the folders that are searched, in order."""
    import pooch

    named = os.environ.get(VARIABLE)
    return [*([Path(named).expanduser()] if named else []), Path(pooch.os_cache("elbowroom"))]


def present(files: tuple[File, ...]) -> list[Path] | None:
    """Return the paths of all files, without a look into them; None if one is absent."""
    found = [_search(file) for file in files]
    return None if None in found else [path for path in found if path is not None]


def locate(name: str, alternatives: tuple[tuple[File, ...], ...]) -> list[Path]:
    """Return verified paths of the first alternative that is present, else fetch one.

    Raises:
        UserError: if a file is damaged, or absent and not to be fetched: it says which file with
            which checksum belongs where.
    """
    for files in alternatives:
        paths = present(files)
        if paths is not None:
            for path, file in zip(paths, files):
                _verify(path, file)
            return paths
    for files in alternatives:
        if all(file.url for file in files):
            return [_search(file) or _fetch(name, file) for file in files]
    raise UserError(absent(name, alternatives[0]))


def absent(name: str, files: tuple[File, ...]) -> str:
    """Say which files belong where."""
    lines = "\n".join(f"  {file.path}  sha256 {file.sha256}" for file in files)
    where = f"{folders()[-1]} or the folder that ${VARIABLE} names"
    origins = "; ".join(dict.fromkeys(file.origin for file in files if file.origin))
    found = f"\nIt comes from {origins}" if origins else ""
    return (
        f"data set {name!r} is not here and cannot be fetched. Put into {where}:\n{lines}{found}"
    )


def _search(file: File) -> Path | None:
    return next((f / file.path for f in folders() if (f / file.path).is_file()), None)


def _verify(path: Path, file: File) -> None:
    found = sha256(path)
    if found != file.sha256:
        raise UserError(
            f"{path}: damaged or another file: its content has sha256 {found}, expected "
            f"{file.sha256}. Remove it and try again."
        )


def _fetch(name: str, file: File) -> Path:
    import logging

    import pooch

    target = folders()[-1] / file.path
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(str(file.url), None, target.name, target.parent)
    except Exception as error:
        raise UserError(
            f"{file.url} could not be fetched ({error}).\n{absent(name, (file,))}"
        ) from error
    try:
        _verify(target, file)
    except UserError:
        target.unlink()
        raise
    return target
