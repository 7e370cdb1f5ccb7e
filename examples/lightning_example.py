"""A model of ours under Lightning's Trainer, unchanged: ``python examples/lightning_example.py``.

The objective is a module that maps a model and a batch to a loss, so a LightningModule needs three
methods. Needs ``pip install elbowroom[lightning]``.
"""

from __future__ import annotations

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import elbowroom as er


class Fit(L.LightningModule):
    """Hands a model and an objective to Lightning.

    Args:
        model: any model.
        objective: any objective with one player.
        learning_rate: of Adam.
    """

    def __init__(
        self, model: nn.Module, objective: nn.Module, learning_rate: float = 1e-3
    ) -> None:
        super().__init__()
        self.model, self.objective, self.learning_rate = model, objective, learning_rate

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        step = torch.tensor(float(self.global_step), device=self.device)
        loss = self.objective(self.model, {"x": batch[0]}, step)
        self.log("bound", loss.metrics["bound"].mean(), prog_bar=True)
        return loss.total

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), self.learning_rate)


def digits_model(latent_dim: int = 8) -> er.Model:
    """Return a VAE for 8×8 binary digits."""
    q, p = er.Gaussian(latent_dim), er.Bernoulli(64)
    return er.Model(
        prior=er.StandardNormal(latent_dim),
        likelihood=er.Conditional(er.nets.MLP(latent_dim, [128], p.size), p, given="z"),
        posterior=er.Conditional(er.nets.MLP(64, [128], q.size), q, given="x"),
    )


def digits() -> Tensor:
    """Return scikit-learn's digits, binarised at one half, ``(1797, 64)``."""
    from sklearn.datasets import load_digits

    return torch.tensor(load_digits(return_X_y=True)[0] > 8, dtype=torch.float32)


def main(steps: int = 500, seed: int = 0) -> Fit:
    """Train and return the LightningModule, whose ``model`` is ours."""
    L.seed_everything(seed, verbose=False)
    module = Fit(digits_model(), er.ELBO())
    loader = DataLoader(TensorDataset(digits()), batch_size=128, shuffle=True, drop_last=True)
    trainer = L.Trainer(
        max_steps=steps,
        accelerator="auto",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, loader)
    print(f"bound {float(trainer.callback_metrics['bound']):.2f} nats per digit")
    return module


if __name__ == "__main__":
    main()
