"""Pictures."""

from __future__ import annotations

from elbowroom.data import standard
from elbowroom.data.catalogue.entry import UCI, Builtin
from elbowroom.data.fetch import File
from elbowroom.data.sprites import read_sprites

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
STATIC_URL = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"

PICTURES: dict[str, Builtin] = {
    "sprites": Builtin(
        "a square, an ellipse or a heart of every size, turned and moved, 64×64 binary",
        (1, 64, 64), "binary", 23040, read_sprites,
        "after dSprites (Matthey, Higgins, Hassabis, Lerchner 2017)", "drawn in code",
        where="drawn in code",
    ),
    "digits": Builtin(
        "handwritten digits, 8×8, integers 0 to 16", (1, 8, 8), "levels", 1797,
        standard.digits, f"Alpaydin, Kaynak 1998, {UCI}", "CC BY 4.0",
    ),
    "mnist": Builtin(
        "handwritten digits, 28×28 grey", (1, 28, 28), "levels", 70000, standard.idx("mnist"),
        "LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document "
        "recognition", "CC BY-SA 3.0 (as usually given)",
        ((
            File("mnist/train-images-idx3-ubyte.gz",
                 "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                 MNIST_URL + "train-images-idx3-ubyte.gz"),
            File("mnist/train-labels-idx1-ubyte.gz",
                 "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                 MNIST_URL + "train-labels-idx1-ubyte.gz"),
            File("mnist/t10k-images-idx3-ubyte.gz",
                 "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                 MNIST_URL + "t10k-images-idx3-ubyte.gz"),
            File("mnist/t10k-labels-idx1-ubyte.gz",
                 "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                 MNIST_URL + "t10k-labels-idx1-ubyte.gz"),
        ),),
    ),
    "mnist-static": Builtin(
        "MNIST binarised once by Larochelle, the usual likelihood benchmark", (1, 28, 28),
        "binary", 70000, standard.static_mnist,
        "Salakhutdinov, Murray 2008; Larochelle, Murray 2011, The neural autoregressive "
        "distribution estimator", "as MNIST",
        (
            (
                File("binarized_mnist/binarized_mnist_packed.npz",
                     "b52ccf91a3266e31e21ebadc6c1d4542a47aa7b89d31b6c3a521564a75d05f2b"),
            ),
            (
                File("binarized_mnist/binarized_mnist_train.amat",
                     "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
                     STATIC_URL + "binarized_mnist_train.amat"),
                File("binarized_mnist/binarized_mnist_valid.amat",
                     "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
                     STATIC_URL + "binarized_mnist_valid.amat"),
                File("binarized_mnist/binarized_mnist_test.amat",
                     "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
                     STATIC_URL + "binarized_mnist_test.amat"),
            ),
        ),
    ),
    "fashion-mnist": Builtin(
        "clothes, 28×28 grey", (1, 28, 28), "levels", 70000, standard.idx("fashion-mnist"),
        "Xiao, Rasul, Vollgraf 2017, Fashion-MNIST, arXiv 1708.07747", "MIT",
        ((
            File("fashion_mnist/train-images-idx3-ubyte.gz",
                 "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                 FASHION_URL + "train-images-idx3-ubyte.gz"),
            File("fashion_mnist/train-labels-idx1-ubyte.gz",
                 "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                 FASHION_URL + "train-labels-idx1-ubyte.gz"),
            File("fashion_mnist/t10k-images-idx3-ubyte.gz",
                 "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                 FASHION_URL + "t10k-images-idx3-ubyte.gz"),
            File("fashion_mnist/t10k-labels-idx1-ubyte.gz",
                 "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                 FASHION_URL + "t10k-labels-idx1-ubyte.gz"),
        ),),
    ),
    "frey": Builtin(
        "Brendan Frey's face, video frames of 28×20 grey", (1, 28, 20), "levels", 1965,
        standard.frey, "Roweis, Saul 2000, Nonlinear dimensionality reduction by locally linear "
        "embedding", "none stated",
        ((
            File("frey_faces/frey_faces.npz",
                 "b31ddb973f41a99244168000379cc79c3f1e4402c3604814fe3699002931659b"),
        ),),
    ),
    "celeba": Builtin(
        "celebrity faces: the first 10,000, centre cut, 64×64 colour", (3, 64, 64), "levels",
        10000, standard.celeba, "Liu, Luo, Wang, Tang 2015, Deep learning face attributes in the "
        "wild, arXiv 1411.7766", "research only, no redistribution",
        ((
            File("celeba_10k/celeba_10k_89x109.zip",
                 "20181233426bbf9b11813189a8399d2142840fc079b4d4fbdeac10959ab50e7f"),
        ),),
    ),
    "cifar10": Builtin(
        "CIFAR-10, balanced subset: 10,000 and 2,000 objects, 32×32 colour", (3, 32, 32), "levels",
        12000, standard.cifar10,
        "Krizhevsky 2009, Learning multiple layers of features from tiny images", "none stated",
        ((
            File("cifar10_subset/cifar10_10k_2k.npz",
                 "c4c0a18ce0f3b100fe577000facf1183af8bb1f9cdd697df6daaf89a70533316"),
        ),),
    ),
    "omniglot": Builtin(
        "Omniglot, small background sets: 242 characters by 20 drawers, 28×28 grey", (1, 28, 28),
        "levels", 4840, standard.omniglot, "Lake, Salakhutdinov, Tenenbaum 2015, Human-level "
        "concept learning through probabilistic program induction", "MIT",
        ((
            File("omniglot_small/omniglot_small.npz",
                 "650992456230aab7091e0d1c1a4cc77a580fe685dbeab6f2a0ff54019600aee9"),
        ),),
    ),
}  # fmt: skip
