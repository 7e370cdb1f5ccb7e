"""What is wrong with a log joint is said once, by name, before the first step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pandas
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, constraints

from elbowroom.errors import UserError
from elbowroom.inference.advi import ADVI
from elbowroom.inference.convergence import Plateau
from elbowroom.inference.parameters import Coordinates, Parameter

DATA = {"x": torch.linspace(-1.0, 1.0, 6)}
MEAN = {"mean": Parameter()}


@pytest.fixture(autouse=True)
def _validating() -> Iterator[None]:
    before = Distribution._validate_args
    yield
    assert before == Distribution._validate_args


def prior(mean: Tensor) -> Tensor:
    return Normal(0.0, 1.0).log_prob(mean)


def rows(mean: Tensor, x: Tensor) -> Tensor:
    return Normal(mean, 1.0).log_prob(x)


def joint(mean: Tensor, x: Tensor) -> Tensor:
    return prior(mean) + rows(mean, x).sum()


def misspelt(maen: Tensor, x: Tensor) -> Tensor:
    return joint(maen, x)


def careless(mean: Tensor, x: Tensor) -> Tensor:
    return joint(mean, x) if mean.item() > -9.0 else -mean


def written(mean: Tensor, x: Tensor) -> Tensor:
    return joint(mean, x) + (mean / 0.0 if x.sum() > 9.0 else (mean - 1.0).log())


def wide(mean: Tensor, x: Tensor) -> Tensor:
    return rows(mean, x[:, None])


def mismatched(mean: Tensor, x: Tensor) -> Tensor:
    return (x @ torch.ones(5)) * mean


def late(mean: Tensor, x: Tensor) -> Tensor:
    return rows(mean, x) + torch.where(x > 0.7, -torch.inf, 0.0)


def ignorant(x: Tensor) -> Tensor:
    return x.sum()


SPLIT = {"parameters": MEAN, "log_prior": prior}
FITS: dict[str, tuple[Callable[[], Any], str]] = {
    "misspelt": (lambda: ADVI(misspelt, MEAN).fit(DATA), "log_joint asks for 'maen'.*'mean'"),
    "no column": (lambda: ADVI(joint, MEAN).fit({"y": DATA["x"]}), "asks for 'x', which is miss"),
    "unused": (lambda: ADVI(ignorant, MEAN).fit(DATA), "'mean' is an argument of no function"),
    "not finite": (lambda: ADVI(written, MEAN).fit(DATA), "is nan at the start, mean = 0: start"),
    "row not finite": (
        lambda: ADVI(**SPLIT, log_likelihood=late).fit(DATA),
        "log_likelihood is -inf in row 5",
    ),
    "one per row": (lambda: ADVI(rows, MEAN).fit(DATA), r"shape \(6,\), not one number, \(\)"),
    "one for all": (
        lambda: ADVI(**SPLIT, log_likelihood=joint).fit(DATA),
        r"shape \(\), not one number per row of data, \(6,\)",
    ),
    "broadcast": (
        lambda: ADVI(**SPLIT, log_likelihood=wide).fit(DATA),
        r"log_likelihood returned shape \(6, 1\)",
    ),
    "fails": (lambda: ADVI(mismatched, MEAN).fit(DATA), r"fails, given mean \(\), x \(6,\)"),
    "item": (lambda: ADVI(careless, MEAN).fit(DATA), "cannot be mapped over particles"),
    "batches": (lambda: ADVI(joint, MEAN).fit(DATA, batch_size=2), "give log_prior and log_lik"),
    "lengths": (
        lambda: ADVI(**SPLIT, log_likelihood=rows).fit({**DATA, "y": torch.ones(3)}),
        "one common length",
    ),
    "no data": (lambda: ADVI(joint, MEAN).fit({}), "data are tensors or arrays by name"),
    "holes": (
        lambda: ADVI(joint, MEAN).fit({"x": torch.tensor([float("nan")])}),
        "x holds numbers that are not finite",
    ),
    "words": (lambda: ADVI(joint, MEAN).fit({"x": ["a"]}), "x holds no numbers"),
    "both": (
        lambda: ADVI(joint, MEAN).fit({**DATA, "mean": DATA["x"]}),
        "'mean' is a parameter and a column",
    ),
    "index": (lambda: ADVI(joint, MEAN).fit({"index": DATA["x"]}), "cannot be an argument"),
    "two ways": (lambda: ADVI(joint, MEAN, log_prior=prior), "give log_joint, or log_prior and"),
    "half": (lambda: ADVI(parameters=MEAN, log_prior=prior), "give log_joint, or log_prior and"),
    "covariance": (lambda: ADVI(joint, MEAN, covariance="full"), "mean-field, full-rank"),
    "scale": (lambda: ADVI(joint, MEAN, scale=0.0), "scale=0.0"),
    "none": (lambda: ADVI(joint, {}), "there are no parameters"),
    "folder": (lambda: ADVI(joint, MEAN).fit(DATA, out="run"), "functions of your own are not in"),
    "no rows": (
        lambda: ADVI(**SPLIT, log_likelihood=rows).fit(DATA, batch_size=0),
        "batch_size=0",
    ),
    "plateau": (lambda: Plateau(window=1), "a window of at least 2"),
    "half a row": (lambda: Plateau(window=2.5), "a window of at least 2"),  # type: ignore[arg-type]
    "samples": (lambda: ADVI(joint, MEAN, samples=1.5), "samples=1.5"),  # type: ignore[arg-type]
    "scale's type": (lambda: ADVI(joint, MEAN, scale="a"), "scale=a"),  # type: ignore[arg-type]
    "no function": (lambda: ADVI(5, MEAN), "log_joint is 5: give a function"),  # type: ignore[arg-type]
    "no names": (lambda: ADVI(joint, ["mean"]), "give them by name"),  # type: ignore[arg-type]
    "seed": (lambda: ADVI(joint, MEAN).fit(DATA, seed="a"), "seed='a'"),  # type: ignore[arg-type]
    "setting": (lambda: ADVI(joint, MEAN).fit(DATA, step=3), "unknown setting 'step'.*'steps'"),
    "stop": (lambda: ADVI(joint, MEAN).fit(DATA, stop="x"), "stop='x'"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("act", "message"), FITS.values(), ids=list(FITS))
def test_refusals(act: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        act()
    assert re.search(message, str(caught.value)), str(caught.value)


CAT = constraints.cat([constraints.positive, constraints.real], lengths=[1, 1])
PARAMETERS = {
    "discrete": (Parameter((), "nonnegative_integer"), "no bijection from real numbers"),
    "unknown": (Parameter((), "positiv"), "unknown support 'positiv'. Did you mean 'positive'"),
    "not square": (Parameter((2, 3), "lower_cholesky"), "last two dimensions are to be equal"),
    "a number": (Parameter((), "simplex"), "at least 1 dimensions"),
    "one share": (Parameter((1,), "simplex"), "nothing is free"),
    "start shape": (Parameter((2,), start=1.0), r"shape \(2,\), its start \(\)"),
    "start outside": (Parameter((), "positive", start=-1.0), "starts outside its support"),
    "at 0": (Parameter((), "positive", start=0.0), "starts outside its support.*begins with 1"),
    "at least 0": (Parameter((), "nonnegative", start=0.0), "at the edge of.*start inside"),
    "share 0": (Parameter((), "unit_interval", start=0.0), "at the edge of.*begins with 0.5"),
    "share 1": (Parameter((2,), "unit_interval", start=[0.5, 1.0]), "at the edge of"),
    "its end": (Parameter((), constraints.interval(2.0, 3.0), start=3.0), "begins with 2.5"),
    "shares": (Parameter((3,), "simplex", start=[0.0, 0.5, 0.5]), "at the edge.*with 0.3333"),
    "not a number": (Parameter(start=float("nan")), "starts at nan: only finite"),
    "infinite": (Parameter((), "positive", start=float("inf")), "starts at inf: only finite"),
    "no parameter": ((3,), "give an er.Parameter"),
    "shape": (
        Parameter("positive"),  # type: ignore[arg-type]
        "the support is the second argument",
    ),
    "start's type": (Parameter(start="a"), "starts at 'a': that holds no numbers"),
    "several": (Parameter((2,), CAT), "cat joins several supports"),
    "stacked": (Parameter((2,), constraints.stack([constraints.positive] * 2)), "stack joins"),
}


@pytest.mark.parametrize(("parameter", "message"), PARAMETERS.values(), ids=list(PARAMETERS))
def test_parameters_that_do_not_fit(parameter: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Coordinates({"a": parameter}).start()


def test_what_is_asked_of_a_fit_is_whole_and_named() -> None:
    found = ADVI(joint, MEAN).fit(DATA, steps=2)
    for act in (found.draws, found.bound):
        with pytest.raises(UserError, match=r"=2\.5: it is a whole number"):
            act(2.5)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="seed='a': it is a whole number"):
            act(3, "a")  # type: ignore[arg-type]
    for level in ("a", None, [0.9]):
        with pytest.raises(UserError, match=r"level=.*it is a probability"):
            found.summary(level)  # type: ignore[arg-type]
    for levels in ("a", 0.5, [0.1, 1.5], torch.tensor([0.1, 2.0])):
        with pytest.raises(UserError, match=r"levels=.*probabilities between 0 and 1"):
            found.quantiles(levels)  # type: ignore[arg-type]
    told, given = (found.quantiles(levels) for levels in ([0.1, 0.9], torch.tensor([0.1, 0.9])))
    assert all(torch.equal(told[name], given[name]) for name in given)


VALUES = {
    "missing": ({}, "chance is missing"),
    "misspelt": ({"chanse": torch.ones(2)}, "unknown parameter 'chanse'. Did you mean 'chance'"),
    "outside": ({"chance": torch.tensor([0.5, 2.0])}, "'chance' is outside its support"),
    "shape": ({"chance": torch.tensor(0.5)}, r"'chance' is \(\): give a tensor of shape \(S\)"),
    "no tensor": ({"chance": 0.5}, "'chance' is 0.5: give a tensor"),
}


@pytest.mark.parametrize(("values", "message"), VALUES.values(), ids=list(VALUES))
def test_a_density_is_asked_for_where_there_is_one(values: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Coordinates({"chance": Parameter((), "unit_interval")}).read(values)


def test_any_name_may_be_an_argument_and_any_index_a_columns() -> None:
    """The latent vector has a name that no argument can have; pandas' index says nothing."""

    def joint_of(mean: Tensor, unconstrained: Tensor) -> Tensor:
        return joint(mean, unconstrained)

    frame = pandas.Series([1.0, 2.0], index=[5, 7])
    named = ADVI(joint_of, MEAN).fit({"unconstrained": frame}, steps=5)
    plain = ADVI(joint, MEAN).fit({"x": torch.tensor([1.0, 2.0])}, steps=5)
    assert torch.equal(named.location, plain.location)
