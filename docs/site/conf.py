# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the HTML documentation. make docs (tests/stage/site.py) adds the pages and builds it."""

from __future__ import annotations

project = "hpc.slurm_jwt"
project_copyright = "2026, hpc.slurm_jwt contributors"
html_title = project

# No intersphinx: it would need the network.
extensions = ["myst_parser", "sphinx_antsibull_ext"]
nitpicky = True

# They would turn --tags into a dash, which no shell understands.
smartquotes = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False
pygments_style = "ansible"
pygments_dark_style = "ansible"
