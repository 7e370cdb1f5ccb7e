"""Cells by genes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elbowroom.data.catalogue.entry import Builtin, Read
from elbowroom.data.cells import read_h5ad
from elbowroom.data.fetch import File
from elbowroom.data.raw import Raw, encode_labels

KANG = "GEO GSE96583, as in github.com/HelenaLC/muscat"
CELLBENCH = "GEO GSE118767, as in github.com/LuyiTian/sc_mixology"


def cells(label: str, singlets: bool = False) -> Read:
    """Raw counts of an ``.h5ad`` file, with a class and the column ``batch`` of its ``obs``.

    Args:
        label: column of ``obs`` that is the class, unless another is named.
        singlets: keep droplets that demuxlet calls one cell (``SNG``) only.
    """

    def read(paths: list[Path]) -> Raw:
        raw = read_h5ad(paths[0])
        if singlets:
            one = np.flatnonzero(raw.about["demuxlet_cls"] == "SNG")
            raw.note = f"{len(raw.x) - len(one)} droplets of two cells were left out"
            raw.x = raw.x[one]
            raw.about = {name: values[one] for name, values in raw.about.items()}
        raw.label, raw.labels = encode_labels(raw.about[label])
        return raw

    return read


CELLS: dict[str, Builtin] = {
    "kang": Builtin(
        "blood cells, control and stimulated: 5 types, 2 batches, 1,267 genes", (1267,), "counts",
        1556, cells("cell_type"), "Kang et al. 2018, Multiplexed droplet single-cell "
        "RNA-sequencing using natural genetic variation", "data public",
        ((
            File("scrna/kang_pbmc_labelled.h5ad",
                 "fe830050cd6d471cc974259280a19194dcc77183e7b6cfcdfa506196bcfa5a98",
                 origin=KANG),
        ),),
    ),
    "cellbench": Builtin(
        "three lung cancer cell lines, two protocols as batches, 15,073 genes", (15073,),
        "counts", 499, cells("cell_line"), "Tian et al. 2019, Benchmarking single cell "
        "RNA-sequencing analysis pipelines using mixture control experiments", "MIT",
        ((
            File("scrna/cellbench_3line.h5ad",
                 "fd29138b35427c5122ad569ec1d3ce9a17fbd30a5558dbb382ee633749205b74",
                 origin=CELLBENCH),
        ),),
    ),
    "cellbench-5line": Builtin(
        "five lung cancer cell lines, three plates as batches, 12,653 genes", (12653,), "counts",
        571, cells("cell_line", singlets=True), "Tian et al. 2019, Benchmarking single cell "
        "RNA-sequencing analysis pipelines using mixture control experiments", "MIT",
        ((
            File("scrna/cellbench_5line.h5ad",
                 "c1c6ff2249baca604b7714c87dda9e784e41bc35fd7c87641045c651856b8669",
                 origin=CELLBENCH),
        ),),
    ),
}  # fmt: skip
