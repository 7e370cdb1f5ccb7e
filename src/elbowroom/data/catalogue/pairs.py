"""Pairs: two modalities of one class."""

from __future__ import annotations

from elbowroom.data.catalogue.entry import Builtin
from elbowroom.data.catalogue.pictures import PICTURES
from elbowroom.data.fetch import File
from elbowroom.data.pairs import read_mnist_svhn
from elbowroom.data.photographs import read_mnist_photographs

SVHN_URL = "http://ufldl.stanford.edu/housenumbers/"
MNIST, CIFAR10 = (PICTURES[name].files[0] for name in ("mnist", "cifar10"))
LECUN = "LeCun, Bottou, Bengio, Haffner 1998"

PAIRS: dict[str, Builtin] = {
    "mnist-photographs": Builtin(
        "MNIST digits and colour photographs that show another digit of their class, 32×32",
        (3856,), "several", 70000, read_mnist_photographs,
        f"{LECUN}; backgrounds: Krizhevsky 2009, Learning multiple layers of features from tiny "
        "images", "as MNIST; backgrounds: none stated", ((*MNIST, *CIFAR10),),
    ),
    "mnist-svhn": Builtin(
        "MNIST digits and house numbers of their class, 32×32 colour",
        (3856,), "several", 66068, read_mnist_svhn,
        f"{LECUN}; Netzer, Wang, Coates, Bissacco, Wu, Ng 2011, Reading digits in natural images; "
        "pairs: arXiv 1911.03393", "as MNIST; SVHN: non-commercial use",
        ((
            *MNIST,
            File("svhn/train_32x32.mat",
                 "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
                 SVHN_URL + "train_32x32.mat"),
            File("svhn/test_32x32.mat",
                 "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
                 SVHN_URL + "test_32x32.mat"),
        ),),
    ),
}  # fmt: skip
