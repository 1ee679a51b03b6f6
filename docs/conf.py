"""Sphinx: the pages beside this file and the package's own docstrings; examples run during the build."""

import os
from importlib import metadata

project = "FLARE"
author = "The FLARE authors"
project_copyright = "The FLARE authors, Apache-2.0"
release = metadata.version("flare-core")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
templates_path: list[str] = []

html_theme = "furo"
html_title = f"FLARE {release}"
html_copy_source = False

# Single backticks in docstrings name things of the code.
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # an attribute that is documented twice, here and by its field, would be a warning
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# A page whose example fails does not build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_merge_streams = True

# What the command line prints in the pages must not depend on who builds them.
os.environ.update(COLUMNS="110", NO_COLOR="1", TERM="dumb")
