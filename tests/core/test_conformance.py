"""Laws that every registered type obeys."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
import torch
from examples import EXAMPLES, MODELS, batch
from torch import nn

import elbowroom as er
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.part import argument_names
from elbowroom.random import seeded
from elbowroom.registry import TYPES, class_of, name_of

STEP = torch.tensor(3.0)
DRAWN = ("flow", "hamiltonian", "langevin")


def test_every_registered_type_has_an_example() -> None:
    assert set(EXAMPLES) == set(TYPES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_configuration_round_trip(name: str) -> None:
    made = EXAMPLES[name]()
    assert type(made) is class_of(name)
    assert name_of(type(made)) == name
    tree = er.to_config(made)
    assert tree["type"] == name
    again = er.build(json.loads(json.dumps(tree)))
    assert type(again) is type(made)
    assert er.to_config(again) == tree
    if isinstance(made, nn.Module):
        again.load_state_dict(made.state_dict())
        assert all(
            torch.equal(a, b)
            for a, b in zip(made.state_dict().values(), again.state_dict().values())
        )


@pytest.mark.parametrize("name", EXAMPLES)
def test_arguments_are_attributes_and_print(name: str) -> None:
    made = EXAMPLES[name]()
    for argument in argument_names(type(made)):
        assert hasattr(made, argument)
    assert type(made).__name__ in repr(made)
    if not isinstance(made, nn.Module):
        assert dataclasses.is_dataclass(made)
        assert dataclasses.replace(made) == made


@pytest.mark.parametrize("name", EXAMPLES)
def test_copies_are_deep(name: str) -> None:
    made = EXAMPLES[name]()
    twin = copy.deepcopy(made)
    assert er.to_config(twin) == er.to_config(made)
    if isinstance(made, nn.Module):
        for ours, theirs in zip(made.parameters(), twin.parameters()):
            assert ours is not theirs
            assert torch.equal(ours, theirs)


def draw_of(model: er.Model, data: dict[str, torch.Tensor], samples: int = 2) -> Draw:
    with seeded(5):
        return model.draw(data, samples, Pathwise())


@pytest.mark.parametrize("name", MODELS)
def test_rebuilt_model_gives_the_same_numbers(name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]()
    again = er.build(json.loads(json.dumps(er.to_config(model))))
    again.load_state_dict(model.state_dict())
    losses = []
    for one in (model, again):
        with seeded(1):
            losses.append(er.ELBO(2)(one, batch(), STEP).total)
    assert torch.equal(*losses)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]()
    with seeded(1), torch.no_grad():
        for p in model.parameters():  # away from a start at zero, where some gradients vanish
            p.add_(0.1 * torch.randn_like(p))
    with seeded(1):
        er.ELBO(2)(model, batch(), STEP).total.backward()
    silent = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0
    ]
    assert silent == []


@pytest.mark.parametrize("name", MODELS)
def test_measure_sums_to_one(name: str) -> None:
    draw = draw_of(MODELS[name](), batch())
    if draw.measure.log is not None:
        total = draw.measure.log.logsumexp(0)
        torch.testing.assert_close(total, torch.zeros_like(total))
    sites = draw.sites.values()
    assert {site.log_q.shape[1] for site in sites} == {8}
    ones = torch.ones(next(iter(sites)).value.shape[0], 8)
    torch.testing.assert_close(draw.measure.mean(ones), torch.ones(8))


@pytest.mark.parametrize("name", MODELS)
def test_permuting_data_permutes_outputs(name: str) -> None:
    torch.manual_seed(0)
    model, data = MODELS[name]().eval(), batch()
    order = torch.tensor([3, 0, 7, 1, 2, 6, 5, 4])
    plain = model.encode(data)
    moved = model.encode({k: v[order] for k, v in data.items()})
    for key, value in plain.items():
        if name not in DRAWN:  # their means are averages of draws, which do not move along
            torch.testing.assert_close(moved[key], value[order])
    scope = draw_of(model, data).scope
    terms = model.log_likelihood(scope)
    moved_terms = model.log_likelihood({k: v[:, order] for k, v in scope.items()})
    for key, value in terms.items():
        torch.testing.assert_close(moved_terms[key], value[:, order])


@pytest.mark.parametrize("name", MODELS)
def test_permuting_particles_permutes_densities(name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]()
    draw = draw_of(model, batch(), 4)
    flipped = {k: v.flip(0) if v.shape[0] > 1 else v for k, v in draw.scope.items()}
    for key, value in model.log_likelihood(draw.scope).items():
        torch.testing.assert_close(model.log_likelihood(flipped)[key], value.flip(0))
    for site in draw.sites.values():
        if site.q is not None and site.q.batch_shape[0] == 1:
            torch.testing.assert_close(
                site.q.log_prob(site.value.flip(0)), site.log_q.flip(0), atol=1e-4, rtol=1e-4
            )


@pytest.mark.parametrize("name", ["ladder", "quantized", "exact", "vamp", "denoising"])
def test_shared_modules_stay_shared(name: str) -> None:
    model = MODELS[name]()
    tree = er.to_config(model)
    assert '"ref"' in json.dumps(tree)
    again = er.build(tree)
    shared = {
        "ladder": lambda m: (m.prior, m.posterior.top_down),
        "quantized": lambda m: (m.prior.sites["z"].quantizer, m.posterior),
        "exact": lambda m: (m.likelihood.sites["x"], m.posterior.likelihood),
        "vamp": lambda m: (m.prior.sites["z"].posterior, m.posterior.joint.sites["z"]),
        "denoising": lambda m: (m.prior.likelihood, m.likelihood.sites["x"]),
    }[name]
    assert shared(again)[0] is shared(again)[1]
    assert len(list(again.parameters())) == len(list(model.parameters()))


@pytest.mark.parametrize("name", MODELS)
def test_models_sample_and_reconstruct(name: str) -> None:
    model, data = MODELS[name](), batch()
    shapes = model.check(data)
    assert shapes["x"][1] == 2
    sample = model.sample(5, seed=1)
    again = model.sample(5, seed=1)
    other = model.sample(5, seed=2)
    for key, value in sample.items():
        assert value.shape[0] == 5
        assert torch.equal(value, again[key])
    assert any(not torch.equal(value, other[key]) for key, value in sample.items())
    rebuilt = model.reconstruct(data)
    assert all(value.shape == data[key].shape for key, value in rebuilt.items())


@pytest.mark.parametrize("name", ["type", "ref"])
def test_names_that_configurations_keep_are_refused(name: str) -> None:
    """They could be written and never read again."""
    with pytest.raises(UserError, match=name):
        er.to_config(er.ELBO(weights={name: 2.0}))
