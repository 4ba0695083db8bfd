"""Make a site of the pages here: ``make docs``, and the tests in tests/docs."""

import sys
import tomllib
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for mdoc

project = "opensmtpd-plugins"
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]
version = release
author = "The opensmtpd-plugins authors"
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "mdoc"]
# {} in displays of smtpd.conf and of Python must stay what they are: no substitutions, no maths.
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
highlight_language = "none"

# In the order in which the source has them, which is the order in which they are explained.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
nitpicky = True
nitpick_ignore_regex = [
    # Python's own names would take its inventory from the network.
    ("py:.*", r"(argparse|collections|contextlib|ipaddress|os|pathlib|socket|typing)\..*"),
    ("py:.*", r"opensmtpd\.[a-z_.]+\.[A-Z](_co)?"),  # type variables
    # What the private ends of public functions are called.
    ("py:class", r"opensmtpd\.(dns\.lookup\.Gather|worker\.ends\.StemEnd)"),
    ("py:class", r"opensmtpd\.testing\.(driver|model\.[a-z_]+)\.[A-Za-z]+"),
]

html_theme = "furo"
html_title = f"opensmtpd-plugins {release}"
html_static_path = ["static"]
html_css_files = ["mdoc.css"]
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Know the blocks of the pages that Pygments does not: lines of smtpd.conf, and the like."""
    for name in ("conf", "dns", "output"):
        app.add_lexer(name, TextLexer)
    app.connect("autodoc-process-docstring", without_numbers)


def without_numbers(
    app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]
) -> None:
    """Leave out the docstring that Python gives each field of a named tuple, and that says nothing.

    The arguments are those of the event ``autodoc-process-docstring``.
    """
    if lines and lines[0].startswith("Alias for field number "):
        lines.clear()
