"""The page put together: top bar, tabs, and which event calls which handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from studio.specs import works
from studio.specs.train import ARGUMENTS
from studio.texts import say
from studio.ui import figure
from studio.ui.desk import Desk
from studio.ui.first_page import ASSETS
from studio.ui.form import Form, read
from studio.ui.localize import Words
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.chat.tab import ChatTab
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.tab import DataTab
from studio.ui.tabs.evaluate.place import Place as Evaluations
from studio.ui.tabs.evaluate.tab import EvaluateTab
from studio.ui.tabs.export.place import Place as Exports
from studio.ui.tabs.export.tab import ExportTab
from studio.ui.tabs.runs import RunsTab
from studio.ui.tabs.train import TrainTab, pulse
from studio.workspace import Workspace

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_TABS = ("train", "data", "runs", "chat", "evaluate", "export")

# The page's script calls `studio.go({tab, run})` for links, for back and forward, and says when the page is hidden.
_BRIDGE = """
if (window.studio) {
  studio.go = place => trigger('select', place);
  studio.hide = hidden => trigger(hidden ? 'blur' : 'focus');
}
"""


class Page:
    """Everything that the served page needs to know of its parts."""

    def __init__(self, workspace: Workspace, lang: str = "en") -> None:
        self.desk = Desk(workspace)
        self.words = Words(lang)
        self.form = Form(self.words)
        with gr.Blocks(title=say(lang, "page.title"), analytics_enabled=False, fill_width=True) as self.blocks:
            self._put_bar()
            with gr.Tabs(elem_id="tabs", selected="train") as self.tabs:
                with self.words(
                    gr.Tab, {"label": "page.tabs.train"}, id="train", elem_id="tab-train"
                ) as self.train_tab:
                    self.train = TrainTab(self.desk, self.words, self.form)
                with self.words(gr.Tab, {"label": "page.tabs.data"}, id="data", elem_id="tab-data") as self.data_tab:
                    self.data = DataTab(self.desk, self.words, self.form)
                with self.words(gr.Tab, {"label": "page.tabs.runs"}, id="runs", elem_id="tab-runs") as self.runs_tab:
                    self.runs = RunsTab(self.desk, self.words, self.form)
                with self.words(gr.Tab, {"label": "page.tabs.chat"}, id="chat", elem_id="tab-chat") as self.chat_tab:
                    self.chat = ChatTab(self.desk, self.words, self.form)
                with self.words(
                    gr.Tab, {"label": "page.tabs.evaluate"}, id="evaluate", elem_id="tab-evaluate"
                ) as self.evaluate_tab:
                    self.evaluate = EvaluateTab(self.desk, self.words, self.form)
                with self.words(
                    gr.Tab, {"label": "page.tabs.export"}, id="export", elem_id="tab-export"
                ) as self.export_tab:
                    self.export = ExportTab(self.desk, self.words, self.form)
            # Where the settings of a run that is no training can stand, by its verb.
            self.others: dict[str, Any] = {works.EVALUATE: self.evaluate, works.EXPORT: self.export}
            self._put_hidden()
            self._connect()

    def _put_bar(self) -> None:
        words, form = self.words, self.form
        with gr.Row(elem_id="bar"):
            words(gr.HTML, {"value": _brand}, elem_id="brand", js_on_load=None, apply_default_css=False)
            form.add("model_name_or_path", offered=self.desk.models)
            form.add("finetuning_type")
            form.add("adapter_name_or_path", offered=self.desk.adapters)
            self.pulse = words.first(
                gr.HTML,
                {"value": lambda lang: pulse(self.desk, lang)},
                elem_id="pulse",
                js_on_load=None,
                apply_default_css=False,
            )
            self.lang = gr.Radio(
                [("中文", "zh"), ("EN", "en")],
                value=words.lang,
                show_label=False,
                container=False,
                elem_id="lang",
                label="中文 | EN",
                min_width=110,
            )
            words(gr.HTML, {"value": _theme_button}, elem_id="theme", js_on_load=None, apply_default_css=False)

    def _put_hidden(self) -> None:
        self.bridge = gr.HTML("", elem_id="bridge", visible="hidden", js_on_load=_BRIDGE)
        figure.loader()
        self.route = gr.Textbox("", visible=False)
        self.tab = gr.Textbox("train", visible=False)
        self.beat = gr.State("")
        self.kept = gr.BrowserState({}, storage_key="studio-draft", secret="studio-draft")
        self.spoken = gr.BrowserState("", storage_key="studio-lang", secret="studio-lang")
        self.clock = gr.Timer(1.0)

    def _connect(self) -> None:
        self._connect_words()
        self._connect_form()
        self._connect_live()
        self.runs.connect(self)
        self._connect_routes()
        self.data.connect(self)
        self.chat.connect(self)
        self.evaluate.connect(self)
        self.export.connect(self)

    # -- words

    def _connect_words(self) -> None:
        self.relabelled = self.lang.input(
            self._relabel,
            [self.lang],
            [*self.words.components, self.spoken],
            **_QUIET,
            js="lang => (window.studio && studio.speak(lang), [lang])",
        )
        self.look_after(self.relabelled)
        self.relabelled.then(self._redraw, *self._all_live, **_QUIET)

    def _relabel(self, lang: str) -> list[Any]:
        return [*self.words.again(lang), lang]

    # -- the form

    def _connect_form(self) -> None:
        train, form = self.train, self.form
        edited = gr.on(
            [field.change for field in form.inputs],
            self._edited,
            [self.lang, *form.inputs],
            [*train.judged, self.kept],
            trigger_mode="always_last",
            **_QUIET,
        )
        del edited
        kinds = [form.widgets["stage"], form.widgets["finetuning_type"]]
        gr.on([kind.change for kind in kinds], form.visible, kinds, [row for row, _ in form.scopes], **_QUIET)
        train.search.change(
            form.search,
            [train.search, *kinds],
            [train.found, *form.groups.values()],
            trigger_mode="always_last",
            **_QUIET,
        )
        loaded = [*form.inputs, *train.judged, self.kept]
        train.load.upload(train.read_yaml, [self.lang, train.load], loaded, **_QUIET)
        self.look_after(train.reset.click(lambda: form.fill({}), None, form.inputs, **_QUIET))
        begun = train.start.click(
            train.begin,
            [self.lang, *form.inputs],
            [*train.judged, train.shown],
            **_QUIET,
            js="(...held) => (window.studio && studio.busy('start'), held)",
        )
        begun.then(None, None, None, js="() => window.studio && studio.busy('')", **_QUIET)
        shown = begun.success(
            train.tick, [self.lang, train.shown, train.panel.seen], [*train.panel.outputs, train.shown], **_QUIET
        )
        shown.then(None, [train.shown], None, js="run => window.studio && studio.started(run)", **_QUIET)
        further = gr.on([train.panel.further.click], train.further, [train.shown], form.inputs, **_QUIET)
        self.look_after(further)
        further.then(None, None, None, js="() => window.studio && studio.to('arg-model_name_or_path')", **_QUIET)

    def look_after(self, event: Any) -> Any:
        """Chain a look at the form behind an event that has filled it."""
        return event.then(self._edited, [self.lang, *self.form.inputs], [*self.train.judged, self.kept], **_QUIET)

    def _edited(self, lang: str, *values: Any) -> list[Any]:
        return [*self.train.look(lang, *values), read(values)]

    # -- the live panel

    @property
    def _all_live(self) -> tuple[list[Any], list[Any]]:
        """Inputs and outputs of a redraw of everything that shows runs."""
        runs, train = self.runs, self.train
        return (
            [self.lang, train.shown, runs.search, runs.sort, runs.opened],
            [*train.panel.outputs, self.pulse, *runs.outputs],
        )

    def _redraw(self, lang: str, shown: str, query: str, sort: str, opened: str) -> list[Any]:
        panel = self.train.panel.show(self.desk.look(shown), lang)
        return [*panel, pulse(self.desk, lang), *self.runs.refresh(lang, query, sort, opened, "", None)]

    def _connect_live(self) -> None:
        train, runs = self.train, self.runs
        self.clock.tick(
            self._beat,
            [
                self.lang,
                self.tab,
                train.shown,
                train.panel.seen,
                runs.search,
                runs.sort,
                runs.opened,
                runs.listed,
                runs.panel.seen,
                self.beat,
            ],
            [*train.panel.outputs, train.shown, *runs.outputs, self.pulse, self.beat, self.clock],
            **_QUIET,
        )
        outputs = [*train.panel.outputs, train.panel.said]
        train.panel.stop.click(train.ask_stop, [self.lang, train.shown], outputs, **_QUIET)
        train.panel.resume.click(train.resume, [self.lang, train.shown], outputs, **_QUIET)

    def _beat(
        self,
        lang: str,
        tab: str,
        shown: str,
        seen: Any,
        query: str,
        sort: str,
        opened: str,
        listed: str,
        run_seen: Any,
        beat: str,
    ) -> list[Any]:
        """One tick: the tab in sight and the top bar; skips for all that has no news."""
        train, runs = self.train, self.runs
        live = train.tick(lang, shown, seen) if tab == "train" else [gr.skip()] * (len(train.panel.outputs) + 1)
        list_ = (
            runs.refresh(lang, query, sort, opened, listed, run_seen)
            if tab == "runs"
            else [gr.skip()] * len(runs.outputs)
        )
        now = pulse(self.desk, lang)
        fresh = [gr.skip(), gr.skip(), gr.skip()] if now == beat else [now, str(now), gr.update(value=_pace(now))]
        return [*live, *list_, *fresh]

    # -- addresses, back and forward, hidden pages

    def _connect_routes(self) -> None:
        runs, train = self.runs, self.train
        tabs = {
            "train": self.train_tab,
            "data": self.data_tab,
            "runs": self.runs_tab,
            "chat": self.chat_tab,
            "evaluate": self.evaluate_tab,
            "export": self.export_tab,
        }
        for name, tab in tabs.items():
            selected = tab.select(
                lambda name=name: name,
                None,
                [self.tab],
                **_QUIET,
                js=f"() => {{ window.studio && studio.selected('{name}'); return []; }}",
            )
            if name == "runs":
                selected.then(*runs.refreshed(self), **_QUIET)
        stood = [train.shown, runs.opened, self.data.place, self.chat.place, self.evaluate.place, self.export.place]
        place = [self.tabs, self.tab, *stood]
        self.gone = self.bridge.select(self._go, stood, place, **_QUIET)
        self.gone.then(self._redraw, *self._all_live, **_QUIET)
        self.bridge.blur(None, None, [self.clock], js="() => ({__type__: 'update', active: false})", **_QUIET)
        self.bridge.focus(None, None, [self.clock], js="() => ({__type__: 'update', active: true})", **_QUIET)
        self.loaded = self.blocks.load(
            self._arrive,
            [self.route, self.kept],
            [*place, *self.form.inputs],
            **_QUIET,
            js="(route, kept) => [window.studio ? studio.first : location.search, kept]",
        )
        self.look_after(self.loaded)
        drawn = self.loaded.then(self._redraw, *self._all_live, **_QUIET)
        drawn.then(None, None, None, js="() => window.studio && studio.arrived()", **_QUIET)

    def _go(
        self,
        shown: str,
        opened: str,
        stood: Place,
        talks: Talks,
        scored: Evaluations,
        taken: Exports,
        event: gr.EventData,
    ) -> list[Any]:
        return self._place(event._data or {}, shown, opened, stood, talks, scored, taken)

    def _place(
        self,
        asked: Mapping[str, str],
        shown: str,
        opened: str,
        stood: Place,
        talks: Talks,
        scored: Evaluations,
        taken: Exports,
    ) -> list[Any]:
        """(tabs, tab, run shown live, run opened, place in Data, Chat, Evaluate and Export) for an address."""
        tab, run = asked.get("tab", ""), asked.get("run", "")
        tab = tab if tab in _TABS else "runs" if run else "train"
        if tab == "data":
            stood = stood.to(asked.get("set", ""), asked.get("part", ""))
        elif tab == "chat":
            talks = talks.to(asked.get("chat", ""), run, asked.get("part", ""))
        elif tab == "evaluate":
            scored = self.evaluate.about(run, scored) if run else scored.open("")
        elif tab == "export":
            taken = self.export.about(run, taken) if run else taken.open("")
        elif tab == "train":
            shown = run or shown
        else:
            opened = run
        return [gr.Tabs(selected=tab), tab, shown, opened, stood, talks, scored, taken]

    def _arrive(self, route: str, kept: Any) -> list[Any]:
        """The place that the address names, and the form as this person left it."""
        asked = {name: found[0] for name, found in parse_qs((route or "").lstrip("?")).items()}
        place = self._place(asked, self.desk.learning(), "", Place(), Talks(), Evaluations(), Exports())
        draft = {name: value for name, value in kept.items() if name in ARGUMENTS} if isinstance(kept, dict) else {}
        fields = self.form.fill(draft) if draft else [gr.skip()] * len(self.form.inputs)
        return [*place, *fields]


_MARK = Html((ASSETS / "mark.svg").read_text(encoding="utf-8"))


def _pace(pulsed: str) -> float:
    """Seconds between two ticks: a run at work is watched closely, an idle studio now and then."""
    return 1.0 if "data-run" in pulsed else 3.0


def _brand(lang: str) -> Html:
    return tag("a", _MARK, tag("strong", say(lang, "page.title")), href="?tab=train", class_="brand")


def _theme_button(lang: str) -> Html:
    name = say(lang, "page.bar.theme")
    return tag(
        "button",
        tag("i", aria_hidden="true"),
        type="button",
        class_="theme",
        data_theme_switch=True,
        title=name,
        aria_label=name,
    )
