"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elbowroom.errors import UserError
from elbowroom.memory import LARGEST_SEED

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print results as one JSON object.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="One seed reproduces the result.")
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda or cuda:N. Default: a GPU where there is one."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Processor threads to use. Default: torch's choice."),
]
Run = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, made by `elbowroom fit`.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what --out holds already.")]


def refuse_existing(path: Path | None, overwrite: bool, source: str | None = None) -> None:
    """Raise `UserError` if a file that was asked for is there already and may not be replaced.

    What is read is never replaced, whatever `overwrite` says.

    Args:
        path: file to write, or None.
        overwrite: whether a file that is there may be replaced.
        source: the data to be read, if there are any.
    """
    if path is None or not path.exists():
        return
    if path.is_dir():
        raise UserError(f"--out {path} is a folder; name a file")
    if source is not None and is_read(path, source):
        raise UserError(f"--out {path} is among the data; choose another --out to keep them")
    if not overwrite:
        raise UserError(f"{path} exists already; choose another --out, or --overwrite")


def is_read(path: Path, source: str) -> bool:
    """Whether data are read from a file, under this name or another, or from its folder."""
    read = Path(source).expanduser()
    try:
        return path.samefile(read) or read.resolve() in path.resolve().parents
    except OSError:  # the data are built in, or not there
        return False


def use_threads(threads: int | None) -> None:
    """Set the number of threads, if one is given."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
