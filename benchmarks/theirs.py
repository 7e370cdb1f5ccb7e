"""pythae 0.1.2's side: its model, its data set, its trainer's pass over the data."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler

from benchmarks.ours import HELD_OUT
from benchmarks.pictures import digits
from elbowroom.train.allocator import keep_freed_memory

BATCH, LATENT, SHAPE = 100, 16, (1, 28, 28)


def perceptron_model(loss: Literal["bce", "mse"] = "bce") -> Any:
    """Return its default VAE, 784-512-16, seeded."""
    from pythae.models import VAE, VAEConfig

    torch.manual_seed(0)
    return VAE(VAEConfig(input_dim=SHAPE, latent_dim=LATENT, reconstruction_loss=loss))


def convolution_model() -> Any:
    """Return its VAE with its own convolutional networks for MNIST, seeded."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST

    torch.manual_seed(0)
    config: Any = VAEConfig(input_dim=SHAPE, latent_dim=LATENT, reconstruction_loss="bce")
    return VAE(config, Encoder_Conv_VAE_MNIST(config), Decoder_Conv_AE_MNIST(config))


@torch.no_grad()
def perceptron_weights(encoder: nn.Module, decoder: nn.Module) -> None:
    """Copy its default weights into perceptrons of ours: both heads in one, log σ = ½ log σ²."""
    model = perceptron_model()
    first, last = linears(encoder)
    body, mean, log_variance = linears(model.encoder)
    copy(first, body.weight, body.bias)
    weight = torch.cat([mean.weight, 0.5 * log_variance.weight])
    copy(last, weight, torch.cat([mean.bias, 0.5 * log_variance.bias]))
    for to, source in zip(linears(decoder), linears(model.decoder)):
        copy(to, source.weight, source.bias)


def linears(net: nn.Module) -> list[nn.Linear]:
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def copy(layer: nn.Linear, weight: torch.Tensor, bias: torch.Tensor) -> None:
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


class Training:
    """Its trainer's own pass, `BaseTrainer.train_step`, over some batches of the data.

    What its `train` does beside the pass (a progress bar, a copy of the model each epoch) is left
    out of the time, in its favour.

    Args:
        rows: of data.
        loss: ``"mse"``, its default, or ``"bce"``.
        kind: ``"perceptrons"`` or ``"convolutions"``.
        keep_memory: whether it is given our setting of the allocator, which it has not itself.
        device: where.
    """

    def __init__(
        self,
        rows: int,
        loss: Literal["bce", "mse"],
        kind: str = "perceptrons",
        keep_memory: bool = False,
        device: str = "cpu",
    ) -> None:
        from pythae.data.datasets import BaseDataset
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback

        if keep_memory:
            keep_freed_memory()
        self.model = perceptron_model(loss) if kind == "perceptrons" else convolution_model()
        self.data = BaseDataset(digits(rows, SHAPE), torch.zeros(rows))
        config = BaseTrainerConfig(
            output_dir=tempfile.gettempdir(),
            learning_rate=1e-3,
            per_device_train_batch_size=BATCH,
            no_cuda=device == "cpu",
        )
        self.trainer = BaseTrainer(self.model, self.data, training_config=config)
        self.trainer.set_optimizer()
        self.trainer.callback_handler = CallbackHandler([TrainingCallback()], self.model)

    def run(self, steps: int) -> None:
        rows = torch.randperm(len(self.data))[: steps * BATCH].tolist()
        self.trainer.train_loader = self.loader(rows)
        self.trainer.train_step(1)

    def loader(self, rows: Sequence[int]) -> Any:
        """Return the loader its trainer makes, over some of the rows."""
        from pythae.data.datasets import collate_dataset_output

        sampler = SubsetRandomSampler(rows)
        return DataLoader(self.data, BATCH, sampler=sampler, collate_fn=collate_dataset_output)

    @torch.no_grad()
    def value(self) -> float:
        """Minus its own loss on held-out pictures, ten draws of noise each."""
        pictures = digits(HELD_OUT, SHAPE, held_out=True).to(self.trainer.device)
        self.model.eval()
        losses = [self.model({"data": pictures}).loss for _ in range(10)]
        self.model.train()
        return -torch.stack(losses).mean().item()


class LogLikelihood:
    """Its `get_nll`; arguments as in `ours`. Called without gradients, in its favour."""

    def __init__(self, pictures: int, samples: int, device: str = "cpu") -> None:
        self.model = perceptron_model().to(device).eval()
        self.model.device = device
        self.pictures = digits(pictures, SHAPE).to(device)
        self.samples = samples

    # As its documentation calls it: get_nll does not switch gradients off itself.
    def value(self) -> float:
        return float(self.model.get_nll(self.pictures, n_samples=self.samples, batch_size=100))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.value()
