"""Whatever is wrong with data, keys or values: exit code 2, one message, nothing written."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import run, table
from PIL import Image

RANDOM = np.random.default_rng(0).bytes(3000)
TABLE = table()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=array.dtype == object)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def pictures(broken: bytes | None = None) -> bytes:
    stream, png = io.BytesIO(), io.BytesIO()
    Image.new("L", (4, 4), 3).save(png, "png")
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(6):
            archive.writestr(f"{i}.png", png.getvalue())
        if broken is not None:
            archive.writestr("bad.png", broken)
    return stream.getvalue()


NUMBERS = np.random.default_rng(1).normal(size=(30, 4))
CONSTANT = NUMBERS.copy()
CONSTANT[:, 1] = 2.5

# what is wrong: (file name, its bytes or None where it is missing, what the message says)
FILES: dict[str, tuple[str, bytes | None, str]] = {
    "missing file": ("d.csv", None, r"d\.csv"),
    "unknown ending": ("d.xyz", RANDOM, r"d\.xyz"),
    "empty csv": ("d.csv", b"", "empty"),
    "header only": ("d.csv", b"a,b\n", "no rows"),
    "one row": ("d.csv", b"a,b\n1.5,2\n", "1 row"),
    "text in a numeric column": ("d.csv", TABLE.replace("\n", "\n?", 1).encode(), "height"),
    "missing column": ("d.csv", b"a,b\n,2\n,3\n,5\n,7.5\n", "'a'"),
    "ragged rows": ("d.csv", (TABLE + "1,2\n").encode(), "2 cells"),
    "constant column": ("d.csv", b"a,b\n" + b"".join(b"%d.5,7\n" % i for i in range(9)), "'b'"),
    "not UTF-8": ("d.csv", b"a,\xff\n1,2\n", "0xff"),
    "random bytes as csv": ("d.csv", RANDOM, "bytes"),
    "random bytes as npy": ("d.npy", RANDOM, r"not a \.npy"),
    "random bytes as npz": ("d.npz", RANDOM, r"d\.npz"),
    "random bytes as zip": ("d.zip", RANDOM, r"d\.zip"),
    "random bytes as parquet": ("d.parquet", RANDOM, r"d\.parquet"),
    "random bytes as idx": ("train-images-idx3-ubyte", RANDOM, "idx"),
    "empty npy": ("d.npy", b"", "empty"),
    "NaN": ("d.npy", npy(np.full((8, 3), np.nan)), "every value is missing"),
    "constant column of an array": ("d.npy", npy(CONSTANT), "constant"),
    "zero rows": ("d.npy", npy(NUMBERS[:0]), "no rows"),
    "one row of an array": ("d.npy", npy(NUMBERS[:1]), "1 row"),
    "one dimension": ("d.npy", npy(NUMBERS[0]), "shape"),
    "pickled array": ("d.npy", npy(np.array([[{}], [1]], object)), "pickled"),
    "a pickle": ("d.npy", b"\x80\x04N.", r"not a \.npy"),
    "truncated npy": ("d.npy", npy(NUMBERS)[:-50], "cut short"),
    "truncated npz": ("d.npz", npz(x=NUMBERS)[:-70], r"d\.npz"),
    "truncated zip": ("d.zip", pictures()[:-30], r"d\.zip"),
    "truncated gzip": ("d.csv.gz", gzip.compress(TABLE.encode() * 9)[:-20], "cut short"),
    "corrupt picture": ("d.zip", pictures(RANDOM), r"bad\.png"),
    "zip without pictures": ("d.zip", b"PK\x05\x06" + b"\0" * 18, "no pictures|no images|empty"),
}


@pytest.mark.parametrize("case", FILES)
def test_file(case: str, tmp_path: Path) -> None:
    name, content, said = FILES[case]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    refused(said, tmp_path, "fit", path)


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("nothing to see")
    refused("notes", tmp_path, "fit", tmp_path / "notes")


NO_MEMORY = r"^elbowroom: model: vae cannot be made with latent_dim=1\d+: out of memory[^[]*$"

# what is wrong: (what follows `fit`, what the message says)
KEYS: dict[str, tuple[tuple[object, ...], str]] = {
    "unknown data set": (("digist",), "digits"),
    "unknown key": (("digits", "latent_dimm=3"), "latent_dim"),
    "unknown key of a section": (("digits", "train.stepz=3"), "steps"),
    "unknown section": (("digits", "modle.latent_dim=3"), "model"),
    "unknown model": (("digits", "--model", "vea"), "vae"),
    "unknown option of a model": (("digits", "--model", "linear-vae", "beta=2"), "beta"),
    "no value": (("digits", "latent_dim"), "key=value"),
    "no key": (("digits", "=3"), "key=value"),
    "value that cannot be read": (("digits", "hidden=[64"), "hidden"),
    "negative steps": (("digits", "--steps", -5), "steps"),
    "zero steps": (("digits", "--steps", 0), "steps"),
    "steps in words": (("digits", "steps=abc"), "steps"),
    "steps flag in words": (("digits", "--steps", "abc"), "steps"),
    "half a step": (("digits", "steps=2.5"), "steps"),
    "negative learning rate": (("digits", "learning_rate=-1"), "learning_rate"),
    "learning rate in words": (("digits", "learning_rate=fast"), "learning_rate"),
    "learning rate NaN": (("digits", "learning_rate=.nan"), "learning_rate"),
    "zero batch": (("digits", "--batch-size", 0), "batch_size"),
    "negative seed": (("digits", "seed=-1"), "seed"),
    "negative seed flag": (("digits", "--seed", -1), "seed"),
    "seed in words": (("digits", "seed=one"), "seed"),
    "bad precision": (("digits", "--precision", "fp8"), "32-true"),
    "bad device": (("digits", "--device", "abacus"), "abacus"),
    "no such device": (("digits", "--device", "cuda:99"), "cuda:99"),
    "bad optimiser": (("digits", "optimizer=adamm"), "adamw"),
    "bad option of the optimiser": (("digits", "train.optimizer_options={bta: 1}"), "bta"),
    "bad value of that option": (("digits", "train.optimizer_options={eps: x}"), "eps"),
    "options that are none": (("digits", "train.optimizer_options=3"), "optimizer_options"),
    "bad clip": (("digits", "clip_norm=-1"), "clip_norm"),
    "bad average": (("digits", "average=2"), "average"),
    "bad patience": (("digits", "patience=0"), "patience"),
    "uneven accumulation": (("digits", "accumulate=7"), "accumulate"),
    "beta is a list": (("digits", "beta=[1]"), "beta"),
    "beta in words": (("digits", "beta=much"), "beta"),
    "hidden in words": (("digits", "hidden=abc"), "hidden"),
    "hidden negative": (("digits", "hidden=[-4]"), "hidden|width|-4"),
    "no latents": (("digits", "latent_dim=0"), "latent_dim|at least 1"),
    "negative samples": (("digits", "samples=-2"), "samples"),
    "evaluate samples in words": (("digits", "evaluate.samples=many"), "samples"),
    "more latents than memory": (("digits", "latent_dim=1000000000000"), NO_MEMORY),
    "more latents than numbers": (("digits", f"latent_dim={10**20}"), NO_MEMORY),
    "more particles than memory": (
        ("digits", "--model", "iwae", "samples=1000000000000"),
        "out of memory",
    ),
    "seed too large": (("digits", f"seed={10**20}"), "2\\^62"),
    "name of nothing": (("",), "empty"),
    "too wide for memory": (("digits", "hidden=[99999999999]"), "memory|alloc"),
    "unknown activation": (("digits", "act=rellu"), "relu"),
    "unknown likelihood": (("digits", "likelihood=gausian"), "gaussian"),
    "likelihood that does not fit": (("digits", "likelihood=bernoulli"), "[Bb]ernoulli"),
    "grey levels of real data": (("iris", "likelihood=discretized_logistic"), "gaussian"),
    "unknown networks": (("digits", "networks=cnn"), "conv"),
    "convolutions on a table": (("iris", "networks=conv"), "networks=conv"),
    "binarised table": (("iris", "binarize=static"), "binarize"),
    "unknown binarisation": (("digits", "binarize=statc"), "static"),
    "unknown kind": (("digits", "kind=grey"), "levels"),
    "zero limit": (("digits", "data.limit=0"), "limit"),
    "unknown column": (("iris", "drop=[petal]"), "petal"),
    "unknown label": (("iris", "label=specis"), "specis"),
    "unknown objective": (("digits", "objective=elob"), "elbo"),
    "objective of another sort": (("digits", "objective={type: mlp}"), "mlp|objective"),
    "unknown key of the objective": (("digits", "objective.bta=2"), "beta"),
    "source set to nothing": (("digits", "data.source=null"), "source"),
}


@pytest.mark.parametrize("case", KEYS)
def test_key(case: str, tmp_path: Path) -> None:
    arguments, said = KEYS[case]
    refused(said, tmp_path, "fit", *arguments)


# what is wrong: (the YAML, what the message says)
CONFIGURATIONS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no configuration"),
    "not YAML": (b"model: [", "YAML"),
    "not text": (b"\xff\xfe\x00", "YAML"),
    "a list": (b"- digits\n", "no configuration"),
    "an object of Python": (b"!!python/object/apply:os.getpid []\n", "YAML"),
    "no data": (b"model: vae\n", "data"),
    "unknown section": (b"data: digits\nmodels: vae\n", "model"),
    "section of the wrong sort": (b"data: digits\ntrain: [1]\n", "train"),
    "data of the wrong sort": (b"data: [1]\n", "data"),
    "seed of the wrong sort": (b"data: digits\nseed: [1]\n", "seed"),
    "model of the wrong sort": (b"data: digits\nmodel: {type: [1]}\n", "model"),
    "key of the wrong sort": (b"data: digits\n1: 2\n", "1"),
    "model without posterior or objective": (
        b"data: digits\nmodel: {likelihood: {type: bernoulli, shape: 64}}\n",
        "prior|objective|conditional",
    ),
    "model of parts of the wrong sort": (
        b"data: digits\nobjective: elbo\nmodel: {type: model, prior: 3, likelihood: 3}\n",
        "model|prior|likelihood|posterior",
    ),
    "unknown type": (
        b"data: digits\nobjective: elbo\nmodel: {type: model, prior: {type: normal}}\n",
        "standard_normal",
    ),
    "shapes that do not fit": (
        b"data: digits\nobjective: elbo\nmodel:\n  type: model\n"
        b"  prior: {type: standard_normal, dim: 2}\n"
        b"  likelihood: {type: conditional, net: {type: mlp, inputs: 3, hidden: [], outputs: 64},"
        b" family: {type: bernoulli, shape: 64}, given: z}\n"
        b"  posterior: {type: conditional, net: {type: mlp, inputs: 64, hidden: [], outputs: 4},"
        b" family: {type: gaussian, shape: 2}, given: x}\n",
        "mat1|[Ss]hapes? ",
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configuration_file(case: str, tmp_path: Path) -> None:
    content, said = CONFIGURATIONS[case]
    (tmp_path / "c.yaml").write_bytes(content)
    refused(said, tmp_path, "fit", tmp_path / "c.yaml")


def test_missing_configuration_file(tmp_path: Path) -> None:
    refused(r"none\.yaml", tmp_path, "fit", tmp_path / "none.yaml")


def refused(said: str, folder: Path, *arguments: object) -> None:
    """Run a command that must end in exit code 2, one message, and nothing written."""
    before = sorted(folder.rglob("*"))
    says_steps = {"--steps", "steps=abc", "steps=2.5"} & set(arguments)
    given = arguments if says_steps else (*arguments, "--steps", 2)
    done = run(*given, "--out", folder / "out", "-q")
    assert done.code == 2, (done.code, done.out, done.err)
    assert done.out == ""
    assert re.search(said, done.err), done.err
    assert_one_message(done.err)
    assert sorted(folder.rglob("*")) == before, "something was written"


def assert_one_message(text: str) -> None:
    """One message, from us or from the parser of the command line, and no traceback."""
    assert "Traceback" not in text
    assert 'File "' not in text
    if "Usage:" not in text:
        assert text.count("elbowroom: ") == 1
        assert len(text.strip().splitlines()) == 1, text
        assert len(text) < 800, text
