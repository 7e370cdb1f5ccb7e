"""Words and molecules."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from elbowroom.data.arrays import set_label
from elbowroom.data.catalogue.entry import Builtin
from elbowroom.data.fetch import File
from elbowroom.data.raw import Raw, reading
from elbowroom.data.text import read_smiles, read_text

NVDM = "github.com/ysmiao/nvdm (data/20news), its sparse counts packed as CSR arrays"
PTB = "Mikolov's preparation of the Penn Treebank (simple-examples), gzipped"
MOSES = "github.com/molecularsets/moses (data), a random subset"


def newsgroups(paths: list[Path]) -> Raw:
    """20 Newsgroups as word counts: documents by the 2,000 words of the vocabulary."""
    with reading(paths[0], "20 Newsgroups"), np.load(paths[0], allow_pickle=False) as archive:
        parts = {part: _dense(archive, part) for part in ("train", "test")}
        labels = np.concatenate([archive[f"{part}_label"] for part in parts])
        words, names = archive["vocab"], archive["label_names"]
    raw = Raw("20news", np.concatenate(list(parts.values())), columns=[str(w) for w in words])
    first = len(parts["train"])
    raw.split = {"train": np.arange(first), "test": np.arange(first, len(raw.x))}
    raw.n_validation, raw.kind = 500, "counts"
    set_label(raw, labels, names)
    return raw


def _dense(archive: np.lib.npyio.NpzFile, part: str) -> np.ndarray:
    from scipy.sparse import csr_matrix

    parts = tuple(archive[f"{part}_{name}"] for name in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=(len(parts[2]) - 1, len(archive["vocab"]))).toarray()


def treebank(paths: list[Path]) -> Raw:
    """Sentences of the Penn Treebank, parts as prepared by Mikolov."""
    return joined([read_text(path) for path in paths], ("train", "validation", "test"))


def moses(paths: list[Path]) -> Raw:
    """Molecules of MOSES in SMILES, the official parts."""
    raw = joined([read_smiles(path) for path in paths], ("train", "test"))
    raw.n_validation = 1000
    return raw


def joined(files: list[Raw], parts: tuple[str, ...]) -> Raw:
    """Put the sentences of several files under one another, one a part."""
    lines = [raw.sentences or [] for raw in files]
    ends = np.cumsum([len(part) for part in lines])
    whole = Raw(files[0].name, np.empty((int(ends[-1]), 0)), notation=files[0].notation)
    whole.sentences = list(chain.from_iterable(lines))
    whole.split = {
        part: np.arange(end - len(own), end) for part, own, end in zip(parts, lines, ends)
    }
    return whole


TEXTS: dict[str, Builtin] = {
    "20news": Builtin(
        "newsgroup messages as counts of 2,000 words, 20 groups", (2000,), "counts", 18773,
        newsgroups, "Lang 1995, Newsweeder; Miao, Yu, Blunsom 2016, Neural variational inference "
        "for text processing, arXiv 1511.06038", "none stated",
        ((
            File("20news_nvdm/20news_nvdm.npz",
                 "d319b296476bb01fa9c54daf0f65d628ec6c44b2697a0ea87e0b0e8301837bf7",
                 origin=NVDM),
        ),),
    ),
    "ptb": Builtin(
        "sentences of the Wall Street Journal, 10,000 words", (83,), "tokens", 49199, treebank,
        "Marcus, Santorini, Marcinkiewicz 1993, Building a large annotated corpus of English; "
        "Mikolov 2010", "Linguistic Data Consortium, no free licence",
        ((
            File("ptb/ptb.train.txt.gz",
                 "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
                 origin=PTB),
            File("ptb/ptb.valid.txt.gz",
                 "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
                 origin=PTB),
            File("ptb/ptb.test.txt.gz",
                 "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
                 origin=PTB),
        ),),
    ),
    "moses": Builtin(
        "drug-like molecules in SMILES, a subset of MOSES", (53,), "tokens", 220000, moses,
        "Polykovskiy et al. 2020, Molecular sets (MOSES), arXiv 1811.12823", "MIT",
        ((
            File("moses_subset/moses_train.smi.gz",
                 "6c53414f77c1e05fad2196032b90f266972aab3923ebedf29696e9b8a02e5fbd",
                 origin=MOSES),
            File("moses_subset/moses_test.smi.gz",
                 "943e9ca0a6178b4f9bf46ce03831e8506601f831e37f39608f19319cd3815232",
                 origin=MOSES),
        ),),
    ),
}  # fmt: skip
