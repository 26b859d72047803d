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

from cloudxai_analysis.ledger import Ledger

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

SECONDS = 120
# The text of each output and the lightness of both it and what is behind it, as WCAG 2.2 counts them.
CONTRASTS = (
    "() => {"
    + LIGHT
    + """
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      // A chosen row of a table is coloured by a shadow that fills it.
      const {backgroundColor, boxShadow} = getComputedStyle(at);
      const colour = boxShadow.includes('9999px') ? boxShadow.match(/rgba?\\([^)]+\\)/)[0] : backgroundColor;
      const alpha = parts(colour)[3];
      if (alpha === undefined || alpha >= 0.9) return colour;
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
    """A project of its own, whose ledger judges no alert: what is saved and clicked here is not the repository's."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "cloudxai.toml").write_text('[environments.demo]\nsource = "demo://"\nhistory_weeks = 1\n')
    for part in ("notebooks", "docs", "reference"):
        shutil.copytree(PROJECT / part, folder / part)
    ledger_of(folder).append({"kind": "observation", "at": "2026-11-09T00:00Z", "summary": "a first day", "by": "ada"})
    return folder


def ledger_of(project: Path) -> Ledger:
    return Ledger(project / "outputs" / "demo" / "ledger" / "incidents.jsonl")


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


# Whether the notebook in front is read and its kernel answers: cells that are run before are not.
READY = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.revealed;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
# What each cell shows, drawn one by one: those out of sight are not.
SHOWN = (
    "async () => { const poor = "
    + CONTRASTS
    + """;
    const notebook = window.jupyterapp.shell.currentWidget.content, found = new Map();
    for (let at = 0; at < notebook.widgets.length; at++) {
        await notebook.scrollToItem(at);
        await new Promise(done => setTimeout(done, 50));
        for (const [ratio, text] of poor()) found.set(text, Math.min(ratio, found.get(text) ?? 99));
    }
    return [...found].map(([text, ratio]) => [ratio, text]);
}"""
)


def opened(browser: Any, url: str, path: str, scheme: str) -> Any:
    """A page of the lab that shows a file in a theme; `said` is what its console complains of, `asked` whom it asks."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.said, page.asked = [], set()
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("console", lambda line: page.said.append(line.text) if line.type == "error" else None)
    page.on("request", lambda request: page.asked.add(urlsplit(request.url).hostname or "the page itself"))
    host, token = urlsplit(url), url.partition("token=")[2]
    page.goto(f"{host.scheme}://{host.netloc}/lab/tree/{path}?reset&token={token}")
    page.wait_for_selector(".jp-Document")
    page.evaluate(READY)
    theme = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[scheme]
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_selector(f"body[data-jp-theme-light={'true' if scheme == 'light' else 'false'}]", state="attached")
    return page


def look_at(page: Any, code: str) -> None:
    """Bring the cell that begins with `code` into sight, with what it shows."""
    page.evaluate(
        """async code => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const at = notebook.widgets.findIndex(cell => cell.model.sharedModel.source.startsWith(code));
            await notebook.scrollToItem(at, 'start');
        }""",
        code,
    )


def follow_a_finding(page: Any, project: Path) -> None:
    """A click on a row shows the samples of its place, and the picked tenant those of its own."""
    look_at(page, "explore(")
    second = page.locator(".dt-container tbody tr").nth(1)
    place = second.locator("td").nth(3).inner_text()
    second.click()
    page.wait_for_selector(f".jupyter-widgets strong:has-text({json.dumps(f'of {place}, ')})")
    tenant = page.get_by_role("combobox", name="Tenant", exact=True)
    tenant.fill("dawnpatrol")
    tenant.blur()
    page.wait_for_selector(".jupyter-widgets strong:has-text('dawnpatrol in 2026-W46')")
    page.get_by_role("button", name="Zoom").click()
    page.wait_for_selector(".jupyter-matplotlib canvas")
    page.get_by_role("button", name="Zoom").click()
    page.wait_for_selector(".jupyter-widgets .cloudxai-figure svg")


def judge_an_alert(page: Any, project: Path) -> None:
    """Without a name nothing is written; with one a click is one entry, and a second click none."""
    before = ledger_of(project).entries()
    look_at(page, "labelling.pictures(")
    noise = page.get_by_role("button", name="noise").first
    noise.click()
    page.wait_for_selector(".jupyter-widgets :text('Nothing was written')")
    assert ledger_of(project).entries() == before
    page.get_by_role("textbox", name="Judged by").fill("grace")
    noise.dblclick()
    page.wait_for_selector(".jupyter-widgets button.mod-success:has-text('noise'):disabled")
    added = ledger_of(project).entries()[len(before) :]
    assert [(one.kind, one.judgement, one.by) for one in added] == [("label", "noise", "grace")]


USED = {"02_cardinality": follow_a_finding, "04_alerts": judge_an_alert}


# Each notebook in one of the two themes, by turns.
NAMES = sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb"))
SHOWN_IN = [(name, ("dark", "light")[place % 2]) for place, name in enumerate(NAMES)]


@pytest.mark.parametrize(("name", "scheme"), SHOWN_IN)
def test_run_all_twice_saved_and_reloaded_it_shows_what_it_showed(
    browser: Any, url: str, project: Path, name: str, scheme: str
) -> None:
    page = opened(browser, url, f"notebooks/{name}.ipynb", scheme)
    for _ in range(2):
        assert page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    if name in USED:
        USED[name](page, project)
    explores = "explore(study" in (project / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    if explores:  # What is saved of a widget is what has been drawn of it.
        look_at(page, "explore(")
        page.wait_for_selector(".dt-container tbody tr")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    saved = json.loads((project / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    assert min(cell["execution_count"] for cell in cells) > len(cells)
    assert [it for cell in cells for it in cell["outputs"] if it["output_type"] == "error"] == []
    assert [it for cell in cells for it in cell["outputs"] if it.get("name") == "stderr"] == []
    # The kernel is gone: what is shown is what was saved.
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.reload()
    page.wait_for_selector(".jp-Document")
    page.evaluate(READY)
    found = page.evaluate(SHOWN)
    assert len(found) > 5
    assert [text for _, text in found if "Loading" in text or "Traceback" in text or "Error displaying" in text] == []
    assert [one for one in found if one[0] < 4.5] == []
    if explores:
        look_at(page, "explore(")
        page.wait_for_selector(".dt-container tbody tr")
        # A figure has the theme's colour, and is as wide as its cell, up to a line that can be read.
        figure = page.locator(".cloudxai-figure svg").first
        assert figure.evaluate("figure => figure.getBoundingClientRect().width") > 700
        assert page.locator(".cloudxai-figure img:visible").count() == 0
    assert page.said == []
    assert page.asked <= {"127.0.0.1", "the page itself"}
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.context.close()


def test_a_notebook_that_is_not_there_is_one_line(project: Path) -> None:
    done = cloudxai("lab", "nothing_like_it", settings=project / "cloudxai.toml")
    assert done.returncode == 2
    assert re.search(r"^cloudxai: No notebook 'nothing_like_it' in .* Known: 00_tour", done.stderr)
