"""Particles, chains of latents, observed ones, and mixtures of experts."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from small import gradients, z_score
from torch import Tensor, nn

import elbowroom as er
from elbowroom.draw import Measure
from elbowroom.errors import UserError
from elbowroom.families.categorical import Categorical
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.gradients.pathwise import DoublyReparameterised, Pathwise, StickingTheLanding
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.kl_rules import Capacity, FreeBits
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.random import seeded

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
CLASSES, SIZE, DIM = 3, 5, 2


def semi_supervised(order: str = "yz") -> er.Model:
    """M2: ``y`` a class, ``z`` a Gaussian; drawn y first and z given y, or z first."""
    torch.manual_seed(0)
    y_given, z_given = (("x",), ("x", "y")) if order == "yz" else (("x", "z"), ("x",))
    width = {"x": SIZE, "y": CLASSES, "z": DIM}
    sites = {
        "y": er.Conditional(mlp(y_given, width, CLASSES), Categorical(CLASSES), y_given),
        "z": er.Conditional(mlp(z_given, width, 2 * DIM), er.Gaussian(DIM), z_given),
    }
    return er.Model(
        er.Product({"y": er.Learned(Categorical(CLASSES)), "z": er.StandardNormal(DIM)}),
        er.Conditional(er.nets.MLP(CLASSES + DIM, [6], SIZE), er.Bernoulli(SIZE), ("y", "z")),
        Amortized(er.Product({name: sites[name] for name in order})),
    )


def mlp(given: tuple[str, ...], width: dict[str, int], outputs: int) -> er.nets.MLP:
    return er.nets.MLP(sum(width[name] for name in given), [6], outputs, act="tanh")


def data(count: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 2, (count, SIZE), generator=generator).double()
    y = torch.eye(CLASSES).double()[torch.arange(count) % CLASSES]
    return {"x": x, "y": y}


MIXED = {"y": Enumerate(), "z": Pathwise()}


def test_measure_sums_to_one_and_ignores_weightless_particles() -> None:
    log = torch.tensor([[0.25, 1.0], [0.75, 0.0]]).log()
    measure, values = Measure(log), torch.tensor([[1.0, 2.0], [3.0, float("nan")]])
    torch.testing.assert_close(measure.mean(values), torch.tensor([2.5, 2.0]))
    torch.testing.assert_close(
        measure.mean_entries(values[..., None])[:, 0], torch.tensor([2.5, 2.0])
    )
    expected = torch.tensor(
        [(0.25 * torch.tensor(1.0).exp() + 0.75 * torch.tensor(3.0).exp()).log(), 2.0]
    )
    torch.testing.assert_close(measure.log_mean_exp(values), expected)
    assert measure.weights(values).sum(0).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("order", ["yz", "zy"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("form", ["closed", "sampled", "entropy"])
def test_mixed_chains_have_one_expectation(order: str, samples: int, form: str) -> None:
    """Enumerated beside pathwise, whichever is drawn first, against plain sampling."""
    model, x = semi_supervised(order), data()["x"]
    with torch.no_grad(), seeded(0):
        batch = {"x": x.repeat(3000, 1)}
        mixed = er.ELBO(samples, MIXED, form=form)(model, batch, STEP).metrics["bound"]
        sampled = {"y": ScoreFunction(), "z": Pathwise()}
        plain = er.ELBO(1, sampled, form="sampled")(model, batch, STEP).metrics["bound"]
    mixed, plain = mixed.unflatten(0, (-1, 4)), plain.unflatten(0, (-1, 4))
    error = (mixed.var(0) / 3000 + plain.var(0) / 3000).sqrt()
    assert ((mixed.mean(0) - plain.mean(0)) / error).abs().max() < 4
    if form == "closed":
        assert mixed.var(0).sum() < plain.var(0).sum()


@pytest.mark.parametrize("order", ["yz", "zy"])
def test_mixed_chains_have_one_gradient(order: str) -> None:
    model, batch = semi_supervised(order), {"x": data()["x"].repeat(10, 1)}
    means, errors = [], []
    for choice in (MIXED, {"y": ScoreFunction(), "z": Pathwise()}):
        objective = er.ELBO(2, choice)
        with seeded(0):
            found = torch.stack([gradients(objective, model, batch) for _ in range(150)])
        means.append(found.mean(0))
        errors.append(found.var(0) / 150)
    z = (means[0] - means[1]).abs() / (errors[0] + errors[1]).clamp(min=1e-20).sqrt()
    assert z.max() < 4.5  # over two hundred coordinates


@pytest.mark.parametrize("choice", [MIXED, {"y": ScoreFunction()}], ids=["enumerated", "score"])
@pytest.mark.parametrize("form", ["closed", "sampled", "entropy"])
def test_partly_observed_latent_is_observed_where_the_mask_says(choice: dict, form: str) -> None:
    model, batch = semi_supervised(), data(4)
    observed = torch.tensor([True, False, True, False])
    objective = er.ELBO(1, choice, form=form)

    def bound(part: dict[str, Tensor], rows: slice | Tensor) -> Tensor:
        with torch.no_grad():
            repeated = {k: v[rows].repeat(4000, *[1] * (v.dim() - 1)) for k, v in part.items()}
            with seeded(0):
                return objective(model, repeated, STEP).metrics["bound"].unflatten(0, (4000, -1))

    hidden = torch.where(observed[:, None], batch["y"], float("nan"))
    whole = bound({**batch, "y": hidden, "y.mask": observed}, slice(None))
    assert whole.isfinite().all()
    apart = torch.stack([bound(batch, observed), bound({"x": batch["x"]}, ~observed)], 2)
    whole = torch.stack([whole[:, observed], whole[:, ~observed]], 2)
    error = ((whole.var(0) + apart.var(0)) / 4000).sqrt()
    assert ((whole.mean(0) - apart.mean(0)) / error).abs().max() < 4


def test_partly_observed_latent_can_be_encoded() -> None:
    model, batch = semi_supervised(), data(4)
    mask = torch.tensor([True, False, True, False])
    codes = model.encode({**batch, "y.mask": mask})["y"]
    torch.testing.assert_close(codes[mask], batch["y"][mask])
    torch.testing.assert_close(codes[~mask], model.encode({"x": batch["x"]})["y"][~mask])


def test_rules_weigh_particles() -> None:
    """Free bits of 0 and a capacity of 0 are the plain bound, also under an unequal measure."""
    model, batch = semi_supervised(), {"x": data()["x"]}
    totals = []
    for rule in (None, FreeBits(0.0), Capacity(1.0, 0.0)):
        with seeded(0):
            totals.append(er.ELBO(gradient=MIXED, rule=rule)(model, batch, STEP).total)
    torch.testing.assert_close(totals[0], totals[1])
    torch.testing.assert_close(totals[0], totals[2])
    with seeded(0):
        loss = er.ELBO(gradient=MIXED)(model, batch, STEP)
    per_dimension = loss.metrics["kl_per_dimension/z"].sum(-1).mean()
    torch.testing.assert_close(per_dimension, loss.metrics["kl/z"].mean())


def test_leave_one_out_is_refused_beside_an_enumerated_latent() -> None:
    choice = {"y": Enumerate(), "z": ScoreFunction(LeaveOneOut())}
    with pytest.raises(UserError, match="equally weighted"):
        er.ELBO(2, choice)(semi_supervised(), {"x": data()["x"]}, STEP)


def experts() -> er.Model:
    torch.manual_seed(2)
    return er.Model(
        er.StandardNormal(DIM),
        er.Product(
            {
                "a": er.Conditional(er.nets.MLP(DIM, [6], 3), er.Gaussian(3, scale=1.0), "z"),
                "b": er.Conditional(er.nets.MLP(DIM, [6], 4), er.Bernoulli(4), "z"),
            }
        ),
        MixtureOfExperts(
            {
                "a": er.Conditional(er.nets.MLP(3, [6], 2 * DIM), er.Gaussian(DIM), "a"),
                "b": er.Conditional(er.nets.MLP(4, [6], 2 * DIM), er.Gaussian(DIM), "b"),
            }
        ),
    )


def views(count: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    b = torch.randint(0, 2, (count, 4), generator=generator).double()
    return {"a": torch.randn(count, 3, generator=generator).double(), "b": b}


OBJECTIVES = [er.ELBO(2), IWAE(2), IWAE(2, per_stratum=True)]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["elbo", "tight", "looser"])
@pytest.mark.parametrize("other", [7.0, float("nan")])
def test_absent_modalities_have_no_influence(objective: er.ELBO, other: float) -> None:
    model, batch = experts(), views()
    mask = torch.tensor([True, False, True, True, False, True])
    found = []
    for value in (0.5, other):
        b = torch.where(mask[:, None], batch["b"], value)
        with seeded(0):
            loss = objective(model, {**batch, "b": b, "b.mask": mask}, STEP)
        with seeded(0):
            flat = gradients(objective, model, {**batch, "b": b, "b.mask": mask})
        found.append((loss.total.detach(), flat))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert found[0][1].isfinite().all()


def test_absent_rows_never_reach_a_network() -> None:
    model, batch, seen = experts(), views(), []
    model.posterior.experts["b"].net.register_forward_hook(
        lambda _m, given, _o: seen.append(len(given[0]))
    )
    model.likelihood.sites["b"].net.register_forward_hook(
        lambda _m, given, _o: seen.append(len(given[0]))
    )
    mask = torch.tensor([True, False, True, True, False, True])
    er.ELBO(2)(model, {**batch, "b.mask": mask}, STEP)
    assert seen == [4, 4 * 4]  # four data present; two experts' two particles each


def test_an_absent_modality_leaves_the_bound_of_the_other() -> None:
    """With b absent for all, the mixture is its other expert."""
    model, batch = experts(), views()
    mask = torch.zeros(6, dtype=torch.bool)
    alone = er.Model(
        model.prior,
        er.Product({"a": model.likelihood.sites["a"]}),
        model.posterior.experts["a"],
    )
    values = []
    with torch.no_grad():
        for one, given in ((model, {**batch, "b.mask": mask}), (alone, {"a": batch["a"]})):
            repeated = {k: v.repeat(3000, *[1] * (v.dim() - 1)) for k, v in given.items()}
            with seeded(4):
                found = er.ELBO(3, form="sampled")(one, repeated, STEP).metrics["bound"]
            values.append(found.unflatten(0, (3000, 6)))
    error = ((values[0].var(0) + values[1].var(0)) / 3000).sqrt()
    assert ((values[0].mean(0) - values[1].mean(0)) / error).abs().max() < 4


def test_bounds_of_a_mixture_are_ordered() -> None:
    """ELBO ≤ looser ≤ tight in expectation, and all below the evidence by many prior samples."""
    model, batch = experts(), {k: v.repeat(500, 1) for k, v in views().items()}
    means = []
    with torch.no_grad(), seeded(0):
        for objective in (
            er.ELBO(10, form="sampled"),
            IWAE(10, per_stratum=True),
            IWAE(10),
            IWAE(200),
        ):
            means.append(objective(model, batch, STEP).metrics["bound"])
    for low, high in pairwise(means):
        gain = high - low
        assert gain.mean() > -3 * gain.std() / len(gain) ** 0.5


def test_landing_on_a_mixture_has_the_same_mean_gradient() -> None:
    model, batch = experts(), {k: v.repeat(5, 1) for k, v in views().items()}
    found = []
    for gradient in (Pathwise(), StickingTheLanding()):
        with seeded(0):
            objective = er.ELBO(gradient=gradient, form="sampled")
            found.append(torch.stack([gradients(objective, model, batch) for _ in range(300)]))
    error = ((found[0].var(0) + found[1].var(0)) / 300).sqrt().clamp(min=1e-12)
    assert ((found[0].mean(0) - found[1].mean(0)) / error).abs().max() < 4.5
    assert not torch.allclose(found[0][0], found[1][0])
    with pytest.raises(UserError, match="one expert"):
        IWAE(2, DoublyReparameterised())(model, batch, STEP)


def test_mixture_density_is_the_mean_of_its_experts() -> None:
    model, batch = experts(), views()
    scope = {k: v[None] for k, v in batch.items()}
    z = {"z": torch.randn(4, 6, DIM, generator=torch.Generator().manual_seed(0))}
    parts = [e(scope).log_prob(z["z"]) for e in model.posterior.experts.values()]
    expected = torch.stack(parts).exp().mean(0).log()
    torch.testing.assert_close(model.posterior.log_prob(z, scope), expected)


def test_zscore_helper_can_fail() -> None:
    draws = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert z_score(draws, 0.0) < 4 < z_score(draws, 0.5)


def test_modules_named_like_torchs_own_are_refused() -> None:
    for name in ("type", "keys", "a.b", ""):
        with pytest.raises(UserError, match="site name"):
            er.Product({name: nn.Identity()})
