"""Weights of scvi-tools' module put into this package's model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.recipes.scvi import scvi

FLOOR = 1e-4
OPTIONS: dict[str, dict[str, Any]] = {
    "observed": {"likelihood": "zinb", "dispersion": "entry", "library": "observed"},
    "latent": {
        "likelihood": "nb",
        "dispersion": "batch",
        "library": "latent",
        "encode_batch": True,
    },
}


class VarianceFloor(nn.Module):
    """Reads log variances and adds scvi-tools' 1e-4 to the variances."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        mean, log_variance = self.net(*inputs).chunk(2, -1)
        return torch.cat([mean, 0.5 * (log_variance.exp() + FLOOR).log()], -1)


def model_of(case: str, arrays: dict[str, np.ndarray]) -> er.Model:
    """Return the recipe's model, in float64, with a case's weights."""
    genes, latent = arrays["x"].shape[1], arrays[f"{case}/latent"].shape[1]
    weights = {
        name.removeprefix(f"{case}/weights/"): torch.tensor(value)
        for name, value in arrays.items()
        if name.startswith(f"{case}/weights/")
    }
    width = len(weights["decoder.px_decoder.fc_layers.Layer 0.0.bias"])
    variables = {"batch": Variable("class", (), levels=2)}
    spec = DataSpec("cells", "counts", (genes,), variables=variables)
    options = {"latent_dim": latent, "hidden": (width,), "norm": "batch", "warmup": 0}
    model = scvi(spec, **options, **OPTIONS[case]).model.double().eval()
    sites = model.posterior.joint.sites
    for name, letter in (("z", "z"), ("log_l", "l")):
        if name in sites:
            read(sites[name].net, weights, f"{letter}_encoder", latent)
            sites[name].net = VarianceFloor(sites[name].net)
    write(model, weights)
    if "log_l" in sites:
        mean, variance = (arrays[f"{case}/library_{what}"] for what in ("mean", "variance"))
        rows = np.stack([mean, 0.5 * np.log(variance)], 1)
        model.prior.sites["log_l"].net.rows.data = torch.tensor(rows)
    return model


def read(net: Any, weights: dict[str, Tensor], name: str, latent: int) -> None:
    """Fill an encoder: hidden layer, normalisation, both heads."""
    hidden, norm, head = layers(net)
    fill(hidden, weights, f"{name}.encoder.fc_layers.Layer 0.0")
    normalise(norm, weights, f"{name}.encoder.fc_layers.Layer 0.1")
    for what in ("weight", "bias"):
        heads = [weights[f"{name}.{half}_encoder.{what}"] for half in ("mean", "var")]
        getattr(head, what).data = torch.cat(heads)


def write(model: Any, weights: dict[str, Tensor]) -> None:
    """Fill the decoder: hidden layer, normalisation, shares, excess zeros, dispersion."""
    likelihood = model.likelihood.sites["x"]
    hidden, norm, head = layers(likelihood.net)
    fill(hidden, weights, "decoder.px_decoder.fc_layers.Layer 0.0")
    normalise(norm, weights, "decoder.px_decoder.fc_layers.Layer 0.1")
    names = ["decoder.px_scale_decoder.0", "decoder.px_dropout_decoder"]
    names = names[: head.out_features // likelihood.family.event[0]]
    for what in ("weight", "bias"):
        getattr(head, what).data = torch.cat([weights[f"{name}.{what}"] for name in names])
    if likelihood.family.dispersion == "entry":
        likelihood.family.log_theta.data = weights["px_r"]
    else:
        likelihood.net.net.other.rows.data = weights["px_r"].T.contiguous()


def layers(net: nn.Module) -> tuple[nn.Linear, Any, nn.Linear]:
    """Return hidden layer, normalisation and output layer of a perceptron of one hidden layer."""
    mlp = next(part for part in net.modules() if isinstance(part, er.nets.MLP))
    first, norm, *_, last = mlp.layers
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    return first, norm, last


def fill(linear: nn.Linear, weights: dict[str, Tensor], name: str) -> None:
    linear.weight.data, linear.bias.data = weights[f"{name}.weight"], weights[f"{name}.bias"]


def normalise(norm: Any, weights: dict[str, Tensor], name: str) -> None:
    norm.weight.data, norm.bias.data = weights[f"{name}.weight"], weights[f"{name}.bias"]
    norm.mean.copy_(weights[f"{name}.running_mean"])
    norm.variance.copy_(weights[f"{name}.running_var"])
