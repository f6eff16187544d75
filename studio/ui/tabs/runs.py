"""The Runs tab: every run on disk, one of them opened."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.exports import shelf
from studio.exports.shelf import Exported
from studio.runs import stop as stopping
from studio.runs.monitor import Glimpse
from studio.specs import works
from studio.texts import say
from studio.texts.errors import of_error
from studio.ui import run_pages
from studio.ui.desk import Desk
from studio.ui.form import Form
from studio.ui.localize import Words
from studio.ui.markup import Html, tag
from studio.ui.run_panel import RunPanel
from studio.ui.tabs.train import acted

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

# Clicks on a row or a column's head become events that carry the run's or the column's name.
_CLICKS = """
element.addEventListener('click', event => {
  const row = event.target.closest('[data-run], [data-sort], [data-undo]');
  if (!row || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  trigger('select', {run: row.dataset.run || '', sort: row.dataset.sort || '', undo: row.dataset.undo || ''});
});
"""


class RunsTab:
    """Components and handlers of the tab."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        self.others: dict[str, Any] = {}
        self.opened, self.sort, self.listed = gr.Textbox("", visible="hidden"), gr.State("-created"), gr.State("")
        with gr.Row(elem_classes=["runs"]):
            with gr.Column(elem_classes=["card", "list"], scale=3, elem_id="runs-list"):
                with gr.Row(elem_classes=["card-head"]):
                    words(
                        gr.HTML,
                        {"value": lambda lang: tag("h2", say(lang, "page.runs.title"))},
                        js_on_load=None,
                        apply_default_css=False,
                    )
                    self.search = words(
                        gr.Textbox,
                        {"placeholder": "page.runs.search", "label": "page.runs.search"},
                        value="",
                        show_label=False,
                        container=False,
                        max_lines=1,
                        elem_id="runs-search",
                    )
                self.undo = gr.HTML("", elem_id="undo", js_on_load=_CLICKS, apply_default_css=False)
                self.table = gr.HTML("", elem_id="runs-table", js_on_load=_CLICKS, apply_default_css=False)
            with gr.Column(elem_classes=["card", "opened"], scale=4, visible=False, elem_id="opened") as self.side:
                self._put_opened()

    def _put_opened(self) -> None:
        words = self.words
        self.panel = RunPanel(words, "run")
        self.panel.put_head()
        with gr.Row(elem_classes=["quiet-row"]):
            self.duplicate = words(gr.Button, {"value": "page.run.duplicate"}, size="sm", elem_id="run-duplicate")
            self.name = words(
                gr.Textbox,
                {"placeholder": "page.run.new_name", "label": "page.run.new_name"},
                value="",
                show_label=False,
                container=False,
                max_lines=1,
                elem_id="run-new-name",
                min_width=120,
            )
            self.rename = words(gr.Button, {"value": "page.run.rename"}, size="sm", elem_id="run-rename")
            self.remove = words(gr.Button, {"value": "page.run.remove"}, size="sm", elem_id="run-remove")
            self.close = words(gr.Button, {"value": "page.run.close"}, size="sm", elem_id="run-close")
        with gr.Tabs(elem_id="run-pages", selected="summary") as self.tabs:
            with words(gr.Tab, {"label": "page.pages.summary"}, id="summary"):
                self.summary = gr.HTML("", elem_id="run-summary", js_on_load=None, apply_default_css=False)
            with words(gr.Tab, {"label": "page.pages.curves"}, id="curves", elem_id="run-page-curves"):
                self.panel.put_curves()
            with words(gr.Tab, {"label": "page.pages.settings"}, id="settings"):
                self.settings = gr.HTML("", elem_id="run-settings", js_on_load=None, apply_default_css=False)
            with words(gr.Tab, {"label": "page.pages.checkpoints"}, id="checkpoints", elem_id="run-page-checkpoints"):
                self.checkpoints = gr.HTML("", elem_id="run-checkpoints", js_on_load=None, apply_default_css=False)
            with words(gr.Tab, {"label": "page.pages.log"}, id="log"):
                self.panel.put_log()
            with words(gr.Tab, {"label": "page.pages.files"}, id="files"):
                self.files = gr.HTML("", elem_id="run-files", js_on_load=None, apply_default_css=False)

    @property
    def pages(self) -> list[Any]:
        """What belongs to the opened run beside its panel."""
        return [self.side, self.summary, self.settings, self.checkpoints, self.files, self.duplicate, self.tabs]

    @property
    def outputs(self) -> list[Any]:
        """What `refresh` updates, in its order."""
        return [self.table, self.listed, *self.panel.outputs, *self.pages]

    def refresh(self, lang: str, query: str, sort: str, opened: str, listed: str, seen: Any) -> list[Any]:
        """The list and the opened run; what has not changed is skipped."""
        lines = self.desk.store.summaries()
        table = run_pages.table(lines, query, sort, opened, lang)
        fresh = [gr.skip(), gr.skip()] if table == listed else [table, str(table)]
        return [*fresh, *self._opened(lang, opened, seen)]

    def connect(self, page: Any) -> None:
        """Which event calls which handler."""
        self.table.select(_picked, [self.opened, self.sort], [self.opened, self.sort], **_QUIET).then(
            *self.refreshed(page), **_QUIET
        )
        self.search.change(*self.refreshed(page), trigger_mode="always_last", **_QUIET)
        self.opened.change(None, [self.opened], None, js="run => window.studio && studio.opened(run)", **_QUIET)
        outputs = [*self.panel.outputs, self.panel.said]
        self.panel.stop.click(self.ask_stop, [page.lang, self.opened], outputs, **_QUIET)
        self.panel.resume.click(self.resume, [page.lang, self.opened], outputs, **_QUIET)
        rename = gr.on(
            [self.rename.click, self.name.submit],
            self.renamed,
            [page.lang, self.opened, self.name],
            [self.opened, self.panel.said, self.name],
            **_QUIET,
        )
        removed = self.remove.click(
            self.removed, [page.lang, self.opened], [self.opened, self.panel.said, self.undo], **_QUIET
        )
        undone = self.undo.select(self._undone, [page.lang], [self.opened, self.undo], **_QUIET)
        closed = self.close.click(lambda: "", None, [self.opened], **_QUIET)
        for event in (rename, removed, undone, closed):
            event.then(*self.refreshed(page), **_QUIET)
        further = self.panel.further.click(page.train.further, [self.opened], self.form.inputs, **_QUIET)
        page.look_after(further).then(lambda: gr.Tabs(selected="train"), None, [page.tabs], **_QUIET)
        self.others = dict(page.others)
        places = [tab.place for tab in self.others.values()]
        filled = self.duplicate.click(self.duplicated, [self.opened, *places], [*self.form.inputs, *places], **_QUIET)
        page.look_after(filled).then(self.tab_of, [self.opened], [page.tabs, page.tab], **_QUIET)

    def refreshed(self, page: Any) -> tuple[Any, list[Any], list[Any]]:
        """The handler of a look at the list, with its inputs and outputs."""
        held = [page.lang, self.search, self.sort, self.opened, self.listed, self.panel.seen]
        return self.refresh, held, self.outputs

    def _undone(self, lang: str, event: gr.EventData) -> list[Any]:
        return self.restored(lang, (event._data or {}).get("undo", ""))

    def _opened(self, lang: str, name: str, seen: Any) -> list[Any]:
        glimpse = self.desk.look(name)
        panel = self.panel.show(glimpse, lang, seen)
        if glimpse is None:
            return [*panel, gr.update(visible=False), *[gr.skip()] * (len(self.pages) - 1)]
        if seen is not None and panel[-1] == gr.skip():
            return [*panel, *[gr.skip()] * len(self.pages)]
        line = next((line for line in self.desk.store.summaries() if line.name == name), None)
        folder = self.desk.store.find(name)
        return [
            *panel,
            gr.update(visible=True),
            run_pages.summary(line, glimpse, folder, lang, self._exports(glimpse)),
            run_pages.settings(folder, lang),
            run_pages.checkpoint_list(folder, lang),
            run_pages.files(folder, lang),
            *self._of_kind(glimpse, seen),
        ]

    def _exports(self, glimpse: Glimpse) -> list[Exported]:
        """What was exported of a training."""
        return shelf.of_run(glimpse.name, self.desk.workspace, self.desk.store) if works.learns(glimpse) else []

    def _of_kind(self, glimpse: Glimpse, seen: Any) -> list[Any]:
        """Whether its settings can stand in a form; no page stays in sight that only a training has (see page.css)."""
        learns = works.learns(glimpse)
        is_news = seen is None or seen[0] != glimpse.name
        first = gr.Tabs(selected="summary") if is_news and not learns else gr.skip()
        can_be_set = learns or works.verb(glimpse.stage) in self.others
        return [gr.update(visible=can_be_set), first]

    def resume(self, lang: str, opened: str) -> list[Any]:
        """Go on with the opened run."""
        return acted(self.desk, self.panel, lang, opened, lambda folder: self.desk.resume(folder, lang))

    def ask_stop(self, lang: str, opened: str) -> list[Any]:
        """Ask the opened run to stop, harder each time."""
        return acted(self.desk, self.panel, lang, opened, stopping.ask)

    def renamed(self, lang: str, opened: str, new: str) -> list[Any]:
        """(opened, what went wrong, the name field) after a rename."""
        try:
            return [self.desk.store.rename(opened, new).name, Html(""), ""]
        except StudioError as error:
            return [gr.skip(), _problem(error, lang), gr.skip()]

    def removed(self, lang: str, opened: str) -> list[Any]:
        """(opened, what went wrong, the undo bar) after a run went into the bin."""
        try:
            return ["", Html(""), run_pages.undo(self.desk.store.remove(opened), lang)]
        except StudioError as error:
            return [gr.skip(), _problem(error, lang), gr.skip()]

    def restored(self, lang: str, key: str) -> list[Any]:
        """(opened, the undo bar) after a run came back out of the bin."""
        try:
            return [self.desk.store.restore(key).name, Html("")]
        except StudioError as error:
            return [gr.skip(), _problem(error, lang)]

    def duplicated(self, opened: str, *places: Any) -> list[Any]:
        """(the form, the place in each other tab) with the opened run's settings, without its name."""
        verb = self.tab_of(opened)[1]
        if verb not in self.others:
            return [*self.form.fill({**self.desk.settings(opened), "output_dir": None}), *[gr.skip()] * len(places)]
        filled = [tab.again(opened, place) if name == verb else gr.skip()
                  for (name, tab), place in zip(self.others.items(), places, strict=True)]
        return [*[gr.skip()] * len(self.form.inputs), *filled]

    def tab_of(self, opened: str) -> list[Any]:
        """(the tabs, the tab) in which a run like the opened one is set up."""
        glimpse = self.desk.look(opened)
        verb = works.verb(glimpse.stage) if glimpse is not None else works.TRAIN
        tab = verb if verb in self.others else works.TRAIN
        return [gr.Tabs(selected=tab), tab]


def _problem(error: StudioError, lang: str) -> Html:
    return tag("p", of_error(lang, error), class_="problem", role="alert")


def _picked(opened: str, sort: str, event: gr.EventData) -> list[Any]:
    """(opened, sort) after a press on a row or on a column's head."""
    said = event._data or {}
    return [said.get("run") or opened, sorted_by(said["sort"], sort) if said.get("sort") else sort]


def sorted_by(column: str, now: str) -> str:
    """The next order when a column's head is pressed: descending first, then ascending."""
    return column if now == f"-{column}" else f"-{column}"
