"""Settings of the documentation: ``python -m sphinx -W -b html docs docs/_build/html``."""

import inspect
import os
import warnings
from importlib import import_module
from pathlib import Path

from shiftlab import __version__

ROOT = Path(__file__).resolve().parents[1]

# Examples on public data read it from SHIFTLAB_DATA, or from a data folder beside the checkout.
BESIDE = ROOT.parent / "shared" / "data"
if "SHIFTLAB_DATA" not in os.environ and BESIDE.is_dir():
    os.environ["SHIFTLAB_DATA"] = str(BESIDE)
HAS_DATA = Path(os.environ.get("SHIFTLAB_DATA", "")).joinpath("adult").is_dir()

project = "shiftlab"
author = "The shiftlab developers"
copyright = "The shiftlab developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
templates_path = ["_templates"]
# The helpers above cannot be pickled; nothing else in the configuration is concerned.
suppress_warnings = ["config.cache"]
default_role = "py:obj"
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True
numpydoc_xref_param_type = False


def _documented(module: str, name: str, keep) -> list[str]:
    """Return the public members of a class that `keep` accepts and that have a docstring."""
    item = getattr(import_module(module), name)
    return [
        key
        for key, value in inspect.getmembers_static(item)
        if not key.startswith("_") and keep(value) and inspect.getdoc(value)
    ]


def methods_of(module: str, name: str) -> list[str]:
    """Return the public methods of a class, class methods included."""

    def is_method(value):
        return inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod))

    return _documented(module, name, is_method)


def properties_of(module: str, name: str) -> list[str]:
    """Return the public properties of a class."""
    from functools import cached_property

    return _documented(module, name, lambda value: isinstance(value, (property, cached_property)))


autosummary_context = {"methods_of": methods_of, "properties_of": properties_of}

html_theme = "pydata_sphinx_theme"
html_title = "shiftlab"
html_static_path = ["_static"]
html_css_files = ["shiftlab.css"]
html_show_sourcelink = False
html_copy_source = False
# Pages without pages below them need no navigation beside them.
html_sidebars = {page: [] for page in ("index", "getting_started", "reliability", "questions")}
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# Without the data, the examples on public data are shown, but not run.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_" if HAS_DATA else r"simulated/plot_",
    "subsection_order": ["../examples/simulated", "../examples/public_data"],
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 1e9,
    "nested_sections": True,
    "plot_gallery": True,
}

warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown.*")
