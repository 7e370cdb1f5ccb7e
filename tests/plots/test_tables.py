"""Columns are compared with the right columns."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from elbowroom.plots import tables

RNG = np.random.default_rng(0)
DATA, SAMPLES = RNG.normal(size=(2, 60, 5))
NAMES = ["a", "b", "c", "d", "e"]


def test_r_squared_is_that_of_scikit_learn() -> None:
    noisy = DATA[:, 0] + 0.5 * SAMPLES[:, 0]
    assert tables.r_squared(DATA[:, 0], noisy) == f"R² {r2_score(DATA[:, 0], noisy):.2f}"
    assert tables.r_squared(np.ones(5), np.zeros(5)) == "constant"
    assert tables.r_squared(np.full(5, np.nan), np.zeros(5)) == "constant"
    assert tables.r_squared(np.array([0.0, 1.0]), np.array([5.0, -5.0])).startswith("R² −")


def test_reconstructions_are_drawn_against_their_column() -> None:
    figure = tables.reconstruction_scatter(DATA, SAMPLES, NAMES)
    assert [a.get_title(loc="left") for a in figure.axes] == NAMES
    drawn = figure.axes[2].collections[0].get_offsets()
    assert np.allclose(drawn, np.stack([DATA[:, 2], SAMPLES[:, 2]], 1))


def test_pair_plot_has_data_below_and_samples_above_the_diagonal() -> None:
    axes = tables.pair_plot(DATA, SAMPLES, NAMES, limit=3).axes
    assert len(axes) == 9
    below, above = axes[3 * 2 + 1], axes[3 * 1 + 2]
    assert np.allclose(below.collections[0].get_offsets(), DATA[:, [1, 2]])
    assert np.allclose(above.collections[0].get_offsets(), SAMPLES[:, [2, 1]])
    assert not axes[4].collections
    assert axes[4].patches
    assert [a.get_xlabel() for a in axes] == [*[""] * 6, "a", "b", "c"]


def test_the_planted_difference_of_correlation_is_named() -> None:
    samples = DATA.copy()
    samples[:, 3] = samples[:, 1]
    expected = 1 - np.corrcoef(DATA[:, 1], DATA[:, 3])[0, 1]
    figure = tables.correlation_matrices(DATA, samples, NAMES)
    assert f"largest difference {expected:.2f}, of b and d" in [t.get_text() for t in figure.texts]
    shown = figure.axes[1].images[0].get_array()
    assert np.allclose(shown, np.corrcoef(samples, rowvar=False))


def test_constant_columns_and_values_that_are_not_numbers() -> None:
    data = DATA.copy()
    data[:, 0], data[4, 1] = 2.0, np.nan
    for figure in (
        tables.correlation_matrices(data, SAMPLES),
        tables.pair_plot(data, SAMPLES),
        tables.marginals(data, SAMPLES),
        tables.reconstruction_scatter(data, SAMPLES),
    ):
        figure.draw_without_rendering()


def test_marginals_are_densities_of_their_column() -> None:
    axes = tables.marginals(DATA, SAMPLES, NAMES).axes[1]
    area = sum(p.get_width() * p.get_height() for p in axes.patches)
    assert area == pytest.approx(2.0), "two histograms, each of area one"
    assert axes.get_xlim()[0] < np.quantile(DATA[:, 1], 0.01)


def test_one_column() -> None:
    one = DATA[:, :1]
    assert len(tables.pair_plot(one, one).axes) == 1
    assert len(tables.correlation_matrices(one, one).axes) == 3


def test_traversals_draw_the_latents_that_move_most() -> None:
    grid = np.linspace(-3, 3, 7)
    slopes = np.arange(10)[:, None] * np.array([1.0, 1000.0])
    values = slopes[:, None] * grid[:, None]
    assert list(tables.most_moving(values)) == list(range(9, -1, -1))
    axes = tables.table_traversals(values, grid, ["a", "b"]).axes[1]
    assert len(axes.lines) == 8
    assert axes.lines[0].get_label() == "z[9]"
    assert np.allclose(axes.lines[0].get_ydata(), 9000 * grid)


@pytest.mark.parametrize("size", [(1, 7, 1), (2, 1, 3)])
def test_traversals_of_small_shapes(size: tuple[int, ...]) -> None:
    figure = tables.table_traversals(np.zeros(size), np.zeros(size[1]))
    assert len(figure.axes) == size[2]


def test_nothing_is_said() -> None:
    empty = np.zeros((0, 3))
    for figure in (
        tables.pair_plot(empty, DATA),
        tables.marginals(DATA, empty),
        tables.reconstruction_scatter(empty, empty),
        tables.correlation_matrices(empty, DATA),
        tables.table_traversals(np.zeros((0, 5, 3)), []),
    ):
        assert figure.axes[0].texts
