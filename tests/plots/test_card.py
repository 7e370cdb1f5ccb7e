"""The model card is valid metadata and Markdown, whatever the data are called."""

from __future__ import annotations

from typing import Any

import yaml

from elbowroom.report.card import fenced, model_card

HOSTILE = "a: b\n- c | <b> `x` ---"


def card(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "title": "digits, vae",
        "data": "1,797 digits",
        "model": "p(z) = StandardNormal(8)",
        "figures": [
            ["log p(x)", "−23.07", "0.31", "nats"],
            ["active units", "8", "", "dimensions"],
        ],
        "commands": ["$ elbowroom fit digits"],
        "versions": {"torch": "2.13.0+cpu"},
    }
    return model_card(**{**arguments, **changes})


def metadata(text: str) -> dict[str, Any]:
    opening, front, _ = text.split("---\n", 2)
    assert opening == ""
    return yaml.safe_load(front)


def test_metadata_of_pictures() -> None:
    values = metadata(card(images=True, dataset="digits", licence="mit"))
    assert values["library_name"] == "elbowroom"
    assert values["pipeline_tag"] == "unconditional-image-generation"
    assert values["license"] == "mit"
    assert "digits" in values["tags"]


def test_metadata_says_nothing_it_does_not_know() -> None:
    assert set(metadata(card())) == {"library_name", "tags"}


def test_hostile_names_stay_text() -> None:
    text = card(title=HOSTILE, data=HOSTILE, figures=[[HOSTILE, "1", "", "nats"]], dataset=HOSTILE)
    assert metadata(text)["tags"][-1] == HOSTILE
    body = text.split("---\n", 2)[2]
    assert "<b>" not in body.replace(r"\<b\>", "")
    row = next(line for line in body.splitlines() if line.endswith("| 1 |  | nats |"))
    assert row.replace(r"\|", "").count("|") == 5


def test_figures_model_and_use_are_there() -> None:
    text = card(pictures=[("Samples", "figures/samples.png")])
    assert "| log p(x) | −23.07 | 0.31 | nats |" in text
    assert "```\np(z) = StandardNormal(8)\n```" in text
    assert 'er.load(".")' in text
    assert "![Samples](figures/samples.png)" in text


def test_code_cannot_close_its_fence() -> None:
    text = fenced("a\n````\nb")
    assert text.startswith("`````\n")
    assert text.endswith("\n`````")
