"""Code that a model wrote runs only when asked, and reaches nothing: no network, no file, no process, no end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.errors import InputError
from studio.plugins import plugin
from studio.plugins.metrics import Row, _sandbox, _sandboxed
from studio.texts import say
from studio.texts.errors import of_error

code_runs = plugin("metrics", "code_runs")
ASKED = Row(options={"code_runs_allowed": True, "code_runs_seconds": 3.0, "code_runs_memory_mb": 512})
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the sandbox needs the limits of a POSIX system")


def altered(monkeypatch: pytest.MonkeyPatch, folder: Path, part: str, instead: str) -> None:
    """Let the sandbox's inside be one with a part exchanged."""
    text = Path(_sandboxed.__file__).read_text(encoding="utf-8")
    assert part in text
    (folder / "inside.py").write_text(text.replace(part, instead), encoding="utf-8")
    monkeypatch.setattr(_sandboxed, "__file__", str(folder / "inside.py"))


def hook_alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(_sandbox, "_unshare", tuple)
    altered(monkeypatch, folder, "syscall(CREATE,", "syscall(-1,")


def kernel_alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    if not (_sandbox._unshare() and _sandboxed.landlock_version()):
        pytest.skip("this kernel offers no namespaces or no Landlock")
    altered(monkeypatch, folder, "    sys.addaudithook(watcher(folder, readable))\n", "")


def everything(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """All that the machine has."""


@pytest.fixture(params=[everything, hook_alone, kernel_alone])
def layers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every attempt is made with all layers, with the audit hook alone and with the kernel alone."""
    request.param(monkeypatch, tmp_path)


def score(answer: str, reference: str = "") -> float | None:
    return code_runs.score(answer, reference, ASKED)


def test_nothing_runs_unless_it_was_asked_for(tmp_path: Path) -> None:
    assert code_runs.score(f"open({str(tmp_path / 'ran')!r}, 'w')", "", Row()) is None
    assert not (tmp_path / "ran").exists()
    with pytest.raises(InputError) as raised:
        code_runs.check({})
    assert "code_runs_allowed" in of_error("en", raised.value)
    code_runs.check({"code_runs_allowed": True})


@pytest.mark.parametrize(("answer", "reference", "right"), [
    ("print(1)", "", 1), ("", "", 0), ("no Python", "", 0), ("1/0", "", 0), ("import sys; sys.exit(3)", "", 0),
    ("Here:\n```python\ndef f(x):\n    return x + 1\n```\nDone.", "assert f(1) == 2", 1),
    ("def f(x): return x", "assert f(1) == 2", 0), ("import os; os._exit(0)", "assert False", 0),
    ("import sys; sys.exit(0)", "assert False", 0), ("def f(): return f()\nf()", "", 0), ("\x00", "", 0),
    ("\ud800", "", 0),
    ("import json, re, random, datetime, threading, tempfile; tempfile.TemporaryFile()", "", 1),
    ("with open('a', 'w') as f: f.write('x')\nassert open('a').read() == 'x'", "", 1),
])
def test_code_is_right_when_it_runs_to_its_end_and_the_assertions_hold(answer: str, reference: str, right: int) -> None:
    assert score(answer, reference) == right


def test_there_is_no_network(layers: None, listening: tuple[int, list[object]]) -> None:
    port, came = listening
    assert score(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)") == 0
    assert score(f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}', timeout=2)") == 0
    assert score("import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))") == 0
    time.sleep(0.3)
    assert not came


def test_files_of_others_can_neither_be_read_nor_changed(layers: None, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("mine", encoding="utf-8")
    names = f"import os, pathlib, shutil; mine = {str(secret)!r}; folder = {str(tmp_path)!r}; "
    for attempt in ("open(mine).read()", "open(mine, 'a')", "os.remove(mine)", "os.rename(mine, 'a')",
    "os.listdir(folder)",
                    "shutil.rmtree(folder)", "os.symlink(mine, 'link'); open('link').read()",
                    "open(folder + '/new', 'w')",
                    "pathlib.Path(folder, 'new').mkdir()", "shutil.copy(mine, 'a')", "os.truncate(mine, 0)"):
        assert score(names + attempt) == 0, attempt
    assert score(names + "assert mine and folder") == 1
    assert secret.read_text(encoding="utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} <= {"secret.txt", "inside.py"}


@pytest.mark.parametrize("attempt", [
    "import os; os.fork()", "import subprocess; subprocess.run(['true'])", "import os; os.system('true') and 1/0",
    "import os; os.execv('/bin/true', ['true'])", "import os; os.kill(THIS_PROCESS, 0)",
    "import multiprocessing as m; m.Process(target=print).start()", "import ctypes; ctypes.CDLL(None).getpid()",
])
@pytest.mark.parametrize("layer", [everything, hook_alone])
def test_no_other_process_is_begun_or_reached(layer: Callable[[pytest.MonkeyPatch, Path], None], attempt: str,
                                              monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    layer(monkeypatch, tmp_path)
    assert score(attempt.replace("THIS_PROCESS", str(os.getpid()))) == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("endless", ["while True: pass", "import time; time.sleep(99)", "x = 'a' * 10**10",
                                     "import os\nwhile True: os.write(3, b'x' * 10000)",
                                     "[[] for _ in iter(int, 1)]"])
def test_what_never_ends_or_never_has_enough_is_ended(endless: str) -> None:
    assert code_runs.score(endless, "", Row(options={**ASKED.options, "code_runs_seconds": 0.7})) == 0


def test_the_code_sees_nothing_of_the_environment(layers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    assert score("import os; assert 'SOME_TOKEN' not in os.environ and os.listdir('.') == []") == 1


def test_what_keeps_the_code_apart_is_said() -> None:
    found = code_runs.isolation()
    said = [say("en", f"metrics.code_runs.{layer}_{getattr(found, layer)}") for layer in ("network", "files")]
    assert code_runs.isolated("en") == " ".join(said)
