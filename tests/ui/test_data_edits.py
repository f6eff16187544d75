"""Unsaved edits on the page whose file has changed under them."""

from __future__ import annotations

import json

from studio.data.versions import Versions
from studio.ui.page import Page
from studio.workspace import Workspace
from tests.ui.test_data import ROWS, Person


def test_edits_that_fit_their_file_no_more_are_said_and_can_be_discarded(page: Page, workspace: Workspace) -> None:
    workspace.data.mkdir(exist_ok=True)
    (workspace.data / "brought.json").write_text(json.dumps(ROWS), encoding="utf-8")
    person = Person(page)
    person.press("open", to="brought", part="rows")
    person.press("delete", to="3")
    assert Versions(workspace).draft("brought").edits.deleted == {3}
    (workspace.data / "brought.json").write_text(json.dumps(ROWS[:20]), encoding="utf-8")
    said = person.press("part", to="rows")
    assert "Question 5?" not in said and 'data-do="discard"' in said
    assert "Question 5?" in person.press("discard") and not Versions(workspace).draft("brought").edits
