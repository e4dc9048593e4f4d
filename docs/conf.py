"""Configuration of the documentation: `make docs` builds it into docs/_build/html."""

from importlib.metadata import version as installed

import sphinx_autosummary_accessors

project = "runcube"
author = "the runcube developers"
project_copyright = f"2026, {author}"
version = release = installed("runcube")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_autosummary_accessors",  # ds.sweep, by the names that users type
    "numpydoc",
    "myst_nb",  # pages in Markdown, notebooks executed
    "sphinx_click",  # the commands, from their own help
    "sphinx_copybutton",
]
templates_path = ["_templates", sphinx_autosummary_accessors.templates_path]
exclude_patterns = ["_build", "examples/logs", "examples/README.md", "**.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autosummary_generate = True
autodoc_typehints = "none"  # the types stand in the sections "Parameters" and "Returns"
numpydoc_show_class_members = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "runcube"
html_show_sourcelink = False
html_theme_options = {"show_prev_next": True, "navigation_with_keys": False}
html_static_path = ["_static"]
html_css_files = ["site.css"]


def _escape_globs(_app, _context, lines):
    lines[:] = [line.replace("*", r"\*") for line in lines]


def _strip_examples(_app, _name, source):
    # The blank line ends what a doctest expects, and means nothing to readers.
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app):
    """Take globs in the help of commands for text, and examples without their last, blank line."""
    app.connect("sphinx-click-process-options", _escape_globs)
    app.connect("source-read", _strip_examples)
