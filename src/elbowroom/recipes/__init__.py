"""Recipes: named models as short functions. `RECIPES` is the list the command line shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from elbowroom.errors import unknown
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.sizes import sized


@dataclass(frozen=True)
class Entry:
    """A recipe's place, paper, and what it is for.

    Attributes:
        place: module and function.
        purpose: one line.
        paper: title and arXiv id.
        data: what it takes, in words.
        example: a set of :mod:`elbowroom.data.tiny` that it takes, to be shown and checked on.
        reading: how it wants data read unless the user says otherwise, options of ``load``.
    """

    place: str
    purpose: str
    paper: str
    data: str
    example: str = "pictures"
    reading: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Callable[..., Recipe]:
        """Import the recipe; sizes and counts among its options are checked when it is called."""
        module, function = self.place.split(":")
        return sized(getattr(import_module(module), function))


ANY = "tables, pictures; binary, grey levels, real numbers"
SEVERAL = "several modalities; tables, pictures; binary, grey levels, real numbers, counts"
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
    "beta-vae": Entry(
        "elbowroom.recipes.beta:beta_vae",
        "latents that each do one thing, at a price in likelihood",
        "beta-VAE: Learning Basic Visual Concepts (Higgins et al. 2017)",
        ANY,
    ),
    "cvae": Entry(
        "elbowroom.recipes.conditional:cvae",
        "samples of a class, or of one picture given another; many answers where there are many",
        "Learning Structured Output Representation (Sohn, Lee, Yan 2015)",
        "a label, another class or another variable beside the data",
    ),
    "discrete-vae": Entry(
        "elbowroom.recipes.discrete:discrete_vae",
        "latents that are bits or classes, in one layer or two, by score functions or relaxations",
        "Categorical Reparameterization with Gumbel-Softmax (arXiv:1611.01144)",
        ANY,
    ),
    "linear-vae": Entry(
        "elbowroom.recipes.vae:linear_vae",
        "probabilistic PCA by gradients: the case whose answer is known",
        "Don't Blame the ELBO! (arXiv:1911.02469)",
        "tables, pictures; real numbers",
    ),
    "pca": Entry(
        "elbowroom.recipes.classical:pca",
        "the best linear code, in one step",
        "On Lines and Planes of Closest Fit (Pearson 1901)",
        "tables, pictures",
        "table",
    ),
    "ppca": Entry(
        "elbowroom.recipes.classical:ppca",
        "principal components with a likelihood, in one step",
        "Probabilistic Principal Component Analysis (Tipping, Bishop 1999)",
        "tables, pictures",
        "table",
    ),
    "fa": Entry(
        "elbowroom.recipes.classical:factor_analysis",
        "factors with a noise for each column, by EM; whatever the columns' units",
        "EM Algorithms for ML Factor Analysis (Rubin, Thayer 1982)",
        "tables, pictures",
        "table",
    ),
    "gmm": Entry(
        "elbowroom.recipes.classical:gaussian_mixture",
        "clusters with a likelihood, by EM",
        "Maximum Likelihood from Incomplete Data via the EM Algorithm (1977)",
        "tables, pictures",
        "table",
    ),
    "miwae": Entry(
        "elbowroom.recipes.missing:miwae",
        "tables with holes: learns from what is there and fills in what is not",
        "MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets "
        "(arXiv:1812.02633)",
        "tables with or without holes",
        "holes",
    ),
    "ae": Entry(
        "elbowroom.recipes.autoencoder:autoencoder",
        "reconstructions and codes without a prior, for comparison",
        "Reducing the Dimensionality of Data with Neural Networks (Hinton, Salakhutdinov 2006)",
        ANY,
    ),
    "gan": Entry(
        "elbowroom.recipes.adversarial:gan",
        "samples that a critic cannot tell from data; no likelihood, no codes",
        "Generative Adversarial Networks (arXiv:1406.2661)",
        ANY,
    ),
    "helmholtz": Entry(
        "elbowroom.recipes.helmholtz:helmholtz",
        "the VAE's nets taught by wake-sleep: what there was before the bound",
        "The Wake-Sleep Algorithm for Unsupervised Neural Networks (Hinton et al. 1995)",
        ANY,
    ),
    "vae-gan": Entry(
        "elbowroom.recipes.adversarial:vae_gan",
        "sharp reconstructions and samples: errors are measured in a critic's features",
        "Autoencoding beyond pixels using a learned similarity metric (arXiv:1512.09300)",
        ANY,
    ),
    "dae": Entry(
        "elbowroom.recipes.denoising:denoising",
        "repairs what is corrupted; its chain of corrupting and repairing generates",
        "Generalized Denoising Auto-Encoders as Generative Models (arXiv:1305.6663)",
        ANY,
    ),
    "dae-walkback": Entry(
        "elbowroom.recipes.denoising:walkback",
        "the denoising autoencoder without the spurious modes of its chain",
        "Generalized Denoising Auto-Encoders as Generative Models (arXiv:1305.6663)",
        ANY,
    ),
    "vampprior": Entry(
        "elbowroom.recipes.richer:vampprior",
        "a prior that learns where the codes are: better likelihoods and samples",
        "VAE with a VampPrior (arXiv:1705.07120)",
        ANY,
    ),
    "iaf-vae": Entry(
        "elbowroom.recipes.richer:iaf_vae",
        "a posterior whose latents depend on each other: a tighter bound",
        "Improved Variational Inference with Inverse Autoregressive Flow (arXiv:1606.04934)",
        ANY,
    ),
    "ladder-vae": Entry(
        "elbowroom.recipes.ladder:ladder_vae",
        "a hierarchy of latents, from the whole to the detail",
        "Ladder Variational Autoencoders (arXiv:1602.02282)",
        ANY,
    ),
    "scvi": Entry(
        "elbowroom.recipes.scvi:scvi",
        "cells by their counts of genes, the batch and the cell's size left out of the latents",
        "Deep generative modeling for single-cell transcriptomics (Lopez et al. 2018)",
        "counts: .h5ad, tables of whole numbers; with or without a class column 'batch'",
        "counts",
    ),
    "nvdm": Entry(
        "elbowroom.recipes.nvdm:nvdm",
        "documents as bags of words: topics, perplexities, documents on a map",
        "Neural Variational Inference for Text Processing (arXiv:1511.06038)",
        "counts of words: 20news, tables of whole numbers",
        "counts",
    ),
    "rnn-lm": Entry(
        "elbowroom.recipes.text:rnn_lm",
        "sentences word by word, without latents: what a sentence VAE has to beat",
        "Recurrent neural network based language model (Mikolov et al. 2010)",
        "text: .txt, ptb; molecules: .smi, moses",
        "tokens",
    ),
    "sentence-vae": Entry(
        "elbowroom.recipes.text:sentence_vae",
        "a vector for a sentence, sentences from vectors and between them",
        "Generating Sentences from a Continuous Space (arXiv:1511.06349)",
        "text: .txt, ptb; molecules: .smi, moses",
        "tokens",
    ),
    "selfies-vae": Entry(
        "elbowroom.recipes.text:selfies_vae",
        "a vector for a molecule; whatever it decodes to is a molecule",
        "Self-referencing embedded strings (arXiv:1905.13741)",
        "molecules: .smi, moses; notation=smiles for the variant without the guarantee",
        "tokens",
        {"notation": "selfies"},
    ),
    "m2": Entry(
        "elbowroom.recipes.semi_supervised:m2",
        "a classifier from few labels and many unlabelled data; class and style apart",
        "Semi-supervised Learning with Deep Generative Models (arXiv:1406.5298)",
        "data with a label, known for some rows (labelled=100); binary, grey levels, real numbers",
    ),
    "pixelcnn": Entry(
        "elbowroom.recipes.pixelcnn:pixelcnn",
        "an exact likelihood of pictures, pixel after pixel; no latents",
        "Conditional Image Generation with PixelCNN Decoders (arXiv:1606.05328)",
        "pictures; binary, grey and colour levels",
    ),
    "vq-vae": Entry(
        "elbowroom.recipes.quantized:vq_vae",
        "pictures as grids of codes, with a prior over them: compression and samples",
        "Neural Discrete Representation Learning (arXiv:1711.00937)",
        "pictures",
    ),
    "video-vae": Entry(
        "elbowroom.recipes.video:video_vae",
        "frames given the frame before: their price in bits, and continuations",
        "after Auto-Encoding Variational Bayes (arXiv:1312.6114), a prior given the last frame",
        "pictures with a column previous of pictures",
        "frames",
    ),
    "mvae": Entry(
        "elbowroom.recipes.multimodal:mvae",
        "several modalities of one thing, any of which may be missing: a product of experts",
        "Multimodal Generative Models for Scalable Weakly-Supervised Learning (arXiv:1802.05335)",
        SEVERAL,
        "several",
    ),
    "mmvae": Entry(
        "elbowroom.recipes.multimodal:mmvae",
        "one modality written from another, and all together: a mixture of experts",
        "Variational Mixture-of-Experts Autoencoders (arXiv:1911.03393)",
        SEVERAL,
        "several",
    ),
    "mopoe": Entry(
        "elbowroom.recipes.multimodal:mopoe",
        "a mixture over all subsets of modalities, each a product of its experts",
        "Generalized Multimodal ELBO (arXiv:2105.02470)",
        SEVERAL,
        "several",
    ),
    "poise": Entry(
        "elbowroom.recipes.poise:poise",
        "a latent for every modality, coupled by an energy instead of shared",
        "POISE-VAE: a product of experts with interacting latents, by Gibbs sampling",
        SEVERAL,
        "several",
    ),
    "pcca": Entry(
        "elbowroom.recipes.canonical:probabilistic_cca",
        "what two views have in common, linearly, with an exact likelihood",
        "A Probabilistic Interpretation of Canonical Correlation Analysis (Bach, Jordan 2005)",
        "two modalities; tables, pictures; real numbers, grey levels",
        "several",
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
