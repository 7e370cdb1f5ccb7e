"""Walks through latents that are no vector: what the latents are, and what works instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from commands import run
from torch import nn

import elbowroom as er
from elbowroom.workflow.decoding import other_latents, traversals
from elbowroom.workflow.pictures import grid_figure


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "codes"
    size = ("channels=8", "codes=4", "code_dim=2", "prior=uniform", "limit=20")
    given = ("--model", "vq-vae", "evaluate.samples=2", "--steps", 2, "--out", folder, "--quiet")
    done = run("fit", "digits", *size, *given)
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize("verb", ["traverse", "interpolate"])
def test_a_grid_of_codes_is_called_one(codes: Path, tmp_path: Path, verb: str) -> None:
    done = run(verb, codes, "--out", tmp_path / "w.png")
    assert done.code == 2
    assert "the model's latents are z, a grid of codes, 2×2×2" in done.err
    assert "elbowroom sample and reconstruct" in done.err


def test_maps_and_several_vectors_are_named() -> None:
    x = {"x": torch.zeros(3, 4)}
    maps = er.Gaussian((2, 1, 1))
    likelihood = er.Conditional(nn.Sequential(nn.Flatten(), nn.Linear(2, 4)), er.Bernoulli(4), "z")
    posterior = er.Conditional(nn.Linear(4, maps.size), maps, "x")
    model = er.Model(er.StandardNormal((2, 1, 1)), likelihood, posterior)
    assert "latents are z, a grid of maps, 2×1×1. What works" in other_latents(model, x)
    assert "infers none" in other_latents(er.Model(None, er.Learned(er.Bernoulli(4)), None), x)


def test_too_many_pairs_are_refused_with_how_many_there_are(picture_run: Path) -> None:
    done = run("interpolate", picture_run, "--pairs", 400)
    assert done.code == 2
    assert "--pairs 400 takes 800 test data" in done.err
    assert "at most --pairs" in done.err


def test_nothing_to_evaluate_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "gan"
    done = run("fit", "digits", "--model", "gan", "limit=20", "--steps", 2, "--out", folder, "-q")
    assert done.code == 0, done.err
    judged = run("evaluate", folder)
    assert judged.code == 0
    assert "not available for test data" in judged.out
    assert "no posterior" in judged.out


def test_a_traversal_names_the_latents_that_it_moves(picture_run: Path, tmp_path: Path) -> None:
    done = run("traverse", picture_run, "--dimensions", 2, "--out", tmp_path / "t.svg", "--json")
    assert done.code == 2  # pictures are .png
    done = run("traverse", picture_run, "--dimensions", 2, "--out", tmp_path / "t.png", "--json")
    names = done.json["latents"]
    assert len(names) == 2
    drawn: list[tuple[int, ...]] = []
    values, spec, found, stops = traversals(picture_run, 5, 2.0, 2, 0)
    grid_figure(values, spec, lambda pictures: drawn.append(pictures.shape))
    assert drawn[0][:2] == (2, 5)
    assert found == names
    assert stops.tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
