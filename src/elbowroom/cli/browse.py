"""Commands that list: `models`, `datasets`."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from elbowroom.cli.options import Json
from elbowroom.cli.output import Voice, table

BINARISED = (
    "Levels are binary as NAME-dynamic (drawn anew for each batch), NAME-static (drawn once)\n"
    "and NAME-threshold (at one half), as in digits-threshold."
)


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Describe one model.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the models, or describe one with its options.

    Examples:

    - `elbowroom models`

    - `elbowroom models vae`
    """
    from elbowroom.recipes import RECIPES, recipe

    voice = Voice(as_json=as_json)
    if name is None:
        rows = [[n, e.purpose, e.paper] for n, e in RECIPES.items()]
        value = {
            n: {"purpose": e.purpose, "paper": e.paper, "data": e.data} for n, e in RECIPES.items()
        }
        voice.result(value, table(["model", "for", "paper"], rows))
        return
    function = recipe(name)
    entry, options = RECIPES[name], options_of(function)
    text = f"{name}: {entry.purpose}\npaper: {entry.paper}\ndata:  {entry.data}\n\n"
    text += f"{inspect.getdoc(function)}\n\n"
    text += table(["option", "default"], [[k, repr(v)] for k, v in options.items()])
    text += f"\n\n{example(name)}"
    voice.result(
        {"name": name, "purpose": entry.purpose, "paper": entry.paper, "options": options}, text
    )


def options_of(function: object) -> dict[str, object]:
    """Return a recipe's options and defaults."""
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return {p.name: p.default for p in parameters if p.name not in ("spec", "data")}


def example(name: str) -> str:
    """Compose the model for a few made-up data and print it as mathematics."""
    import torch

    from elbowroom.data.tiny import tiny
    from elbowroom.describe import describe
    from elbowroom.random import seeded
    from elbowroom.recipes import RECIPES, recipe

    splits = tiny(RECIPES[name].example)
    with seeded(0):
        made = recipe(name)(splits.spec, splits.train.batch(torch.arange(len(splits.train))))
    return f"For {splits.spec.description}:\n{describe(made.model, made.objective)}"


def datasets(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Describe one data set.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the built-in data sets, or describe one: source, licence, where its files go.

    Examples:

    - `elbowroom datasets`

    - `elbowroom datasets mnist`
    """
    from elbowroom import data

    voice = Voice(as_json=as_json)
    if name is not None:
        described = data.describe(name)
        text = "\n".join(f"{k:<12} {v}" for k, v in described.items() if v not in (None, ""))
        voice.result(described, text)
        return
    every = {n: data.describe(n) for n in data.names()}
    keys = ["shape", "kind", "licence", "where"]
    rows = [[n, *(brief(n, str(d.get(k, ""))) for k in keys)] for n, d in every.items()]
    voice.result(every, f"{table(['data set', *keys], rows)}\n\n{BINARISED}")


def brief(name: str, cell: str) -> str:
    """Shorten a cell of several lines, as of files to be put somewhere, to a pointer."""
    return (
        cell if "\n" not in cell else f"absent; elbowroom datasets {name} says what to put where"
    )
