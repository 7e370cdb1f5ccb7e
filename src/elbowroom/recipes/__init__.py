"""Recipes: named models as short functions. `RECIPES` is the list the command line shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from elbowroom.errors import unknown
from elbowroom.recipes.base import Recipe


@dataclass(frozen=True)
class Entry:
    """A recipe's place, paper, and what it is for.

    Attributes:
        place: module and function.
        purpose: one line.
        paper: title and arXiv id.
        data: what it takes, in words.
        example: a set of :mod:`elbowroom.data.tiny` that it takes, to be shown and checked on.
    """

    place: str
    purpose: str
    paper: str
    data: str
    example: str = "pictures"

    def load(self) -> Callable[..., Recipe]:
        """Import the recipe."""
        module, function = self.place.split(":")
        return getattr(import_module(module), function)


ANY = "tables, pictures; binary, grey levels, real numbers"
RECIPES: dict[str, Entry] = {
    "vae": Entry(
        "elbowroom.recipes.vae:vae",
        "embeddings, samples and an honest likelihood; the place to begin",
        "Auto-Encoding Variational Bayes (arXiv:1312.6114)",
        ANY,
    ),
    "iwae": Entry(
        "elbowroom.recipes.vae:iwae",
        "the VAE with a tighter bound: better likelihoods, richer use of the latents",
        "Importance Weighted Autoencoders (arXiv:1509.00519)",
        ANY,
    ),
    "linear-vae": Entry(
        "elbowroom.recipes.vae:linear_vae",
        "probabilistic PCA by gradients: the case whose answer is known",
        "Don't Blame the ELBO! (arXiv:1911.02469)",
        "tables, pictures; real numbers",
    ),
    "ae": Entry(
        "elbowroom.recipes.autoencoder:autoencoder",
        "reconstructions and codes without a prior, for comparison",
        "Reducing the Dimensionality of Data with Neural Networks (Hinton, Salakhutdinov 2006)",
        ANY,
    ),
}


def recipe(name: str) -> Callable[..., Recipe]:
    """Return a recipe by name.

    Raises:
        UserError: there is none of that name.
    """
    if name not in RECIPES:
        raise unknown("model", name, RECIPES)
    return RECIPES[name].load()
