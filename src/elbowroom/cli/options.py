"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elbowroom.errors import UserError

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print results as one JSON object.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="One seed reproduces the result.")]
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


def refuse_existing(path: Path | None, overwrite: bool) -> None:
    """Raise `UserError` if a file that was asked for is there already and may not be replaced."""
    if path is not None and path.exists() and not overwrite:
        raise UserError(f"{path} exists already; choose another --out, or --overwrite")


def use_threads(threads: int | None) -> None:
    """Set the number of threads, if one is given."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
