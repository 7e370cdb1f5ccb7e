"""Frames given the frame before: data, densities over levels, rates and continuations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.data.video import bounced, moving_digits, paired, tiles
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import LowerBound, elbo
from elbowroom.random import seeded
from elbowroom.recipes.video import video_vae


def test_digits_move_steadily_and_bounce() -> None:
    digits = np.zeros((50, 28, 28), np.uint8)
    digits[:, 4, 4] = 255  # the first pixel inside the border
    clips = moving_digits(digits, 9, np.random.default_rng(0))
    assert clips.shape == (50, 9, 32, 32)
    assert (clips.sum((2, 3)) == 1).all()
    place = np.argwhere(clips)[:, 2:].reshape(50, 9, 2)
    step = np.abs(np.diff(place, axis=1))
    assert place.max() <= 12
    assert set(np.unique(step)) <= {0, 1, 2}  # 0 where 2 a frame turns around at 1 from a wall
    turned = (np.diff(np.sign(np.diff(place, axis=1)), axis=1) != 0).any(2)
    at_wall = ((place[:, 1:-1] <= 1) | (place[:, 1:-1] >= 11)).any(2)
    assert turned.any()
    assert (at_wall | ~turned).all()


def test_places_fold_between_walls() -> None:
    assert bounced(np.arange(-3, 9), 4).tolist() == [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1, 0]


def test_frames_are_paired_within_clips_and_tiles() -> None:
    frames = np.arange(3 * 4 * 6).reshape(3, 4, 6)
    cut = tiles(frames, side=2)
    assert cut.shape == (6, 3, 2, 2)
    np.testing.assert_array_equal(cut[4], frames[:, 2:4, 2:4])
    raw = paired("clip", {"train": cut[:4], "test": cut[4:]})
    assert len(raw.x) == 6 * 2
    np.testing.assert_array_equal(raw.x - raw.beside["previous"], np.full((12, 2, 2), 24))
    assert raw.split is not None
    assert [len(raw.split[name]) for name in ("train", "test")] == [8, 4]


@pytest.mark.data
@pytest.mark.parametrize("name", ["moving-mnist", "carphone"])
def test_builtin_videos(name: str) -> None:
    try:
        data = er.data.load(name, limit=100)
    except UserError as reason:
        pytest.skip(str(reason).splitlines()[0])
    spec = data.spec
    assert spec.variables["previous"].shape == spec.shape == spec.image
    assert spec.of("previous").kind == spec.kind == {"carphone": "levels"}.get(name, "binary")
    columns = data.train.columns
    same = (columns["x"] == columns["previous"]).float().mean()
    assert 0.1 < same < 1.0


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_levels_have_probabilities_that_sum_to_one(dtype: torch.dtype, bound: float) -> None:
    """Σ_k p(k) over all 256 levels, for every location and scale that a decoder may give (12-J).

    In float32 the bins' edges are rounded, not the formula.
    """
    family = er.DiscretizedLogistic(1, levels=256)
    loc = torch.linspace(-1.5, 1.5, 31, dtype=dtype)
    log_scale = torch.linspace(-9.0, 3.0, 25, dtype=dtype)
    outputs = torch.cartesian_prod(loc, log_scale)
    p = family(outputs, torch.Size((1, len(outputs))))
    levels = torch.arange(256, dtype=dtype).view(256, 1, 1).expand(-1, len(outputs), 1)
    total = p.log_prob(levels).double().exp().sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=bound)


def test_prior_and_posterior_read_frames_by_one_encoder() -> None:
    data = tiny("frames")
    model = video_vae(data.spec, latent_dim=3, hidden=(8,)).model
    encoder = model.posterior.joint.sites["z"].net
    assert model.prior.sites["z"].net.steps[0] is encoder
    again = er.build(er.to_config(model))
    assert again.prior.sites["z"].net.steps[0] is again.posterior.joint.sites["z"].net
    assert model.conditions == ("previous",)
    with pytest.raises(UserError, match="previous"):
        video_vae(tiny("pictures").spec)
    with pytest.raises(UserError, match="prior"):
        video_vae(data.spec, prior="next")


def trained(prior: str, beta: float = 1.0, **options: Any) -> tuple[er.Model, LowerBound]:
    """Fit bars that fall by one row a frame; one of seven places, known from the frame before."""
    data = tiny("frames")
    with seeded(1):
        made = video_vae(
            data.spec, latent_dim=4, hidden=(32,), prior=prior, beta=beta, networks="mlp"
        )
    settings = {"steps": 400, "batch_size": 48, "learning_rate": 5e-3, "evaluate_every": 400}
    er.fit(made.model, data.train, made.objective, **{**settings, **options})
    return made.model, elbo(made.model, data.test, samples=20)


def rate(bound: LowerBound) -> float:
    return float(bound.kl["z"].mean())


def test_the_frame_before_saves_bits_at_equal_reconstruction() -> None:
    """Alone a bar's place costs log 7 nats or more; given the last frame, nothing in principle."""
    (_, alone), (model, given) = trained("none"), trained("previous")
    assert given.log_likelihood["x"].mean() > alone.log_likelihood["x"].mean() > -2.0
    assert rate(alone) > 0.9 * np.log(7)
    assert rate(given) < 0.8 * rate(alone)
    frame, bars = tiny("frames").test.columns["previous"][:6], []
    for seed in range(2):
        frame = model.sample(6, given={"previous": frame}, seed=seed)["x"]
        bars.append(frame)
    row = tiny("frames").test.columns["previous"][:6].flatten(2)[..., ::8].argmax(-1)
    inside = (row < 6).squeeze(1)  # others have left the picture after two frames
    expected = torch.eye(8)[(row + 2).clamp(max=7)].view(6, 1, 8, 1).expand(-1, -1, -1, 8)
    wrong: Tensor = (bars[1] != expected).float().mean((1, 2, 3))
    assert (wrong[inside] < 0.2).all()


def test_rate_falls_and_distortion_rises_with_beta() -> None:
    """The curve of a trained codec is monotone in the price of rate (12-K)."""
    bounds = [trained("none", beta, steps=200)[1] for beta in (0.3, 2.0, 8.0)]
    rates = [rate(bound) for bound in bounds]
    distortions = [-float(bound.log_likelihood["x"].mean()) for bound in bounds]
    assert rates == sorted(rates, reverse=True)
    assert distortions == sorted(distortions)
    assert rates[0] > 1.5 * rates[2]
