"""Sphinx configuration: `make docs`. Every code cell is executed; every warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generate

from elbowroom import __version__

project = "elbowroom"
author = "The elbowroom developers"
copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "api/tables"]
default_role = "literal"
nitpicky = False

# Pages are plain text; each is a notebook that starts from nothing, as its reader does.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# What scikit-learn adds to every estimator refers to its own glossary.
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "set_fit_request, set_score_request, set_transform_request, "
    "set_inverse_transform_request, get_metadata_routing",
}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Shape"]

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "elbowroom"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def setup(app: object) -> None:
    """Write the pages that follow from the code before Sphinx reads the others."""
    generate.write_all(Path(__file__).parent / "api")
