"""What the progress line makes of pip's output."""

from __future__ import annotations

import sys
import time

import pytest

from studio.prepare.command import run_logged
from studio.prepare.progress import Progress, Step, columns, cut, pip_step

OUTPUT = """\
Looking in links: /wheels
Collecting torch==2.13.0 (from -r requirements.txt (line 70))
  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (190.5 MB)
"""
WRITING = "Installing collected packages: jieba, typing-extensions, Torch.Thing, gradio\n"


@pytest.mark.parametrize(
    ("output", "step"),
    [
        ("", Step("asking")),
        ("Collecting gradio_client==2.7.2\n", Step("resolving", "gradio_client")),
        (OUTPUT, Step("downloading", "torch", size="190.5 MB")),
        (OUTPUT + "Building wheels for collected packages: jieba\n", Step("building", "jieba")),
        (OUTPUT + WRITING, Step("installing", "Torch.Thing", done=3, total=4)),
    ],
)
def test_a_step_is_read_off_pips_output(output: str, step: Step) -> None:
    assert pip_step(output, {"jieba", "typing_extensions"}, "asking") == step


def test_the_last_package_is_not_counted_beyond_the_total() -> None:
    everything = {"jieba", "typing_extensions", "torch_thing", "gradio"}
    assert pip_step(WRITING, everything, "asking") == Step("installing", "gradio", done=4, total=4)


def test_a_line_is_cut_by_columns_and_a_chinese_letter_has_two() -> None:
    assert columns("正在 ab") == 7
    assert cut("正在下载 torch", 9) == "正在下载…"
    assert cut("short", 5) == "short"


def test_plain_lines_come_once_a_step_and_not_for_every_package(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(lambda key, **values: f"{key} {values['package']}")
    for name in ("a", "b", "c"):
        progress.show(Step("resolving", name))
    progress.show(Step("installing", "a"))
    progress.end()
    assert capsys.readouterr().err == "resolving a\ninstalling a\n"


def test_a_silent_program_is_ended(tmp_path: object) -> None:
    began = time.monotonic()
    code = "print('alive', flush=True); import time; time.sleep(60)"
    heard: list[str] = []
    ended = run_logged([sys.executable, "-c", code], f"{tmp_path}/log", heard.append, silence_seconds=1)
    assert ended != 0 and time.monotonic() - began < 20
    assert "alive" in heard[-1]
