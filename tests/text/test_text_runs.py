"""A run on sentences, from the command line to the lines it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import elbowroom as er
from elbowroom.cli.app import app
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.nets.recurrent import SequenceEncoder
from elbowroom.random import seeded
from elbowroom.recipes.text import rnn_lm, sentence_vae
from elbowroom.report.blocks import Listing
from elbowroom.report.html import Section, page
from elbowroom.workflow import configuration, export, plan, run
from elbowroom.workflow.texts import interpolated, paired, written

LINES = [f"the {a} {b}" for a in ("cat", "dog", "bird") for b in ("sleeps", "eats fish")] * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("text")
    (home / "lines.txt").write_text("\n".join(LINES))
    options = ["embedding=4", "hidden=6", "latent_dim=2", "samples=3"]
    flags = {"model.type": "sentence-vae", "train.steps": 3}
    made = plan.make(configuration.read(str(home / "lines.txt"), options, flags))
    run.fit(made, home / "run", progress=False)
    return home / "run"


def test_a_run_writes_sentences(folder: Path) -> None:
    wrote = {p.name for p in (folder / "figures").iterdir()}
    assert {"samples.txt", "reconstructions.txt", "interpolations.txt", "latents.png"} <= wrote
    assert "traversals.png" not in wrote
    lines = (folder / "figures" / "samples.txt").read_text().splitlines()
    words = {"the", "cat", "dog", "bird", "sleeps", "eats", "fish", "<unknown>"}
    assert len(lines) == 64
    assert {word for line in lines for word in line.split()} <= words
    report = (folder / "report.html").read_text()
    assert "64 draws from the model" in report
    assert "perplexity, ends not counted" in report
    result = json.loads((folder / "evaluation.json").read_text())
    assert result["perplexity"]["value"] > 1


def test_commands_write_lines(folder: Path, tmp_path: Path) -> None:
    def lines(*command: object) -> list[str]:
        out = tmp_path / f"{command[0]}.txt"
        arguments = [str(part) for part in (*command, "--out", out)]
        assert CliRunner().invoke(app, arguments).exit_code == 0
        return out.read_text().splitlines()

    assert export.default_ending(folder) == ".txt"
    assert len(lines("sample", folder, "-n", 5)) == 5
    assert len(lines("interpolate", folder, "--pairs", 1, "--points", 3)) == 3
    assert len(lines("reconstruct", folder, folder.parent / "lines.txt")) == len(LINES)
    with pytest.raises(UserError, match="no text"):
        export.write(tmp_path / "x.txt", np.zeros((2, 6)), tiny("table").spec)


def test_sequences_as_lines() -> None:
    spec = tiny("tokens").spec
    x = torch.tensor([[4, 5, 2, 0, 0, 0, 0, 0], [3, 2, 0, 0, 0, 0, 0, 0]])
    assert written(x, spec) == ["a b", "<unknown>"]
    assert paired(x, x.flip(0), spec) == ["a b", "  → <unknown>", "", "<unknown>", "  → a b"]
    assert interpolated(x.unsqueeze(1), spec) == ["a b", "", "<unknown>"]


def test_listings_of_data_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("secret & <b>\n")
    section = Section("Texts", [Listing(tmp_path / "lines.txt", "of the data", shows_data=True)])
    assert "secret &amp; &lt;b&gt;" in page("t", {}, [section], embeds_data=True)
    assert "secret" not in page("t", {}, [section], embeds_data=False)


@pytest.mark.parametrize("make", [rnn_lm, sentence_vae])
def test_other_data_are_refused(make: object) -> None:
    with pytest.raises(UserError, match="sequences of tokens"):
        make(tiny("table").spec)  # type: ignore[operator]


def test_remedies_are_composed_from_the_vocabulary() -> None:
    spec = tiny("tokens").spec
    plain = sentence_vae(spec).objective
    assert isinstance(plain, er.ELBO)
    assert (plain.rule, plain.beta) == (None, 1.0)
    eased = sentence_vae(spec, free_bits=3.0, warmup=10, ramp="logistic").objective
    assert isinstance(eased, er.ELBO)
    assert isinstance(eased.rule, er.FreeBits)
    assert isinstance(eased.rule.beta, er.Logistic)
    assert eased.rule.beta(0) < 0.01 < 0.99 < eased.rule.beta(10)
    with pytest.raises(UserError, match="ramp"):
        sentence_vae(spec, warmup=10, ramp="sudden")
    with pytest.raises(UserError, match="cell"):
        rnn_lm(spec, cell="transformer")
    with pytest.raises(UserError, match="pool"):
        SequenceEncoder(9, 2, pool="max")


def test_a_latent_is_told_what_the_words_before_cannot_tell() -> None:
    """Sentences that repeat one word: z knows it at once, so the bound beats all guessing."""
    word = torch.randint(4, 8, (400, 1), generator=torch.Generator().manual_seed(0))
    x = torch.cat([word, torch.full((400, 1), 2)], 1)
    splits = tiny("tokens")
    spec = er.data.DataSpec("w", "tokens", (2,), vocabulary=splits.spec.vocabulary, levels=9)
    with seeded(0):
        made = sentence_vae(spec, {"x": x}, 2, 8, 8, free_bits=1.2, warmup=50)
    settings = {"steps": 250, "batch_size": 100, "learning_rate": 1e-2}
    er.fit(made.model, {"x": x}, made.objective, **settings)
    bound = er.evaluate.elbo(made.model, x, samples=20)
    information = er.evaluate.aggregate_posterior(made.model, x).mutual_information.mean
    assert information > 0.9, "log 4 is 1.39"
    assert bound.log_likelihood["x"].mean() > -0.5
