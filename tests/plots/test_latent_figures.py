"""The latent space is drawn where the codes are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.decomposition import PCA

from elbowroom.plots.latent import aggregate_posterior, classes, latent_scatter, plane
from elbowroom.plots.style import CLASSES

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(200, 5)) * [3, 2, 1, 0.5, 0.1]
LABELS = np.arange(200) % 3


def test_two_dimensions_are_drawn_as_they_are() -> None:
    axes = latent_scatter(CODES[:, :2], LABELS, ["a", "bb", "ccc"]).axes[0]
    assert np.allclose(axes.collections[0].get_offsets(), CODES[:, :2])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "bb", "ccc"]
    assert [t.get_text() for t in axes.texts] == ["a", "bb"], "only short names stand in the plane"
    assert axes.texts[0].get_position() == tuple(np.median(CODES[LABELS == 0, :2], 0))
    colours = axes.collections[0].get_facecolors()
    assert len({tuple(c) for c in colours}) == 3
    assert (colours[0] == colours[3]).all()
    assert len(set(CLASSES)) == 10


def test_more_dimensions_are_the_principal_plane() -> None:
    points, names, _ = plane(CODES)
    oracle = PCA(2).fit(CODES)
    assert np.allclose(np.abs(points), np.abs(oracle.transform(CODES)))
    shares = oracle.explained_variance_ratio_
    assert names == [f"component {i + 1}  ({shares[i]:.0%} of variance)" for i in range(2)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points(count: int) -> None:
    offsets = latent_scatter(CODES[:count]).axes[0].collections[0].get_offsets()
    assert offsets.shape == (count, 2)
    assert np.isfinite(offsets).all()


def test_one_dimension_is_a_histogram_of_each_class() -> None:
    axes = latent_scatter(CODES[:, :1], LABELS).axes[0]
    assert len(axes.patches) == 3
    assert axes.get_xlabel() == "z[0]"
    prior = axes.lines[-1]
    assert np.allclose(prior.get_ydata(), norm.pdf(prior.get_xdata()))


def test_real_labels_are_a_colour_scale() -> None:
    figure = latent_scatter(CODES[:, :2], CODES[:, 2])
    assert len(figure.axes) == 2
    assert np.allclose(figure.axes[0].collections[0].get_array(), CODES[:, 2])
    assert classes(np.array([0.0, 1.0])) is not None
    assert classes(np.arange(500)) is None


def test_codes_that_are_not_finite_are_left_out() -> None:
    codes = CODES[:, :2].copy()
    codes[3, 0] = np.nan
    assert len(latent_scatter(codes, LABELS).axes[0].collections[0].get_offsets()) == 199
    for nothing in (np.full((4, 2), np.nan), np.zeros((0, 2))):
        assert latent_scatter(nothing).axes[0].texts[0].get_text().startswith("no finite")


def test_many_points_are_thinned() -> None:
    many = RNG.normal(size=(12_000, 2))
    assert len(latent_scatter(many).axes[0].collections[0].get_offsets()) == 5000


def test_aggregate_posterior_is_the_mixture() -> None:
    means, deviations = RNG.normal(size=(50, 2)) * [1, 0.2], np.full((50, 2), 0.6)
    figure = aggregate_posterior(means, deviations)
    assert [a.get_title(loc="left") for a in figure.axes] == ["z[0]", "z[1]"]
    outline = figure.axes[0].collections[0].get_paths()[0].vertices
    grid, density = outline[:, 0], outline[:, 1]
    above = density > 0
    exact = norm.pdf(grid[above][:, None], means[:, 0], 0.6).mean(1)
    assert np.allclose(density[above], exact, atol=1e-12)
    assert above.sum() >= 200


def test_aggregate_posterior_of_means_alone_and_of_nothing() -> None:
    assert len(aggregate_posterior(CODES, limit=2).axes) == 2
    assert len(aggregate_posterior(CODES[:, :1], np.zeros((200, 1))).axes) == 1
    assert aggregate_posterior(np.zeros((0, 2))).axes[0].texts
