"""The lab as an analyst meets it: JupyterLab in a real browser, Run All twice, saved, reloaded, light and dark."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from clean_command import PROJECT, cloudxai
from contrast import LIGHT

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

SECONDS = 120
# The text of each output and the lightness of both it and what is behind it, as WCAG 2.2 counts them.
CONTRASTS = (
    "() => {"
    + LIGHT
    + """
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor, alpha = parts(colour)[3];
      if (alpha === undefined || alpha > 0.9) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  for (const element of document.querySelectorAll('.jp-OutputArea-output td, .jp-OutputArea-output p,' +
      '.jp-OutputArea-output th, .jp-OutputArea-output pre, .cloudxai-figure svg text')) {
    if (!element.textContent.trim()) continue;
    const style = getComputedStyle(element);
    const own = light(element instanceof SVGElement ? style.fill : style.color), back = light(behind(element));
    found.push([(Math.max(own, back) + 0.05) / (Math.min(own, back) + 0.05), element.textContent.slice(0, 40)]);
  }
  return found;
}
"""
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its own, with the demo's week pulled: what is saved here is not the repository's."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "cloudxai.toml").write_text('[environments.demo]\nsource = "demo://"\nhistory_weeks = 1\n')
    shutil.copytree(PROJECT / "notebooks", folder / "notebooks")
    shutil.copytree(PROJECT / "docs", folder / "docs")
    return folder


@pytest.fixture(scope="module")
def url(project: Path) -> Iterator[str]:
    """What `cloudxai lab` prints; the server is gone afterwards."""
    words = [sys.executable, "-m", "cloudxai_analysis.cli", "lab", "--no-browser", "--port=0"]
    words.append("--LabApp.expose_app_in_browser=True")
    own = {"CLOUDXAI_SETTINGS": str(project / "cloudxai.toml"), "JUPYTER_CONFIG_DIR": str(project / "own")}
    own |= {
        "JUPYTER_DATA_DIR": str(project / "own"),
        "JUPYTER_RUNTIME_DIR": str(project / "own"),
        "PYTHONPATH": str(PROJECT),
    }
    log = (project / "lab.log").open("w+", encoding="utf-8")
    served = subprocess.Popen(words, cwd=project, env=os.environ | own, stderr=log, stdout=log, start_new_session=True)
    try:
        until, found = time.monotonic() + SECONDS, None
        while found is None and time.monotonic() < until and served.poll() is None:
            time.sleep(0.5)
            found = re.search(r"http://127\S+", (project / "lab.log").read_text(encoding="utf-8"))
        assert found is not None, (project / "lab.log").read_text(encoding="utf-8")
        yield found[0]
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.wait()
        log.close()


def opened(browser: Any, url: str, path: str, scheme: str) -> Any:
    """A page of the lab that shows a file in a theme; `said` is what its console complains of."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.said = []
    page.on("pageerror", lambda error: page.said.append(str(error)))
    host, token = urlsplit(url), url.partition("token=")[2]
    page.goto(f"{host.scheme}://{host.netloc}/lab/tree/{path}?reset&token={token}")
    page.wait_for_selector(".jp-Document")
    theme = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[scheme]
    command(page, "apputils:change-theme", {"theme": theme})
    page.wait_for_selector(f"body[data-jp-theme-light={'true' if scheme == 'light' else 'false'}]", state="attached")
    return page


def command(page: Any, name: str, given: Any = None) -> None:
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("([name, given]) => window.jupyterapp.commands.execute(name, given || {})", [name, given])


# What the notebook in front holds: each code cell's number, by the model, since cells out of sight are not drawn.
COUNTS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code').map(cell => cell.model.executionCount || 0)"""


def run_all(page: Any) -> None:
    """Run every cell, and wait until each has run; a kernel that is still coming up would run none."""
    idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
    page.wait_for_selector(idle, state="attached")
    command(page, "notebook:clear-all-cell-outputs")
    page.wait_for_function(f"() => ({COUNTS})().every(count => count === 0)")
    command(page, "runmenu:run-all")
    page.wait_for_function(f"() => ({COUNTS})().every(count => count > 0)")
    page.wait_for_selector(idle, state="attached")


@pytest.mark.parametrize(("name", "scheme"), [("05_readiness", "dark")])
def test_run_all_twice_saved_and_reloaded_it_shows_what_it_showed(
    browser: Any, url: str, project: Path, name: str, scheme: str
) -> None:
    page = opened(browser, url, f"notebooks/{name}.ipynb", scheme)
    page.wait_for_selector(".jp-Notebook")
    for _ in range(2):
        run_all(page)
    command(page, "docmanager:save")
    kept = project / "notebooks" / f"{name}.ipynb"
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    cells = [cell for cell in json.loads(kept.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert min(cell["execution_count"] for cell in cells) > len(cells)
    assert [it for cell in cells for it in cell["outputs"] if it["output_type"] == "error"] == []
    page.reload()
    page.wait_for_selector(".cloudxai-figure svg")
    page.wait_for_timeout(3_000)
    shown = page.locator(".jp-OutputArea-output").all_inner_texts()
    assert len(shown) > 5
    assert [text for text in shown if "Loading" in text or "Traceback" in text] == []
    # A figure has the theme's colour, and is as wide as its cell, up to a line that can be read.
    width = page.evaluate("() => document.querySelector('.cloudxai-figure svg').getBoundingClientRect().width")
    assert width > 700
    assert page.locator(".cloudxai-figure img:visible").count() == 0
    poor = [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5]
    assert poor == []
    assert page.said == []


def test_a_notebook_that_is_not_there_is_one_line(project: Path) -> None:
    done = cloudxai("lab", "nothing_like_it", settings=project / "cloudxai.toml")
    assert done.returncode == 2
    assert re.search(r"^cloudxai: No notebook 'nothing_like_it' in .* Known: 00_tour", done.stderr)
