"""What every figure of an evaluation is called, and what it says."""

from __future__ import annotations

from typing import Any

EXPLAINED = {
    "log_marginal": (
        "log p(x)",
        "importance-weighted: a lower bound of the truth, tighter than the ELBO",
    ),
    "lower_bound": (
        "log p(x), lower bound",
        "of simulated data, annealed from the start to the posterior",
    ),
    "upper_bound": (
        "log p(x), upper bound",
        "of the same data, annealed back from the latents that made them",
    ),
    "bidirectional_gap": ("upper - lower", "on average at least the error of either bound"),
    "elbo": ("ELBO", "the bound that was trained: log p(x) is at least this"),
    "log_likelihood": ("E[log p(x|z)]", "how well data are explained given their latents"),
    "kl": ("KL(q ‖ p)", "what the latents cost: nats of information they carry"),
    "bits_per_dim": ("bits/dim", "the same log p(x), in bits per entry; lower is better"),
    "perplexity": ("perplexity", "exp(-log p(x) per word), end marks counted as words"),
    "perplexity_without_end": (
        "perplexity, ends not counted",
        "the same probability shared by the words alone, as some papers have it",
    ),
    "perplexity_per_document": (
        "perplexity per document",
        "exp of the mean over documents of -log p(x) per word",
    ),
    "perplexity_of_corpus": ("perplexity of the corpus", "exp(-log p(x) per word), all together"),
    "effective_sample_size": (
        "effective samples",
        "of the importance samples; few means a loose bound",
    ),
    "calibration_p": (
        "p, if the posterior were exact",
        "that ranks of the true latents among its draws are uniform, corrected for their number",
    ),
    "calibration_off": ("not calibrated", "quantities whose ranks are not uniform"),
    "acceptance": ("acceptance", "of Hamiltonian transitions; near 0.65 is best"),
    "pareto_k": (
        "Pareto k > 0.7",
        "share of data whose log p(x) is not to be trusted: more samples, or --method ais, help",
    ),
    "reconstruction_error": ("reconstruction", "squared error per entry at the posterior mean"),
    "active_units": (
        "active units",
        "latents whose posterior mean varies over data (variance > 0.01)",
    ),
    "mutual_information": ("I(x; z)", "information between data and latents; at most log N"),
    "aggregate_kl": ("KL(q(z) ‖ p(z))", "how far all codes together are from the prior"),
    "train_test_gap": ("train - test", "of log p(x): what was memorised"),
    "accuracy": ("accuracy", "how often argmax q(class|x) is right, the class being hidden"),
    "training_seconds": ("training time", "wall clock"),
    "kept_step": (
        "parameters of step",
        "whose bound on validation data was the highest; later ones fit the training data alone",
    ),
}
"""By name, a figure's title and its meaning in one line."""

EXACTLY = {
    "log_marginal": "of the model, without sampling: only the choice of data is left to chance",
    "elbo": "equal to log p(x): the posterior is the exact one",
}
"""Meanings of figures that are no estimates."""

BY_COLUMN = (
    "squared error of each column at the posterior mean, over the column's variance; 1 is no "
    "better than its mean"
)
BY_EM = "EM ran them all; kept are the parameters whose bound on validation data was the highest"


def explanation(key: str, entry: dict[str, Any]) -> str:
    """Return the meaning of a figure, of this one if it is of a special sort."""
    if entry.get("estimator") == "exact":
        return EXACTLY.get(key, EXPLAINED[key][1])
    if entry.get("standardised"):
        return BY_COLUMN
    if entry.get("solved_by") == "EM":
        return BY_EM
    return EXPLAINED[key][1]
