"""Objectives asked of subsets of the modalities."""

from __future__ import annotations

import pytest
import torch
from small import gradients
from torch import Tensor

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.gradients.cubature import Cubature
from elbowroom.objectives.subsets import Subsets
from elbowroom.posteriors.experts import ProductOfExperts

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
NAMES = ("a", "b", "c")


def model(names: tuple[str, ...] = NAMES) -> er.Model:
    torch.manual_seed(0)
    experts = {n: er.Conditional(er.nets.MLP(2, [], 4), er.Gaussian(2), n) for n in names}
    parts = {
        n: er.Conditional(er.nets.MLP(2, [], 2), er.Gaussian(2, scale=1.0), "z") for n in names
    }
    return er.Model(er.StandardNormal(2), er.Product(parts), ProductOfExperts(experts))


def data(names: tuple[str, ...] = NAMES) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(5, 2, generator=generator) for name in names}


def exact() -> er.ELBO:
    """Without any noise: the model is linear and Gaussian."""
    return er.ELBO(gradient=Cubature())


def test_it_adds_up_all_modalities_and_each_alone() -> None:
    whole, batch = model(), data()
    terms = [exact()(whole, part, STEP).total for part in (batch, *({n: batch[n]} for n in NAMES))]
    loss = Subsets(exact(), NAMES)(whole, batch, STEP)
    torch.testing.assert_close(loss.total, sum(terms))
    torch.testing.assert_close(-loss.metrics["bound"].mean(), terms[0].detach())


def test_evaluation_asks_for_all_modalities_alone() -> None:
    objective, whole, batch = Subsets(exact(), NAMES).eval(), model(), data()
    torch.testing.assert_close(
        objective(whole, batch, STEP).total, exact()(whole, batch, STEP).total
    )


def test_random_subsets_have_two_modalities_or_more_but_not_all() -> None:
    objective = Subsets(exact(), ["a", "b", "c", "d"], random=50)
    torch.manual_seed(0)
    found = objective.groups()[4:]
    assert len(found) == 50
    assert {len(group) for group in found} == {2, 3}
    assert all(len(set(group)) == len(group) for group in found)
    assert Subsets(exact(), ["a", "b"], random=3).groups() == [["a"], ["b"]]


class Only(Subsets):
    """One subset, alone."""

    def forward(self, model: er.Model, batch: dict[str, Tensor], step: Tensor):  # type: ignore[no-untyped-def]
        return self.part(model, batch, ["a"], step)


@pytest.mark.parametrize("scored", ["given", "all"])
def test_withheld_modalities_teach_no_encoder(scored: str) -> None:
    """They teach their decoder where all are scored, and then the term bounds all the data."""
    whole, batch = model(), data()
    objective = Only(exact(), NAMES, scored=scored)
    flat = gradients(objective, whole, batch)  # type: ignore[arg-type]
    sizes = {n: p.numel() for n, p in whole.named_parameters()}
    found = dict(zip(sizes, flat.split(list(sizes.values()))))
    touched = {n for n, g in found.items() if g.abs().max() > 0}
    assert {n.split(".")[2] for n in touched if n.startswith("posterior")} <= {"sites"}
    assert not any("experts.b" in n or "experts.c" in n for n in touched)
    written = {n for n in touched if n.startswith("likelihood")}
    assert any("sites.b" in n for n in written) == (scored == "all")
    hidden = {n: v for n, v in batch.items() if n == "a" or scored == "all"}
    posterior = ProductOfExperts({"a": whole.posterior.joint.sites["z"].experts["a"]})
    alone = er.Model(whole.prior, whole.likelihood, posterior)
    torch.testing.assert_close(
        objective(whole, batch, STEP).total, exact()(alone, hidden, STEP).total
    )


def test_masks_of_withheld_modalities_go_with_them() -> None:
    whole, batch = model(), data()
    mask = torch.tensor([True, True, False, True, False])
    loss = Subsets(exact(), NAMES)(whole, {**batch, "a.mask": mask}, STEP)
    assert loss.total.isfinite()


def test_nonsense_is_refused() -> None:
    with pytest.raises(UserError, match="two at least"):
        Subsets(exact(), ["a"])
    with pytest.raises(UserError, match="scored"):
        Subsets(exact(), NAMES, scored="some")
