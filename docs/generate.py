"""Pages that follow from the code: lists of types and settings, commands, the API reference.

Nothing here is a second list: all is read off the registry, signatures and docstrings.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import elbowroom
from elbowroom.part import argument_names
from elbowroom.registry import TYPES, class_of

GROUPS = ("families", "priors", "posteriors", "gradients", "objectives", "nets", "schedules")


def write_all(folder: Path) -> None:
    """Write every generated page and table into `folder`."""
    tables = {f"{group}.md": types_list(group) for group in GROUPS}
    tables |= {"settings.md": settings_table(), "models.md": models_table()}
    tables |= {"datasets.md": datasets_table(), "commands.md": commands()}
    pages = {f"{name}.md": page(name, modules) for name, modules in packages().items()}
    pages["index.md"] = api_index(packages())
    for path, text in {**{f"tables/{k}": v for k, v in tables.items()}, **pages}.items():
        write(folder / path, text)


def write(path: Path, text: str) -> None:
    """Write a file if it changed, so that Sphinx does not read it again for nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table; bars inside cells are escaped."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines)
        + "\n"
    )


def types_list(group: str) -> str:
    """Return the registered types of one folder: name in configurations, arguments, meaning."""
    places = {n: p for n, p in TYPES.items() if re.match(rf"elbowroom\.{group}[.:]", p)}
    entries = [(f"`{n}` · `{signature(class_of(n))}`", first_line(class_of(n))) for n in places]
    return "\n".join(f"{term}\n: {meaning}\n" for term, meaning in entries)


def signature(cls: type) -> str:
    """Return ``Name(a, b=1)``."""
    parameters = inspect.signature(cls).parameters
    shown = [n + default(parameters[n].default) for n in argument_names(cls)]
    return f"{cls.__name__}({', '.join(shown)})"


def default(value: Any) -> str:
    return "" if value is inspect.Parameter.empty else f"={value!r}"


def first_line(thing: object) -> str:
    """Return the first sentence of a docstring as Markdown."""
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return markdown(paragraph)


def markdown(text: str) -> str:
    """Turn a docstring's reStructuredText roles and literals into Markdown's."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", " ".join(text.split()))
    return text.replace("``", "`")


def settings_table() -> str:
    """Return the settings of a run with defaults, in the words of their docstring."""
    from elbowroom.train.settings import Settings

    words = attributes(Settings)
    rows = [(f"`{f.name}`", f"`{shown(f)}`", markdown(words[f.name])) for f in fields(Settings)]
    return table(("setting", "default", "meaning"), rows)


def shown(field: Any) -> str:
    if field.default is not MISSING:
        return repr(field.default)
    return repr(field.default_factory())


def attributes(cls: type) -> dict[str, str]:
    """Return the entries of a docstring's ``Attributes:`` section."""
    section = (inspect.getdoc(cls) or "").split("Attributes:\n")[1].split("\n\n")[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return dict(entries)


def models_table() -> str:
    """Return the recipes that `--model` takes."""
    from elbowroom.recipes import RECIPES

    rows = [(f"`{n}`", e.purpose, e.data, e.paper) for n, e in RECIPES.items()]
    return table(("name", "purpose", "data", "paper"), rows)


def datasets_table() -> str:
    """Return the built-in data sets."""
    from elbowroom.data.builtin import BUILTIN

    rows = [
        (f"`{name}`", one.title, f"{one.rows:,}", one.citation, one.licence)
        for name, one in BUILTIN.items()
    ]
    return table(("name", "data", "rows", "source", "licence"), rows)


def commands() -> str:
    """Return the help of every command, as it is printed."""
    from typer.testing import CliRunner

    from elbowroom.cli.app import COMMANDS, app

    def help_of(*arguments: str) -> str:
        environment = {"COLUMNS": "92", "TERMINAL_WIDTH": "92", "NO_COLOR": "1", "TERM": "dumb"}
        result = CliRunner().invoke(app, [*arguments, "--help"], env=environment)
        if result.exit_code:
            raise RuntimeError(f"elbowroom {' '.join(arguments)} --help: {result.output}")
        lines = [
            line.rstrip()
            for line in result.output.replace("Usage: root", "Usage: elbowroom").splitlines()
        ]
        return "```text\n" + "\n".join(lines).strip("\n") + "\n```\n"

    return "\n".join(f"## elbowroom {name}\n\n{help_of(name)}" for name in COMMANDS)


def packages() -> dict[str, list[str]]:
    """Return the public modules by page: one page a package, one for what stands at the top."""
    found: dict[str, list[str]] = {"core": []}
    for module in pkgutil.walk_packages(elbowroom.__path__, "elbowroom."):
        name = module.name.removeprefix("elbowroom.")
        if name.startswith("_") or name.split(".")[0] in ("cli", "workflow"):
            continue
        top = name.split(".")[0] if module.ispkg or "." in name else "core"
        found.setdefault(top, []).append(module.name)
    return found


def page(name: str, modules: list[str]) -> str:
    """Return an API page: one section a module, with its docstring and members."""
    package = None if name == "core" else importlib.import_module(f"elbowroom.{name}")
    title = "Core" if package is None else f"elbowroom.{name}"
    intro = "" if package is None else markdown((inspect.getdoc(package) or "").split("\n\n")[0])
    inner = [m for m in modules if m != f"elbowroom.{name}"]
    sections = [f"## {m}\n\n```{{eval-rst}}\n.. automodule:: {m}\n```\n" for m in inner]
    return "\n".join([f"# {title}\n", f"{intro}\n", *sections])


def api_index(pages: dict[str, list[str]]) -> str:
    """Return the table of contents of the API reference."""
    names = "\n".join(pages)
    return f"# API reference\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
