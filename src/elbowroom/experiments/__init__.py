"""The lectures' figures and papers' tables, out of real code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from elbowroom.experiments import running
from elbowroom.experiments.base import Bench, Experiment, Row

EXPERIMENTS: dict[str, Experiment] = {
    "classical": Experiment(
        "elbowroom.experiments.classical:run",
        "what do PCA, factor analysis and Gaussian mixtures leave for a VAE to do?",
        "lecture: latent-variable models before neural networks",
        ("pca", "ppca", "fa", "gmm", "vae"),
    ),
    "aevb-mnist": Experiment(
        "elbowroom.experiments.aevb:run",
        "how does Algorithm 1 (M=100, L=1) fare on MNIST as the latent space grows?",
        "arXiv:1312.6114, figure 2",
    ),
    "latent-manifold": Experiment(
        "elbowroom.experiments.manifold:run",
        "what does a two-dimensional latent space look like?",
        "arXiv:1312.6114, figure 4",
    ),
    "autoencoder-vs-vae": Experiment(
        "elbowroom.experiments.holes:run",
        "why is a plain autoencoder not a generative model?",
        "lecture: holes in the latent space",
    ),
    "elbo-forms": Experiment(
        "elbowroom.experiments.forms:run",
        "do the three forms of the bound and both estimators agree?",
        "arXiv:1312.6114, section 2.3",
    ),
    "gradient-variance": Experiment(
        "elbowroom.experiments.variance:run",
        "how much does each estimator of a gradient vary, and is it right in the mean?",
        "lecture: score function against path, f = z²; arXiv:1711.00123, section 5.1",
    ),
    "discrete-gradients": Experiment(
        "elbowroom.experiments.bits:run",
        "how are 200 bits learned: by relaxation or by score function?",
        "arXiv:1611.01144, table 1",
        ("discrete-vae",),
    ),
    "discrete-vae": Experiment(
        "elbowroom.experiments.estimators:run",
        "which estimator of one gradient learns 200 bits best in 20 epochs, and at what cost?",
        "arXiv:1611.01144, table 1; arXiv:1711.00123, table 1",
        ("discrete-vae",),
    ),
    "iwae-table": Experiment(
        "elbowroom.experiments.importance:run",
        "do more importance samples in training make a better model?",
        "arXiv:1509.00519, table 1",
        ("iwae",),
    ),
    "ais-against-iwae": Experiment(
        "elbowroom.experiments.annealed:run",
        "how far below annealing is importance sampling, and can either be trusted?",
        "arXiv:1611.04273",
        ("vae",),
    ),
    "beta-sweep": Experiment(
        "elbowroom.experiments.sweep:run",
        "what does the weight of the KL term do to what the latents hold?",
        "Higgins et al. 2017; lecture: traversals over [-3, 3]",
        ("beta-vae",),
    ),
    "cvae": Experiment(
        "elbowroom.experiments.conditional:run",
        "does a conditional VAE give what is asked for, and more than one answer?",
        "Sohn, Lee, Yan 2015, table 1",
        ("cvae",),
    ),
    "miwae": Experiment(
        "elbowroom.experiments.imputation:run",
        "how well are the holes of a table filled, half of its cells missing?",
        "arXiv:1812.02633, table 2",
        ("miwae",),
    ),
    "vampprior": Experiment(
        "elbowroom.experiments.richer:vamp",
        "what is a prior worth that learns where the codes are?",
        "arXiv:1705.07120, table 1",
        ("vampprior", "vae"),
    ),
    "iaf": Experiment(
        "elbowroom.experiments.richer:flow",
        "what is a posterior worth whose latents depend on each other?",
        "arXiv:1606.04934; arXiv:1803.05649, table 1",
        ("iaf-vae", "vae"),
    ),
    "amortisation-gap": Experiment(
        "elbowroom.experiments.amortisation:run",
        "what does a bound lack: a richer posterior, or a better encoder?",
        "arXiv:1801.03558, table 1; arXiv:1802.02550",
        ("vae", "iaf-vae"),
    ),
    "ladder": Experiment(
        "elbowroom.experiments.levels:run",
        "do several levels of latents beat one, and does every level carry something?",
        "arXiv:1602.02282, table 1",
        ("ladder-vae", "vae"),
    ),
    "m2": Experiment(
        "elbowroom.experiments.semi_supervised:run",
        "how far do a hundred labels go, with fifty thousand digits that have none?",
        "arXiv:1406.5298, table 1",
        ("m2",),
    ),
    "sentence-vae": Experiment(
        "elbowroom.experiments.sentences:run",
        "does a latent tell a language model anything, and what keeps it from going unused?",
        "arXiv:1511.06349, table 2; arXiv:1901.05534",
        ("rnn-lm", "sentence-vae"),
    ),
    "molecules": Experiment(
        "elbowroom.experiments.molecules:run",
        "what does a grammar in which every string is a molecule buy?",
        "arXiv:1905.13741; MOSES, arXiv:1811.12823",
        ("selfies-vae",),
    ),
    "denoising": Experiment(
        "elbowroom.experiments.denoising:run",
        "does walking back rid a denoising autoencoder's chain of what are no digits?",
        "arXiv:1305.6663, section 5",
        ("dae", "dae-walkback"),
    ),
    "em-vs-joint": Experiment(
        "elbowroom.experiments.turns:run",
        "are posterior and generator better trained in turns, as by EM, or at once?",
        "lecture: variational EM and its two innovations; arXiv:1206.7051",
        ("vae",),
    ),
    "naive-monte-carlo": Experiment(
        "elbowroom.experiments.naive:run",
        "why not maximise the likelihood by particles from the prior?",
        "lecture: maximum likelihood by Monte Carlo",
        ("vae",),
    ),
    "wake-sleep-vs-vae": Experiment(
        "elbowroom.experiments.dreams:run",
        "what does one bound buy over two losses, wake and sleep, for the same networks?",
        "Hinton et al. 1995; arXiv:1406.2751; arXiv:1401.4082, table 2",
        ("helmholtz", "vae"),
    ),
    "gan-ring": Experiment(
        "elbowroom.experiments.ring:run",
        "does a generator find every mode, and does it stay in them?",
        "arXiv:1611.02163, figure 2",
        ("gan",),
    ),
    "vae-gan": Experiment(
        "elbowroom.experiments.likeness:run",
        "what do pictures look like when errors are not measured in pixels?",
        "arXiv:1512.09300",
        ("vae-gan", "vae"),
    ),
    "faces": Experiment(
        "elbowroom.experiments.faces:run",
        "what do a convolutional VAE's latents do to a face?",
        "lecture: CelebA samples and traversals",
    ),
    "pixelcnn": Experiment(
        "elbowroom.experiments.pixels:run",
        "how probable are digits to a model without latents, pixel after pixel?",
        "arXiv:1601.06759, table 4; arXiv:1606.05328",
        ("pixelcnn",),
    ),
    "vq-vae": Experiment(
        "elbowroom.experiments.codebooks:run",
        "what does a grid of codes keep, and what do the codes cost?",
        "arXiv:1711.00937; Sonnet's VQ-VAE example on CIFAR-10",
        ("vq-vae",),
    ),
    "video": Experiment(
        "elbowroom.experiments.video:run",
        "how many bits does a frame cost when the last one is known?",
        "lecture: video; arXiv:1802.01436",
        ("video-vae",),
    ),
    "multimodal": Experiment(
        "elbowroom.experiments.multimodal:run",
        "can a digit be written from a photograph, a photograph from a digit, both from nothing?",
        "arXiv:1911.03393, table 2; lecture: multimodal VAEs",
        ("mvae", "mmvae", "mopoe", "poise", "pcca"),
    ),
    "scvi": Experiment(
        "elbowroom.experiments.cells:run",
        "do codes of cells show their kind and not their batch?",
        "Lopez et al. 2018, doi:10.1038/s41592-018-0229-2",
        models=("scvi",),
    ),
    "nvdm": Experiment(
        "elbowroom.experiments.newsgroups:run",
        "how well do latent topics predict the words of a document?",
        "arXiv:1511.06038, table 1; lecture: document models",
        models=("nvdm",),
    ),
}


def run(
    name: str,
    folder: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Bench:
    """Run one experiment; see :func:`elbowroom.experiments.running.run`."""
    return running.run(
        EXPERIMENTS, name, folder, seed=seed, quick=quick, overwrite=overwrite, say=say
    )


__all__ = ["EXPERIMENTS", "Bench", "Experiment", "Row", "run"]
