"""Sphinx's settings for the book, which `make book` makes (tools/book.py). Pages are found from the checkout's root."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import lstm_lib
from tools import book

project = "Back-propagation in recurrent networks"
author = copyright = "the lstm_lib authors"
version = release = lstm_lib.__version__
language = "en"

# ------------------------------------------------------------------------------------------------------------ pages

root_doc = "docs/index"
include_patterns = [
    "*.md",
    "notebooks/[0-9]*.ipynb",
    "notebooks/*.md",
    "benchmarks/*.md",
    "data/*.md",
    "docs/**.md",
]
exclude_patterns = ["[.]*", "build", "student", "**/.ipynb_checkpoints"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
nitpicky = True
# Names of other packages, and words in backticks that are no names: only links within the book are checked
INNER = (
    "Activation|Arrays|Buffers|Checkpoint|Forecasts|HasWork|HeadWork|LayerWork|Live|Replay|"
    "Parts|Recipe|Samples|Stage|Trained|Watched"
)
# types that nobody has to make
nitpick_ignore_regex = [("py:obj", ".*"), ("py:.*", rf"(?!lstm_lib\b).*|lstm_lib.*\.({INNER})")]

# -------------------------------------------------------------------------------------------------------- notebooks

nb_execution_mode = "off"
nb_custom_formats = {".ipynb": ("tools.book.stored", {}, False)}
nb_ipywidgets_js: dict[str, Any] = {}  # no controls, and nothing from the network
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"  # of an example, the code alone

# -------------------------------------------------------------------------------------------------------- reference

autodoc_preserve_defaults = True
ARRAY = "ndarray[tuple[Any, ...], dtype[Any]]"  # says no more than its first word
autodoc_typehints_format = "short"
autosummary_generate = False
python_maximum_signature_line_length = 88
viewcode_follow_imported_members = True
toc_object_entries_show_parents = "hide"

# ------------------------------------------------------------------------------------------------------------- look

html_theme = "furo"
html_title = project
html_static_path = ["look"]
templates_path = ["look/templates"]
html_css_files = ["book.css"]
html_additional_pages = {"index": "index.html"}  # the way from the folder to its first page
html_copy_source = False
html_show_sphinx = False
pygments_dark_style = "github-dark"
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"chtml": {"scale": 0.95}}


class Names(Directive):
    """`.. names:: MODULE [FOLDER]`: the public names of a module, or those that a folder of the package defines."""

    required_arguments, optional_arguments = 1, 1

    def run(self) -> list[Any]:  # noqa: D102
        from sphinx.util.parsing import nested_parse_to_nodes

        lines = book.entries(*self.arguments)
        return nested_parse_to_nodes(
            self.state, StringList(lines, source="names"), allow_section_headings=False
        )


class Sittings(Directive):
    """The table of the sittings, from what stands at their tops."""

    def run(self) -> list[Any]:  # noqa: D102
        made = nodes.container()
        self.state.nested_parse(StringList(book.sittings(), source="sittings"), 0, made)
        return made.children


class Commands(Directive):
    """The help of every command, as the terminal shows it."""

    def run(self) -> list[Any]:  # noqa: D102
        made: list[Any] = []
        for name, text in book.commands().items():
            made += [nodes.rubric(name, name), nodes.literal_block(text, text, language="text")]
        return made


def shown(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Give autodoc our docstrings in its own signs."""
    lines[:] = book.of_table(obj) if what == "data" else book.docstring("\n".join(lines))


def short(app: Any, what: str, name: str, obj: Any, options: Any, taken: str, given: str) -> tuple[Any, Any]:
    """A signature without what makes it long and says nothing."""
    return tuple(text and text.replace(ARRAY, "ndarray") for text in (taken, given))


def leave_out(app: Any, page: str, source: list[str]) -> None:
    """Patterns of the first page's tables of contents for which there is no file (yet), of which Sphinx would warn."""
    if page == root_doc:
        lines = source[0].splitlines()
        found = [line for line in lines if not line.startswith("/notebooks") or any(ROOT.glob(line[1:]))]
        source[0] = "\n".join(found)


def bring_mathjax(app: Any, failure: Exception | None) -> None:
    """Copy what typesets formulas, with its fonts, from where pip put it: so nothing is asked of the network."""
    found = find_spec("mathjax")
    if failure or not found or not found.origin:
        return
    there, here = Path(found.origin).parent / "static/mathjax/es5", Path(app.outdir) / "_static/mathjax"
    fonts = "output/chtml/fonts/woff-v2"
    shutil.copytree(there / fonts, here / fonts, dirs_exist_ok=True)
    shutil.copy(there / "tex-chtml.js", here)


def setup(app: Any) -> None:
    app.add_directive("names", Names)
    app.add_directive("sittings", Sittings)
    app.add_directive("commands", Commands)
    app.connect("autodoc-process-docstring", shown)
    app.connect("autodoc-process-signature", short)
    app.connect("source-read", leave_out)
    app.connect("build-finished", bring_mathjax)
