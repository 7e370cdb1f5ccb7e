"""Particles from the prior: what its conditionals are given is there, or the prior is refused."""

from __future__ import annotations

import pytest
import torch

from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import log_marginal
from elbowroom.evaluate.proposals import from_prior
from elbowroom.random import seeded
from elbowroom.recipes import recipe


def test_what_the_posterior_computes_from_the_data_is_there_for_the_prior() -> None:
    """scVI's observed library size is a function of the counts, not a latent."""
    splits = tiny("counts")
    with seeded(0):
        made = recipe("scvi")(splits.spec, splits.train.columns, latent_dim=2, hidden=(8,))
    model = made.model.eval()
    few = splits.test.batch(torch.arange(4))
    own, prior = (log_marginal(m, few, 4000) for m in (model, from_prior(model)))
    assert own.mean == pytest.approx(prior.mean, abs=0.1)


def test_a_prior_that_is_no_product_is_refused() -> None:
    spec = tiny("pictures").spec
    with seeded(0):
        model = recipe("ladder-vae")(spec).model
    with pytest.raises(UserError, match="TopDown"):
        from_prior(model)
