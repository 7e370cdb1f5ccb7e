"""Modalities that data lack, by mask or by name, are one thing to every posterior of experts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import elbowroom as er
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.multimodal import mmvae, mopoe, mvae

SPEC = DataSpec("p", "several", (12,), variables={n: Variable("real", (6,)) for n in "ab"})
ROWS, SIZES = 20, {"latent_dim": 2, "hidden": (8,), "likelihood": "gaussian"}
Maker = Callable[..., Recipe]


def made(maker: Maker, private: int = 3) -> Recipe:
    with er.random.seeded(0):
        data = {name: torch.randn(100, 6) for name in "ab"}
        return maker(SPEC, data, private_dim=private, **SIZES)


def seen() -> Tensor:
    return torch.randn(ROWS, 6, generator=torch.Generator().manual_seed(1))


def without_a() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the same data with modality a masked, and left out."""
    absent = {"a": torch.zeros(ROWS, 6), "a.mask": torch.zeros(ROWS, dtype=torch.bool)}
    return {**absent, "b": seen()}, {"b": seen()}


@pytest.mark.parametrize("maker", [mopoe, mmvae])
def test_private_latents_of_absent_modalities_have_the_prior(maker: Maker) -> None:
    masked, dropped = without_a()
    model = made(maker).model
    bounds = [elbo(model, data, 1000).mean for data in (masked, dropped)]
    assert bounds[0] == pytest.approx(bounds[1], abs=0.1)
    found = [log_marginal(model, data, 2000) for data in (masked, dropped)]
    assert found[0].mean == pytest.approx(found[1].mean, abs=0.1)
    assert found[0].effective_sample_size.mean() > 0.3 * found[1].effective_sample_size.mean()


def test_some_data_lack_what_others_have() -> None:
    """Rows are scored one by one: what one lacks says nothing of the next."""
    model, there = made(mopoe).model, torch.arange(ROWS) % 2 == 0
    both = {"a": torch.randn(ROWS, 6), "b": seen()}
    mixed = {**both, "a.mask": there}
    draw = model.draw(mixed, 1, er.Pathwise())
    latents = {name: site.value for name, site in draw.sites.items()}
    density = model.posterior.log_prob(latents, model.read(mixed))
    for rows, data in ((there, both), (~there, {"b": both["b"]})):
        part = {name: value[rows] for name, value in data.items()}
        own = {name: value[:, rows] for name, value in latents.items()}
        alone = model.posterior.log_prob(own, model.read(part))
        torch.testing.assert_close(density[:, rows], alone)


@pytest.mark.parametrize("maker", [mopoe, mmvae])
def test_a_datum_with_nothing_is_named(maker: Maker) -> None:
    recipe, nothing = made(maker), torch.arange(ROWS) != 7
    data = {"a": seen(), "b": seen(), "a.mask": nothing, "b.mask": nothing}
    with pytest.raises(UserError, match=r"datum 7 .* none of the modalities a, b"):
        recipe.objective(recipe.model, data, torch.zeros(()))


@pytest.mark.parametrize("private", [0, 2])
def test_a_product_has_the_prior_where_there_is_nothing(private: int) -> None:
    nothing = torch.zeros(ROWS, dtype=torch.bool)
    data = {"a": seen(), "b": seen(), "a.mask": nothing, "b.mask": nothing}
    draw = made(mvae, private).model.draw(data, 1, er.Pathwise())
    q = draw.sites["z"].q
    assert q.loc.abs().max() == 0
    assert q.scale.sub(1).abs().max() == 0


@pytest.mark.parametrize("maker", [mopoe, mmvae, mvae])
@pytest.mark.parametrize("latent_dim", [2, 6])
def test_absent_entries_take_no_modality_away(maker: Maker, latent_dim: int) -> None:
    """A mask of entries is as wide as the data, and must not meet the latent's axis."""
    with er.random.seeded(0):
        recipe = maker(SPEC, {n: seen() for n in "ab"}, **{**SIZES, "latent_dim": latent_dim})
    entries = torch.ones(ROWS, 6, dtype=torch.bool)
    entries[0, :2] = False
    holes = {"a": seen(), "b": seen(), "a.mask": entries}
    # What a hole reads as is the location, of which the encoder sees 0.
    filled = recipe.model.read(holes)["a"].squeeze(0)
    plain = {"a": filled, "b": holes["b"]}
    with er.random.seeded(2):
        draw = recipe.model.draw(holes, 1, er.Pathwise())
    with er.random.seeded(2):
        same = recipe.model.draw(plain, 1, er.Pathwise())
    torch.testing.assert_close(draw.sites["z"].value, same.sites["z"].value)


def test_all_states_of_a_mixture_are_not_asked_for() -> None:
    """They would weigh the same, whatever an expert thinks of them, and the bound be none."""
    experts = {
        n: er.Conditional(er.nets.MLP(1, [4], 3), er.CategoricalCodes((), 3), n) for n in "ab"
    }
    posterior = er.MixtureOfExperts(experts, "z")
    scope = {n: torch.randn(1, 5, 1) for n in "ab"}
    with pytest.raises(UserError, match="Enumerate does not go with a mixture"):
        posterior.draw(scope, 1, er.Enumerate(), lambda _: torch.zeros(()))


def test_the_biased_gradient_is_taken_for_one_modality_too() -> None:
    recipe = made(lambda *a, **k: mmvae(*a, dreg=True, samples=3, **k))
    loss = recipe.objective(recipe.model, {"b": seen()}, torch.zeros(()))
    assert torch.isfinite(loss.total)
