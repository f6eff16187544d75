"""What a draft is told while the form is being filled."""

from __future__ import annotations

import json
import shutil

import pytest

from studio.ui.desk import Desk
from studio.ui.draft import judge
from studio.workspace import Workspace


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_model_without_a_chat_template_is_told_at_once_with_the_one_that_suits_it(
    lang: str, workspace: Workspace
) -> None:
    folder = workspace.models / "qwen2.5-tiny"
    if not folder.exists():
        shutil.copytree(workspace.starter, folder)
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        settings.pop("chat_template", None)
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "chat_template.jinja").unlink(missing_ok=True)
    wrong = dict(judge({"model_name_or_path": "qwen2.5-tiny"}, lang, Desk(workspace)).wrong)
    assert list(wrong) == ["template"] and "qwen" in wrong["template"].rpartition("qwen2.5-tiny")[2]
    assert not judge({"model_name_or_path": "qwen2.5-tiny", "template": "qwen"}, lang, Desk(workspace)).wrong
    assert not judge({}, lang, Desk(workspace)).wrong
