"""The sections that the report of every run has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from elbowroom.report.blocks import Code, Listing, Picture, Prose, Table
from elbowroom.report.html import Section

UNSEEN = (
    "On data that neither training nor the choice of parameters has seen; ± is one standard error."
)


def data(description: str, facts: Mapping[str, object]) -> Section:
    """Say what the data are; facts that are None or empty are left out."""
    rows = [(name, value) for name, value in facts.items() if value not in (None, "", ())]
    return Section(
        "Data", [Prose(description), Table(("", ""), rows)] if rows else [Prose(description)]
    )


def model(text: str) -> Section:
    """Write the model down as mathematics."""
    return Section("Model", [Code(text)])


def evaluation(
    rows: Sequence[Sequence[str]],
    explanations: Sequence[str],
    reasons: Mapping[str, str] | None = None,
) -> Section:
    """Return the table of figures, each with one line that says what it means.

    Args:
        rows: title, value, standard error and unit of each figure.
        explanations: one for each row.
        reasons: by title, why a figure is not there.
    """
    explained = [(*row, text) for row, text in zip(rows, explanations, strict=True)]
    blocks = [
        Prose(UNSEEN),
        Table(("", "value", "±", "unit", "what it says"), explained),
    ]
    if reasons:
        blocks.append(Table(("not available", "why"), list(reasons.items())))
    return Section("Evaluation", blocks)


def figures(
    heading: str,
    drawn: Mapping[str, tuple[Path, str]],
    names: Sequence[str],
    showing_data: Sequence[str] = (),
) -> Section:
    """Return those of the drawn figures that are named, in that order; ``.txt`` is listed.

    Args:
        heading: of the section.
        drawn: path and caption by name.
        names: which, in order; those that were not drawn are left out.
        showing_data: the names of those that show the user's data.
    """
    found = [(name, *drawn[name]) for name in names if name in drawn]
    kinds = [Listing if path.suffix == ".txt" else Picture for _, path, _ in found]
    blocks = [
        kind(path, text, name in showing_data) for kind, (name, path, text) in zip(kinds, found)
    ]
    return Section(heading, blocks)


def reproduction(commands: Sequence[str], versions: Mapping[str, str], note: str = "") -> Section:
    """Say how to repeat the run, and with which versions it was made."""
    said = [Prose(note)] if note else []
    return Section(
        "Reproduce",
        [*said, Code("\n".join(commands)), Table(("made with", ""), list(versions.items()))],
    )
