"""20 Newsgroups as bags of words: perplexities, topics and a map of documents."""

from __future__ import annotations

from typing import Any

import torch

from elbowroom.data import load
from elbowroom.evaluate.documents import npmi, perplexities, top_words, unigram, word_counts
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.plots.embedding import embedding_grid
from elbowroom.random import seeded
from elbowroom.recipes.nvdm import nvdm
from elbowroom.schedules import Cosine

BAR, STEPS, RATE, MAPPED = 860.0, 5000, 5e-3, 2000
PUBLISHED = "836 (arXiv:1511.06038, 50 latents)"


def run(bench: Bench) -> None:
    """Fit a linear decoder (NVDM) and one with a hidden layer (the lecture's)."""
    data = load("20news", seed=bench.seed)
    best = unigram(data.test)
    bench.row(
        "best unigram on the test set, perplexity per document / corpus",
        f"{best['per document'].value:.1f} / {best['corpus'].value:.1f}",
        "1190.0 / 1183.8",
    )
    for name, decoder in {"linear": (), "hidden layer": (100,)}.items():
        model = fitted(name, decoder, data, bench)
        rows = data.test.take(slice(0, bench.count(len(data.test))))
        found = perplexities(model, rows, samples=bench.count(20), seed=bench.seed)
        one, corpus = found["per document"], found["corpus"]
        judged = not decoder  # the paper's own model is held to the bar
        bench.row(
            f"{name} decoder: perplexity per document (ELBO, 20 samples)",
            with_error(one.value, one.standard_error, 1), PUBLISHED,
            f"≤ {BAR:.0f}" if judged else "", one.value <= BAR if judged else None,
        )  # fmt: skip
        bench.row(
            f"{name} decoder: perplexity of the corpus (ELBO, 20 samples)",
            with_error(corpus.value, corpus.standard_error, 1),
        )
        topics(name, model, data, bench)
        documents(name, model, data, bench)


def fitted(name: str, decoder: tuple[int, ...], data: Any, bench: Bench) -> Model:
    with seeded(bench.seed):
        made = nvdm(data.spec, data.train.columns, decoder=decoder)
    steps = bench.steps(STEPS)
    settings = {**made.settings, "steps": steps, "learning_rate": Cosine(RATE, RATE / 100, steps)}
    slug = name.replace(" ", "-")
    return bench.fit(slug, made.model, data, made.objective, **settings)[0].eval()


def topics(name: str, model: Model, data: Any, bench: Bench) -> None:
    """Write the words of every direction, and say how well they go together."""
    vocabulary = list(data.spec.columns)
    ends = top_words(model, vocabulary)
    lines = [
        f"{f'z[{i}]':<5} + {' '.join(up)}\n     - {' '.join(down)}"
        for i, (up, down) in enumerate(ends)
    ]
    bench.write(f"topics-{name.replace(' ', '-')}.txt", "\n".join(lines) + "\n")
    place = {word: i for i, word in enumerate(vocabulary)}
    numbers = [[place[word] for word in end] for pair in ends for end in pair]
    scores = npmi(numbers, word_counts(data.train))
    bench.row(
        f"{name} decoder: NPMI of the top 10 words of each end, documents of train",
        f"{sum(scores) / len(scores):.3f}", "NVDM 0.08 to 0.19 in papers, on other references",
    )  # fmt: skip


def documents(name: str, model: Model, data: Any, bench: Bench) -> None:
    """Draw a t-SNE map of test documents, coloured by their group's family."""
    from sklearn.manifold import TSNE

    count = bench.count(MAPPED)  # evenly spaced: the documents are sorted by group
    batch = data.test.batch(torch.linspace(0, len(data.test) - 1, count).long())
    codes = model.encode(batch)["z"].numpy()
    side = min(30, (len(codes) - 1) // 3)
    points = TSNE(random_state=bench.seed, perplexity=side, max_iter=500).fit_transform(codes)
    families = sorted({label.split(".")[0] for label in data.spec.labels})
    of = [families.index(label.split(".")[0]) for label in data.spec.labels]
    colour = torch.tensor(of)[batch["label"]].numpy()
    figure = embedding_grid(
        {f"{name} decoder": points}, {"family": (colour, families)},
        title="20 Newsgroups: t-SNE of test documents",
    )  # fmt: skip
    bench.draw(f"map-{name.replace(' ', '-')}", figure)
