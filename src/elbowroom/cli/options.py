"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


def use_threads(threads: int | None) -> None:
    """Set the number of threads, if one is given."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
