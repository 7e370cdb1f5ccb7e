"""The model card: the ``README.md`` of a run folder, as model repositories expect it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def model_card(
    *,
    title: str,
    data: str,
    model: str,
    figures: Sequence[Sequence[str]],
    commands: Sequence[str],
    versions: Mapping[str, str],
    images: bool = False,
    dataset: str | None = None,
    licence: str | None = None,
    part: str = "test",
    pictures: Sequence[tuple[str, str]] = (),
) -> str:
    """Return a model card: metadata in YAML, then what, data, figures, how to load, versions.

    Args:
        title: of the card.
        data: what the data are, in one line.
        model: the model as mathematics, as text.
        figures: title, value, standard error and unit of each figure of the evaluation.
        commands: how the run was made.
        versions: of packages, by name.
        images: whether the model makes pictures.
        dataset: name of the data.
        licence: identifier of the weights' licence; None leaves it to whoever publishes them.
        part: part of the data that was evaluated.
        pictures: caption and path, relative to the card.
    """
    parts = [
        front_matter(metadata(images, dataset, licence)),
        f"# {plain(title)}",
        "A deep latent-variable model, fitted with elbowroom.",
        fenced(model),
        f"**Data.** {plain(data)}",
        f"## Figures on {plain(part)} data",
        table(("", "value", "± s.e.", "unit"), figures),
        *(f"![{plain(caption)}]({path})" for caption, path in pictures),
        "## Use",
        fenced(LOADING, "python"),
        "## Reproduce",
        fenced("\n".join(commands), "console"),
        "Made with " + ", ".join(f"{plain(k)} {plain(v)}" for k, v in versions.items()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


LOADING = """import elbowroom as er

model = er.load(".")                        # the folder of this card
samples = model.sample(16, seed=0)["x"]     # draws from the prior, decoded"""


def metadata(images: bool, dataset: str | None, licence: str | None) -> dict[str, Any]:
    """Return what a model repository reads: library, task, tags."""
    values: dict[str, Any] = {"library_name": "elbowroom"}
    if licence:
        values["license"] = licence
    if images:
        values["pipeline_tag"] = "unconditional-image-generation"
    tags = ["variational-autoencoder", "latent-variable-model", "elbowroom"]
    # Names of built-in data go into the tags; a path on someone's disk does not.
    return values | {"tags": [*tags, dataset] if dataset else tags}


def front_matter(values: Mapping[str, Any]) -> str:
    """Return metadata as YAML between two lines of dashes."""
    import yaml

    return "---\n" + yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True) + "---"


def plain(text: object) -> str:
    """Return text on one line, with what Markdown could take for markup escaped."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def fenced(text: str, language: str = "") -> str:
    """Return text as a code block, with a fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; numbers flush right."""
    lines = [headers, ["---", "---:", "---:", "---"][: len(headers)]]
    shown = [*lines, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in shown)
