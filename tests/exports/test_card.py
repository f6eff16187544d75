"""The model card: true to the files of the run, silent about what they do not say, fit for the hubs."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from studio.data import model as models
from studio.errors import WorkError
from studio.exports import card
from studio.specs import train
from tests.exports.a_tuned_run import STEPS, Lab, long_ago

BOTH = ("README.md", "README_zh.md")
LICENCES = ("unknown", "other", "mit", "apache-2.0")  # of those that the hub takes


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "home-of-somebody")


def texts(folder: Path) -> tuple[str, str]:
    english, chinese = ((folder / name).read_text(encoding="utf-8") for name in BOTH)
    return english, chinese


def head(folder: Path) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", texts(folder)[0], re.S)
    assert found
    values = yaml.safe_load(found[1])
    assert isinstance(values, dict)
    return values


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.M)


def test_both_languages_have_the_same_parts_and_figures(lab: Lab) -> None:
    lab.evaluated("scored", "tuned", 90, with_guard=True)
    english, chinese = texts(lab.card("tuned"))
    assert headings(english) == ["How to run it", "How it was made", "Data", "Settings", "Loss while learning",
                                 "Scores", "What was forgotten", "Acceptance", "Licence"]
    assert len(headings(chinese)) == len(headings(english))
    assert re.findall(r"\(README\w*\.md\)", english + chinese) == ["(README_zh.md)", "(README.md)"]
    digits = [sorted(set(re.findall(r"\d+\.\d+", text.partition("## ")[2]))) for text in (english, chinese)]
    assert digits[0] == digits[1]


def test_the_card_tells_what_the_run_wrote_down(lab: Lab) -> None:
    english, chinese = texts(lab.card("tuned"))
    for text in ("**starter**", "LoRA", "arithmetic#300", "`abababababababab`", "| 285 | 15 |", "`0.002`",
                 "`" + "cd" * 16 + "`", "step 40 of 40, the best by evaluation", "`apache-2.0`", "How it was made"):
        assert text in english
    assert "第 40 步（共 40 步），评估结果最好" in chinese
    changed, _, recipe = english.partition("```yaml\n")
    assert "`lora_rank`" in changed and "`warmup_ratio`" not in changed
    found = train.check(yaml.safe_load(recipe.partition("```")[0]))
    assert (found.lora_rank, found.learning_rate, found.dataset) == (4, 0.002, ["arithmetic#300"])


def test_the_step_that_is_exported_is_the_one_that_is_told(lab: Lab) -> None:
    english = texts(lab.card("tuned/step-20"))[0]
    assert "step 20 of 40 |" in english and "the best" not in english.partition("## Settings")[0]
    assert "| Evaluation loss there | 0.1500 |" in english


def test_the_head_is_one_that_the_hub_reads(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import ModelCard

    found = ModelCard.load(lab.card("tuned") / "README.md")
    assert found.data.license in LICENCES
    assert found.data.pipeline_tag == "text-generation"
    assert found.data.library_name == "transformers"
    assert found.data.base_model is None, "the starter is on no hub"
    assert {"sft", "lora", "merged"} <= set(found.data.tags)
    assert yaml.safe_load(found.data.to_yaml()) == head(lab.workspace.saves / "exported" / "aside")


def test_a_base_of_the_hub_is_named_as_the_hub_names_it(lab: Lab) -> None:
    import shutil

    from huggingface_hub.utils import validate_repo_id

    there = models.download_folder("Some-Org/Small-1.0", lab.workspace)
    shutil.copytree(lab.workspace.starter, there)
    (there / "README.md").write_text("---\nlicense: mit\n---\n# Small\n")
    spec = lab.run.spec.read_text().replace("model_name_or_path: starter", "model_name_or_path: Some-Org/Small-1.0")
    lab.run.spec.write_text(spec)
    folder = lab.card("tuned")
    assert head(folder)["base_model"] == "Some-Org/Small-1.0"
    validate_repo_id(head(folder)["base_model"])
    assert head(folder)["base_model_relation"] == "finetune"
    assert "`mit`" in texts(folder)[0]


def test_what_an_archive_holds_is_what_is_tagged_and_named(lab: Lab) -> None:
    folder = lab.card("tuned", export_to="zip", zip_form="adapter")
    assert "adapter" in head(folder)["tags"] and "zip" not in head(folder)["tags"]
    assert head(folder)["library_name"] == "peft"
    english = texts(folder)[0]
    assert "*Zip archive · Adapter*" in english and "unzip tuned-step-40-adapter.zip" in english
    assert "PeftModel.from_pretrained" in english


def test_nothing_of_this_machine_stands_in_a_card(lab: Lab) -> None:
    text = lab.run.spec.read_text().replace("dataset_dir: null", f"dataset_dir: {lab.workspace.root}/data")
    lab.run.spec.write_text(text.replace("- arithmetic#300", f"- {lab.workspace.root}/my/rows.json"))
    lab.evaluated("scored", "tuned", 90)
    folder = lab.card("tuned")
    found = [path.name for path in folder.iterdir() if "home-of-somebody" in path.read_text(encoding="utf-8")]
    assert not found
    assert "rows.json" in texts(folder)[0]
    plain = texts(lab.card(str(_copied(lab))))[0]
    assert "home-of-somebody" not in plain and "# mine" in plain


def _copied(lab: Lab) -> Path:
    import shutil

    folder = lab.workspace.root / "elsewhere" / "mine"
    shutil.copytree(lab.workspace.starter, folder, ignore=shutil.ignore_patterns("README.md"))
    return folder


def test_scores_stand_beside_those_of_the_base_with_their_intervals(lab: Lab) -> None:
    lab.evaluated("scored", "tuned", 90, dataset="arithmetic_heldout")
    english, chinese = texts(lab.card("tuned"))
    row = next(line for line in english.splitlines() if line.startswith("| Exact match |"))
    assert re.fullmatch(r"\| Exact match \| 2 % \(1 – 7\) \| 75 % \(67 – 82\) \| 72 points \(\d+ – \d+\) "
                        r"\| more than chance \|", row), row
    assert "`arithmetic_heldout`, 120 rows" in english and "`arithmetic_heldout`，120 行" in chinese


def test_scores_of_another_checkpoint_are_not_those_of_this_one(lab: Lab) -> None:
    lab.evaluated("of-the-other", "tuned/step-20", 90)
    long_ago(lab.evaluated("of-before", "tuned", 90))
    english = texts(lab.card("tuned"))[0]
    assert "Nobody has scored this checkpoint" in english and "75 %" not in english
    lab.evaluated("of-the-result", "tuned", 60)
    of_step = texts(lab.card("tuned/step-20"))[0]
    assert "75 %" in of_step and "50 %" not in of_step
    assert "50 %" in texts(lab.card("tuned"))[0]


def test_what_was_not_measured_is_said_to_be_unknown(lab: Lab) -> None:
    lab.run.data.unlink()
    english, chinese = texts(lab.card("tuned"))
    assert "Not measured" in english and "没有测过" in chinese
    assert "kept no fingerprint of its own" in english and "285" not in english


def test_forgetting_is_told_area_by_area(lab: Lab) -> None:
    lab.evaluated("guarded", "tuned", 90, with_guard=True)
    english, chinese = texts(lab.card("tuned"))
    assert re.search(r"lost \d+ points in (English|Chinese) sums", english)
    assert re.search(r"\| English sums \| 100 % \([\d ]+– 100\) \| 0 % \(0 – \d+\) \|", english)
    assert "英文算术" in chinese or "算术" in chinese


def test_the_terms_that_came_with_the_base_are_named(lab: Lab) -> None:
    aside = lab.workspace.saves / "exported" / "aside"
    before = texts(lab.card("tuned"))[0]
    lab.beside = {"LICENSE": "Terms.", "NOTICE.txt": "Named."}
    english, chinese = texts(lab.card("tuned"))
    assert "lies beside" not in before and (aside / "LICENSE").is_file()
    assert "`LICENSE`, `NOTICE.txt`" in english and "`LICENSE`、`NOTICE.txt`" in chinese


def test_a_plain_model_has_no_history(lab: Lab) -> None:
    english, chinese = texts(lab.card("starter"))
    assert headings(english) == ["How to run it", "How it was made", "Scores", "Acceptance", "Licence"]
    assert len(headings(chinese)) == 5
    assert not (lab.workspace.saves / "exported" / "aside" / "curves.svg").exists()


def test_a_model_that_was_tuned_whole_names_the_one_that_it_grew_from(lab: Lab) -> None:
    import shutil

    lab.run.spec.write_text(lab.run.spec.read_text().replace("finetuning_type: lora", "finetuning_type: full"))
    for step in STEPS:
        (lab.run.checkpoint(step) / "adapter_config.json").unlink()
        shutil.copytree(lab.workspace.starter, lab.run.checkpoint(step), dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("README.md"))
    folder = lab.card("tuned", export_to="full")
    english = texts(folder)[0]
    assert "**starter**, tuned on" in english and "| Base model | starter |" in english and "`apache-2.0`" in english
    assert {"sft", "full"} <= set(head(folder)["tags"])


def test_a_mix_of_adapters_claims_the_curves_of_none(lab: Lab) -> None:
    lab.evaluated("scored", "tuned", 90)
    english = texts(lab.card("starter", adapter_name_or_path=["tuned", "tuned/step-20"], adapter_weights=[1.0, 0.5]))[0]
    assert "Loss while learning" not in english and "75 %" not in english
    assert "| tuned/step-20 | LoRA | 0.5 |" in english


def test_the_picture_is_a_picture_that_calls_nothing(lab: Lab) -> None:
    folder = lab.card("tuned/step-20")
    for name, page in (("curves.svg", texts(folder)[0]), ("curves_zh.svg", texts(folder)[1])):
        assert f"]({name})" in page
        text = (folder / name).read_text(encoding="utf-8")
        drawn = ET.fromstring(text)
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert not re.findall(r"href|url\(|<script|<image", text)
        width, height = (float(part) for part in drawn.attrib["viewBox"].split()[2:])
        points = [tuple(map(float, pair.split(","))) for line in drawn.iter("{http://www.w3.org/2000/svg}polyline")
                  for pair in line.attrib["points"].split()]
        assert len(points) == 40 + 40 + len(STEPS)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    assert "step 20" in (folder / "curves.svg").read_text() and "第 20 步" in (folder / "curves_zh.svg").read_text()


@pytest.mark.parametrize("losses", [[1.0], [0.0, 0.0], [-3.0, 2.0], [1e-9, 1e9], [2.0] * 5000])
def test_any_curve_can_be_drawn(lab: Lab, losses: list[float]) -> None:
    rows = [json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in enumerate(losses, 1)]
    lab.run.log.write_text("".join(rows))
    text = (lab.card("tuned") / "curves.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert not re.findall(r"\b(nan|inf)\b", text)


def test_a_run_without_a_log_has_no_picture(lab: Lab) -> None:
    lab.run.log.unlink()
    folder = lab.card("tuned")
    assert "![" not in texts(folder)[0] and not (folder / "curves.svg").exists()


def test_the_verdict_stands_in_the_card_with_its_reasons(lab: Lab) -> None:
    lost = {"state": "failed", "ends": False, "chat": [],
            "reasons": [{"code": "end_lost", "value": ["<|im_end|>"], "rows": 3}]}
    english, chinese = texts(lab.card("tuned", lost))
    assert "**Failed:" in english and "does not stop the result" in english and "| no |" in english
    assert "| 否 |" in chinese
    unchecked = {"state": "unchecked", "token_agreement": None, "answer_agreement": None, "rows": 0, "from": None,
                 "max_logit_difference": None, "perplexity": {"source": None, "result": None}, "template": None,
                 "ends": None, "chat": [],
                 "reasons": [{"code": "runtime_missing", "runtime": "llama_cpp", "name": "x", "part": "y"}]}
    english = texts(lab.card("tuned", unchecked))[0]
    assert "**Not checked" in english and "Measure" not in english


def test_what_a_model_says_does_nothing_in_its_card(lab: Lab) -> None:
    hostile = "```\n# <script>alert(1)</script>\n![x](http://evil.example/x.png)"
    said = {"chat": [{"prompt": hostile, "reference": "", "source": "", "result": hostile}]}
    for text in texts(lab.card("tuned", said)):
        fence = re.search(r"^(`{4,})text\n.*?^\1$", text, re.M | re.S)
        assert fence and "<script>" in fence[0] and "<script>" not in text.replace(fence[0], "")


def test_names_of_data_cannot_leave_their_cell(lab: Lab) -> None:
    evil = "a|b](http://x)<img src=x>"
    lab.run.spec.write_text(lab.run.spec.read_text().replace("- arithmetic#300", f"- {json.dumps(evil)}"))
    for text in texts(lab.card("tuned")):
        text = re.sub(r"^(`{3,})yaml\n.*?^\1$", "", text, flags=re.M | re.S)
        assert "<img" not in text.replace(r"\<img", "")
        assert r"\|b" in text


def test_a_disk_that_refuses_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(card, "write_atomically", refuse)
    with pytest.raises(WorkError) as caught:
        lab.card("tuned")
    assert caught.value.code == "disk_refuses"


