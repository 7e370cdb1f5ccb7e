"""What a run is worth, in words and tables: the headline, the report, the model card."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from elbowroom.data import builtin
from elbowroom.data.spec import DataSpec
from elbowroom.report import sections
from elbowroom.report.card import model_card
from elbowroom.report.html import write_report
from elbowroom.train.files import write_text
from elbowroom.workflow.explained import EXPLAINED, explanation

Drawn = dict[str, tuple[Path, str]]
REQUEST = "request.yaml"
GLANCE = (
    "log_marginal",
    "elbo",
    "bits_per_dim",
    "perplexity",
    "perplexity_per_document",
    "reconstruction_error",
    "active_units",
    "training_seconds",
)
SHOWING_DATA = (
    "reconstructions",
    "snapshots",
    "interpolations",
    "traversals",
    "samples",
    "cross",
    "columns",
    "cross-columns",
    "sampled-columns",
    "latents",
    "correlations",
)
FIGURES = {
    "Pictures": (
        "reconstructions",
        "columns",
        "cross",
        "cross-columns",
        "samples",
        "sampled-columns",
        "molecules",
        "correlations",
        "snapshots",
    ),
    "Latent space": ("latents", "manifold", "traversals", "interpolations", "kl"),
    "Training": ("training", "likelihoods"),
}


def write(
    folder: Path,
    spec: DataSpec,
    config: dict[str, Any],
    result: dict[str, Any],
    drawn: Drawn,
    model: str,
    embed: bool,
) -> None:
    """Write ``report.html`` and the model card.

    Args:
        folder: the run folder.
        spec: what is known of the data.
        config: the run's configuration.
        result: what the evaluation found.
        drawn: path and caption of every figure, by name.
        model: the model as mathematics.
        embed: whether the report may hold pictures of the data.
    """
    title = f"{config['request']['model']['type']} on {spec.name}"
    commands = command_lines()
    write_report(
        folder / "report.html",
        title=title,
        lead=spec.description,
        summary=glance(result),
        sections=[
            sections.data(spec.description, facts(spec)),
            sections.model(model),
            sections.evaluation(headline_rows(result), explanations(result), reasons(result)),
            *(sections.figures(h, drawn, names, SHOWING_DATA) for h, names in FIGURES.items()),
            sections.reproduction(commands, config["versions"], "In this folder:"),
        ],
        embeds_data=embed,
    )
    card = model_card(
        title=title,
        data=spec.description,
        model=model,
        figures=headline_rows(result),
        commands=commands,
        versions=config["versions"],
        images=spec.image is not None,
        dataset=spec.name if spec.name in builtin.names() else None,
    )
    write_text(folder / "README.md", card)


def glance(result: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the most telling figures, each with its unit and standard error."""
    found = [k for k in GLANCE if isinstance(result.get(k), dict)]
    return {EXPLAINED[k][0]: (shown(result[k]), below(result[k])) for k in found}


def below(number: dict[str, Any]) -> str:
    error = shown_error(number)
    return f"± {error} {number.get('unit', '')}" if error else str(number.get("unit", ""))


def facts(spec: DataSpec) -> dict[str, object]:
    """Return what a reader wants to know of the data besides the description."""
    return {
        "source": spec.source,
        "licence": spec.licence,
        "citation": spec.citation,
        "fingerprint": spec.fingerprint,
    }


def explanations(result: dict[str, Any]) -> list[str]:
    """Return the meaning of every figure in :func:`headline_rows`."""
    return [explanation(key, result[key]) for key in headline_keys(result)]


def reasons(result: dict[str, Any]) -> dict[str, str]:
    """Return why a figure is not there, by title."""
    absent = result.get("not_available", {})
    return {EXPLAINED[k][0]: str(why) for k, why in absent.items() if k in EXPLAINED}


def command_lines() -> list[str]:
    """Return the commands that repeat, judge and use the run, from inside its folder."""
    return [
        f"elbowroom fit {REQUEST} --out ../again",
        "elbowroom evaluate . --samples 5000",
        "elbowroom sample . -n 64",
    ]


def headline_rows(result: dict[str, Any]) -> list[list[str]]:
    """Return title, value, standard error and unit of every figure there is."""
    return [
        [
            title_of(k, result[k]),
            shown(result[k]),
            shown_error(result[k]),
            unit_of(result[k]),
        ]
        for k in headline_keys(result)
    ]


def unit_of(number: dict[str, Any]) -> str:
    """Return a figure's unit, and what to do about the figure where there is something."""
    unit, advice = number.get("unit", ""), number.get("advice")
    return f"{unit}: {advice}" if advice else unit


def title_of(key: str, number: dict[str, Any]) -> str:
    """Name a figure, with the number of samples it rests on and the cap it has reached."""
    title = EXPLAINED[key][0]
    if "given" in number:
        title = title.replace("(x)", f"(x|{', '.join(number['given'])})")
        title = f"{title} given {', '.join(number['given'])}" if "|" not in title else title
    if number.get("solved_by") == "EM":
        return "parameters of iteration"
    if "estimator" in number:
        return f"{title}, {number['estimator']}"
    if key == "log_marginal":
        return f"{title}, IW-{number['samples']}"
    if key == "effective_sample_size":
        return f"{title} of {number['of']}"
    if key == "mutual_information" and number["value"] > math.log(number["n"]) - 0.1:
        return f"{title}, at its cap log {number['n']}"
    return title


def headline_keys(result: dict[str, Any]) -> list[str]:
    """Return the figures that were found, in the order they are explained in."""
    found = (k for k in EXPLAINED if isinstance(result.get(k), dict))
    return [k for k in found if result[k].get("value") is not None]


def shown(number: Any) -> str:
    """Write a figure's value; what is not there is a dash."""
    if not isinstance(number, dict) or number.get("value") is None:
        return "–"
    value = number["value"]
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def shown_error(number: dict[str, Any]) -> str:
    error = number.get("standard_error")
    return "" if error is None else f"{error:#.2g}".rstrip(".")
