"""Tables that come with scikit-learn."""

from __future__ import annotations

from elbowroom.data import standard
from elbowroom.data.catalogue.entry import UCI, Builtin

TABLES: dict[str, Builtin] = {
    "iris": Builtin(
        "iris flowers: sepals and petals in cm, 3 species", (4,), "real", 150,
        standard.table("load_iris"), f"Fisher 1936, {UCI}", "CC BY 4.0",
    ),
    "wine": Builtin(
        "chemistry of Italian wines, 3 cultivars", (13,), "real", 178,
        standard.table("load_wine"), f"Aeberhard, Forina 1991, {UCI}", "CC BY 4.0",
    ),
    "breast-cancer": Builtin(
        "cell nuclei of breast tumours, benign or malignant", (30,), "real", 569,
        standard.table("load_breast_cancer"),
        f"Wolberg, Mangasarian, Street, Street 1995, {UCI}", "CC BY 4.0",
    ),
    "diabetes": Builtin(
        "ten measurements of diabetes patients, original units", (10,), "real", 442,
        standard.diabetes, "Efron, Hastie, Johnstone, Tibshirani 2004, Least angle regression",
        "none stated",
    ),
}  # fmt: skip
