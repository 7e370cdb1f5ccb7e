"""Per-cell bounds of scvi-tools, with the weights and counts that they are of.

``python scvi_reference.py OUT.npz`` in an environment that has scvi-tools; nothing of this package
is imported. It made ``numbers/scvi_tools.npz`` (scvi-tools 1.4.2, torch 2.13.0).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

CELLS, GENES, BATCHES = 40, 30, 2
CASES: dict[str, dict[str, Any]] = {
    "observed": {"gene_likelihood": "zinb", "dispersion": "gene", "use_observed_lib_size": True},
    "latent": {
        "gene_likelihood": "nb",
        "dispersion": "gene-batch",
        "use_observed_lib_size": False,
        "encode_covariates": True,
    },
}


def counts() -> tuple[np.ndarray, np.ndarray]:
    """Return overdispersed counts ``(cells, genes)`` and batches ``(cells,)``."""
    rng = np.random.default_rng(0)
    batch = np.arange(CELLS) % BATCHES
    mean = np.exp(rng.normal(0.5, 1.0, GENES)) * rng.gamma(4.0, 0.25, (CELLS, 1))
    x = rng.poisson(mean * (1.0 + batch[:, None]) * rng.gamma(0.7, 1 / 0.7, (CELLS, GENES)))
    return x.astype(np.float64), batch


def reference(options: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return weights, library prior and per-cell ELBO, z and log l at their posterior means."""
    import torch
    from scvi.module import VAE

    torch.manual_seed(0)
    x, batch = counts()
    log_l = np.log(x.sum(1))
    groups = [log_l[batch == k] for k in range(BATCHES)]
    means, variances = (np.array([[f(g) for g in groups]]) for f in (np.mean, np.var))
    module = VAE(
        n_input=GENES, n_batch=BATCHES, n_hidden=8, n_latent=3, n_layers=1,
        library_log_means=means, library_log_vars=variances, **options,
    ).double()  # fmt: skip
    stir(module)
    module.l_encoder.mean_encoder.bias.data.fill_(log_l.mean())
    module.eval()
    torch.distributions.Normal.rsample = lambda self, shape=(): self.loc  # type: ignore[method-assign]
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign] # it casts one-hots
    tensors = {
        "X": torch.tensor(x),
        "batch": torch.tensor(batch).view(-1, 1),
        "labels": torch.zeros(CELLS, 1, dtype=torch.long),
    }
    with torch.no_grad():
        inferred, generated = module(tensors, compute_loss=False)
        loss = module.loss(tensors, inferred, generated, kl_weight=1.0)
    terms = [loss.reconstruction_loss, loss.kl_local]
    elbo = -sum(sum(term.values()) if isinstance(term, dict) else term for term in terms)
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    return {
        "elbo": elbo.numpy(),
        "latent": inferred["qz"].loc.numpy(),
        "library_mean": means[0],
        "library_variance": variances[0],
        **{f"weights/{name}": value for name, value in weights.items()},
    }


def stir(module: Any) -> None:
    """Give the batch normalisations statistics and weights that are not what they start with."""
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_()


def main(path: Path) -> None:
    x, batch = counts()
    arrays = {"x": x, "batch": batch}
    for case, options in CASES.items():
        arrays |= {f"{case}/{name}": value for name, value in reference(options).items()}
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
