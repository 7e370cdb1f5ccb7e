"""Rows of a log become the right panels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from elbowroom.plots.curves import bound_curves, kl_per_dimension, short, training_curves
from elbowroom.plots.training import collect


def rows() -> list[dict[str, Any]]:
    """Return a log that rises from -500 to about -100."""
    made: list[dict[str, Any]] = []
    for step in range(10, 1001, 10):
        bound = -100 - 400 * np.exp(-(step - 10) / 10)
        made.append(
            {
                "step": step,
                "epoch": step // 100,
                "bound": bound,
                "log_likelihood/x": bound + 10,
                "kl/z": 7.0,
                "kl/w": 3.0,
                "kl_per_dimension/z": [4.0, 3.0],
                "my_term": 1.0,
                "gradient_norm": 2.0,
                "learning_rate": 1e-3,
                "data_per_second": 50_000.0,
            }
        )
        if step % 100 == 0:
            made.append({"step": step, "validation/bound": bound - 1, "validation/kl/z": 7.5})
    return made


def titles(figure: Any) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_panels_hold_train_and_validation_in_order() -> None:
    figure = training_curves(rows())
    assert titles(figure) == [
        "Bound",
        "Log-likelihood",
        "KL to the prior",
        "KL per latent dimension",
        "My term",
        "Gradient norm",
        "Learning rate",
        "Data per second",
    ]
    train, validation = figure.axes[0].lines
    assert len(train.get_xdata()) == 100
    assert len(validation.get_xdata()) == 10
    assert train.get_ydata()[-1] - validation.get_ydata()[-1] == pytest.approx(1.0)
    names = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert names == ["z", "w", "z (validation)"]
    assert len(figure.axes[3].lines) == 2
    assert figure.axes[0].get_ylabel() == "nats"


def test_early_steps_do_not_flatten_the_rest_and_this_is_said() -> None:
    axes = training_curves(rows()).axes[0]
    low, high = axes.get_ylim()
    assert -110 < low < -100.9
    assert high > -100
    assert [t.get_text() for t in axes.texts] == ["starts at −500"]


def test_nothing_is_cut_where_nothing_is_flattened() -> None:
    made = [{"step": s, "bound": float(s)} for s in range(100)]
    axes = training_curves(made).axes[0]
    assert axes.get_ylim()[0] < 0
    assert not axes.texts


def test_odd_rows() -> None:
    made = [
        {"step": 1, "bound": float("nan"), "note": "text", "flag": True, "none": None},
        {"step": 2, "bound": -1.0, "kl_per_dimension/z": [1.0, 2.0]},
        {"step": 3, "bound": float("inf"), "kl_per_dimension/z": [1.0, 2.0, 3.0]},
        {"bound": -5.0},
    ]
    panels = {p.key: p.series[0] for p in collect(made)}
    assert set(panels) == {"bound", "kl_per_dimension"}
    assert (panels["bound"].steps, panels["bound"].values) == ([2], [-1.0])
    assert panels["kl_per_dimension"].steps == [2]
    training_curves(made)


def test_no_rows_is_said() -> None:
    for figure in (training_curves([]), training_curves([{"step": 1}])):
        assert figure.axes[0].texts[0].get_text() == "no rows were logged"


def test_bound_curves_draw_each_run() -> None:
    figure = bound_curves({"a": rows(), "b": rows()[:50], "none": [{"step": 1}]}, "Runs")
    assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b"]
    assert len(figure.axes[0].lines[0].get_xdata()) == 10
    assert bound_curves({}).axes[0].texts[0].get_text().startswith("no rows")


def test_kl_is_sorted_and_active_units_are_dark() -> None:
    kl = np.array([0.5, 3.0, 0.001, np.nan])
    axes = kl_per_dimension(kl).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [3.0, 0.5, 0.001, 0.0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["z[1]", "z[0]", "z[2]", "z[3]"]
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert axes.lines[0].get_ydata()[0] == 0.01
    assert "2 of 4 active; 3.5 nats in all" in said(kl_per_dimension(kl))
    assert "1 of 4 active; 3.5 nats in all" in said(kl_per_dimension(kl, np.arange(4) == 0))


@pytest.mark.parametrize("size", [0, 1, 128])
def test_kl_of_any_number_of_dimensions(size: int) -> None:
    axes = kl_per_dimension(np.ones(size)).axes[0]
    assert len(axes.patches) == size
    assert len(axes.get_xticklabels()) <= 33 or size == 0


def said(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.texts]


@pytest.mark.parametrize(
    ("value", "text"),
    [(-12.5, "−12.5"), (20_000, "20k"), (2_500_000, "2.5M"), (0.001, "0.001"), (1000, "1000")],
)
def test_short(value: float, text: str) -> None:
    assert short(value) == text


def test_dimensions_of_several_latents_are_told_apart_without_a_warning() -> None:
    made = [
        {"step": step, "kl_per_dimension/a": [1.0, 2.0], "kl_per_dimension/b": [3.0, 4.0]}
        for step in (1, 2, 3)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = training_curves(made)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_a_panel_of_validation_values_alone_has_no_legend_and_no_warning() -> None:
    made = [
        {
            "step": step,
            "validation/kl_per_dimension/a": [1.0],
            "validation/kl_per_dimension/b": [3.0],
        }
        for step in (1, 2)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert training_curves(made).axes[0].get_legend() is None


def test_an_optimiser_that_had_nothing_to_do_has_no_panels() -> None:
    """EM and formulae follow no gradient; its norm is logged as zero."""
    idle = [{**row, "gradient_norm": 0.0} for row in rows()]
    drawn = titles(training_curves(idle))
    assert "Bound" in drawn
    assert not {"Gradient norm", "Learning rate"} & set(drawn)
