"""The classroom's walkthrough, as a script and as the notebook that is made of it here."""

import os
import shlex
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from support.samples import PHOTOS, ROOT

PHOTO = PHOTOS / "dachshund-in-snow.jpg"


def run(line: str) -> str:
    """Runs a Python module from the repository's root, with no screen, and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(line)],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def words_after(label: str, printed: str) -> list[str]:
    """The words of the last line that begins so."""
    return [line.removeprefix(label).split() for line in printed.splitlines() if line.startswith(label)][-1]


def check_words(printed: str, captioner) -> None:
    """The three words by hand are those with which the captioner's own greedy caption begins."""
    [caption] = captioner([PHOTO], beam=1, no_repeated_trigram=False, repetition_cost=0, hedging=0)
    words = caption.text.split()
    assert len(words) > 3
    assert words_after("the library:", printed) == words
    assert words_after("by hand:", printed) == words[:3]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The notebook's cells, run top to bottom. The kernel works in train/, as for a notebook beside the script."""
    path = tmp_path_factory.mktemp("notebook") / "walkthrough.ipynb"
    run(f"jupytext --to ipynb --output {path} train/walkthrough.py")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "train")}}).execute()
    return notebook.cells


@pytest.fixture(scope="module")
def outputs(cells):
    return [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]


def test_the_script_writes_the_captioners_words(captioner):
    check_words(run("train.walkthrough"), captioner)


def test_the_notebook_writes_the_captioners_words(outputs, captioner):
    check_words("".join(output.text for output in outputs if output.output_type == "stream"), captioner)


def test_the_notebook_runs_clean(cells, outputs):
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")
    assert {output.output_type for output in outputs} == {"stream", "display_data"}  # no error, no value left over
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}  # no warning


def test_the_notebook_shows_its_plots(cells, outputs):
    plots = sum(cell.source.count("plt.show()") for cell in cells if cell.cell_type == "code")
    assert plots >= 5
    assert sum("image/png" in output.get("data", {}) for output in outputs) == plots


def test_each_equation_stands_above_its_code(cells):
    """A cell of text with a displayed equation, then the code that computes it."""
    with_equation = [place for place, cell in enumerate(cells) if "$$" in cell.source]
    assert len(with_equation) >= 9
    assert all(cells[place].cell_type == "markdown" for place in with_equation)
    assert all(cells[place + 1].cell_type == "code" for place in with_equation)
