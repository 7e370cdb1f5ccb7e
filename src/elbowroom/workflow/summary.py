"""What a run is worth, in words and tables: the headline, the report, the model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elbowroom.data.spec import DataSpec
from elbowroom.report.card import model_card
from elbowroom.report.html import Section, write_report
from elbowroom.train.files import write_text

EXPLAINED = {
    "log_marginal": ("log p(x)", "importance-weighted: a lower bound of the truth, tighter than the ELBO"),
    "elbo": ("ELBO", "the bound that was trained: log p(x) is at least this"),
    "log_likelihood": ("E[log p(x|z)]", "how well data are explained given their latents"),
    "kl": ("KL(q ‖ p)", "what the latents cost: nats of information they carry"),
    "bits_per_dim": ("bits/dim", "the same log p(x), in bits per entry; lower is better"),
    "effective_sample_size": ("effective samples", "of the importance samples; few means a loose bound"),
    "reconstruction_error": ("reconstruction", "squared error per entry at the posterior mean"),
    "active_units": ("active units", "latents whose posterior mean varies over data (variance > 0.01)"),
    "mutual_information": ("I(x; z)", "information between data and latents; at most log N"),
    "aggregate_kl": ("KL(q(z) ‖ p(z))", "how far all codes together are from the prior"),
    "train_test_gap": ("train - test", "of log p(x): what was memorised"),
    "training_seconds": ("training time", "wall clock"),
}
Drawn = dict[str, tuple[Path, str]]


def headline_rows(result: dict[str, Any]) -> list[list[str]]:
    """Return title, value, standard error and unit of every figure there is."""
    return [
        [title, shown(result[key]), shown_error(result[key]), result[key].get("unit", "")]
        for key, (title, _) in EXPLAINED.items()
        if isinstance(result.get(key), dict) and "value" in result[key]
    ]


def shown(number: Any) -> str:
    """Write a figure's value; what is not there is a dash."""
    if not isinstance(number, dict) or number.get("value") is None:
        return "–"
    value = number["value"]
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 10_000 else f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"


def shown_error(number: dict[str, Any]) -> str:
    error = number.get("standard_error")
    return "" if error is None else f"{error:.2g}"
