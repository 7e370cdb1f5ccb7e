"""elbowroom's side: the vocabulary's model in the engine's own loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

import elbowroom as er
from benchmarks.nets import Pair, pair_of
from benchmarks.pictures import digits
from elbowroom.data.dataset import Dataset
from elbowroom.train.allocator import keep_freed_memory
from elbowroom.train.fit import prepare
from elbowroom.train.loop import Loop
from elbowroom.train.settings import Settings
from elbowroom.train.state import init

ENDLESS = 10**9
HELD_OUT = 2000


def model_of(nets: Pair, event: Sequence[int], latent: int, squared: bool = False) -> er.Model:
    """Wrap an encoder and a decoder; a squared error is a Gaussian of scale 1."""
    encoder, decoder = nets
    family = er.Gaussian(event, scale=1.0) if squared else er.Bernoulli(event)
    return er.Model(
        er.StandardNormal(latent),
        er.Conditional(decoder, family, "z"),
        er.Conditional(encoder, er.Gaussian(latent), "x"),
    )


class Training:
    """A fit that is advanced step by step.

    Args:
        kind: of network: ``"perceptrons"`` or ``"convolutions"``.
        sizes: of the network; the last is the latent's.
        event: shape of a picture.
        rows: of data.
        squared: whether the likelihood is a Gaussian of scale 1, else Bernoulli.
        precision: ``"32-true"`` or ``"bf16-mixed"``.
        device: where.
    """

    def __init__(
        self,
        kind: str,
        sizes: Sequence[int],
        event: Sequence[int],
        rows: int,
        squared: bool = False,
        precision: str = "32-true",
        device: str = "cpu",
    ) -> None:
        self.event = tuple(event)
        self.model = model_of(pair_of(kind, sizes, squared), self.event, sizes[-1], squared)
        settings = Settings(
            steps=ENDLESS, batch_size=100, precision=precision, log_every=100, device=device
        )
        prepare(settings, torch.device(device))
        data = Dataset({"x": digits(rows, self.event)})
        state = init(self.model.to(device).train(), er.ELBO(), settings)
        self.loop = Loop(state, data.to(device), None, None, ())

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.loop.advance()

    def value(self) -> float:
        """The bound on held-out pictures, in float32."""
        pictures = digits(HELD_OUT, self.event, held_out=True)
        device = self.model.device
        return er.evaluate.elbo(self.model, pictures.to(device), samples=10).mean


class LogLikelihood:
    """Importance-sampled ``log p(x)`` under the weights of a seeded pythae model.

    Args:
        pictures: how many are scored in one step.
        samples: particles per picture, K.
        device: where.
    """

    def __init__(self, pictures: int, samples: int, device: str = "cpu") -> None:
        from benchmarks.theirs import perceptron_weights

        nets = pair_of("perceptrons", (784, 512, 16))
        perceptron_weights(*nets)
        self.model = model_of(nets, (784,), 16).to(device).eval()
        self.pictures, self.samples = digits(pictures).to(device), samples

    def run(self, steps: int) -> None:
        for _ in range(steps):
            er.evaluate.log_marginal(self.model, self.pictures, self.samples)

    def value(self) -> float:
        return er.evaluate.log_marginal(self.model, self.pictures, self.samples).mean


class Importance:
    """Importance-sampled ``log p(x)`` of an untrained model.

    Args:
        pictures: how many are scored in one step.
        samples: particles per picture, K.
        device: where.
    """

    def __init__(self, pictures: int, samples: int, device: str = "cpu") -> None:
        from benchmarks.weighing import SIZES

        keep_freed_memory()  # as the commands do
        self.model = model_of(pair_of("perceptrons", SIZES), (784,), SIZES[-1]).to(device).eval()
        self.pictures, self.samples = digits(pictures).to(device), samples

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.value()

    def value(self) -> float:
        return er.evaluate.log_marginal(self.model, self.pictures, self.samples).mean


class Annealing(Importance):
    """Annealed ``log p(x)`` of the same model; the settings are those of the library."""

    def __init__(self, pictures: int, device: str = "cpu", **settings: Any) -> None:
        super().__init__(pictures, settings["chains"], device)
        self.settings = er.evaluate.Annealing(**settings, schedule="linear")

    def value(self) -> float:
        found = er.evaluate.annealed_log_marginal(self.model, self.pictures, self.settings)
        return found.mean
