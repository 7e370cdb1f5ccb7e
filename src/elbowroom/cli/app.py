"""The commands, as one literal table."""

from __future__ import annotations

from typing import Annotated

import typer

from elbowroom.cli.browse import datasets, models
from elbowroom.cli.decode import interpolate, sample, traverse
from elbowroom.cli.encode import encode, reconstruct
from elbowroom.cli.fit import demo, fit, resume
from elbowroom.cli.guarded import guarded
from elbowroom.cli.impute import impute
from elbowroom.cli.judge import compare, evaluate
from elbowroom.cli.reproduce import reproduce

COMMANDS = {
    "demo": demo,
    "fit": fit,
    "resume": resume,
    "evaluate": evaluate,
    "sample": sample,
    "encode": encode,
    "reconstruct": reconstruct,
    "impute": impute,
    "interpolate": interpolate,
    "traverse": traverse,
    "compare": compare,
    "models": models,
    "datasets": datasets,
    "reproduce": reproduce,
}

app = typer.Typer(
    name="elbowroom",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(asked: bool) -> None:
    if asked:
        from elbowroom._version import __version__

        typer.echo(f"elbowroom {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Variational autoencoders from one command: fit, evaluate honestly, sample, encode.

    Begin with `elbowroom demo`, or with your own data: `elbowroom fit table.csv --out runs/mine`.
    """


for name, command in COMMANDS.items():
    app.command(name)(guarded(command))
