"""What goes wrong has a stable code in failure.json, exit code 1, and costs no checkpoint."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.records import read_json
from studio.texts import has
from tests.engine.workbench import Studio, failure, losses, phase


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(studio: Studio, llama: str) -> None:
    folder = studio.run("run", model_name_or_path=llama, finetuning_type="full", learning_rate=10.0, max_grad_norm=0.0,
                        optim="sgd", num_train_epochs=50.0, save_steps=1, val_size=0)
    assert studio.engine(folder) == 1
    assert failure(folder) == "loss_not_finite" and phase(folder) == "failed"
    values = (read_json(folder.failure) or {})["values"]
    assert values["step"] >= 1 and values["last"] == (folder.complete_steps() or [0])[-1]
    assert all(loss == loss for loss in losses(folder).values()) if folder.log.exists() else True


def test_a_full_disk_while_saving_keeps_the_last_complete_checkpoint(studio: Studio, llama: str) -> None:
    folder = studio.run("run", model_name_or_path=llama, finetuning_type="full", save_steps=2, max_steps=6, val_size=0)
    size = sum(p.stat().st_size for p in Path(llama).glob("*.safetensors"))
    first = studio.run("first", model_name_or_path=llama, finetuning_type="full", max_steps=2, val_size=0)
    assert studio.engine(first) == 0
    shutil.copytree(first.checkpoint(2), folder.checkpoint(2))

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    program = ("import signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
               "from studio.engine.__main__ import main; sys.exit(main(sys.argv[1:]))")
    command = [sys.executable, "-c", program, "train", str(folder.path)]
    done = subprocess.run(command, env=studio.environment(), preexec_fn=limited, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    assert failure(folder) == "disk_full", done.stdout
    assert folder.complete_steps() == [2] and [p.name for p in folder.checkpoints.iterdir()] == ["step-2"]


BROKEN = {
    "model_missing": lambda path: shutil.rmtree(path),
    "model_empty": lambda path: [p.unlink() for p in path.iterdir()],
    "model_no_config": lambda path: (path / "config.json").unlink(),
    "model_no_weights": lambda path: (path / "model.safetensors").unlink(),
    "model_only_pickles": lambda path: (path / "model.safetensors").rename(path / "pytorch_model.bin"),
    "model_truncated": lambda path: (path / "model.safetensors").write_bytes(
        (path / "model.safetensors").read_bytes()[:-1000]),
    "model_architecture": lambda path: change(path, model_type="nonsense"),
    "model_remote_code": lambda path: change(path, model_type="chatglm", auto_map={"AutoModel": "modeling.X"}),
    "model_weights_missing": lambda path: change(path, num_hidden_layers=3),
}


def change(path: Path, **values: object) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, **values}))


@pytest.mark.parametrize("code", BROKEN)
def test_a_bad_model_is_one_clear_sentence(code: str, studio: Studio, llama: str, tmp_path: Path) -> None:
    from studio.engine import setup
    from studio.errors import InputError

    path = tmp_path / "model"
    shutil.copytree(llama, path)
    BROKEN[code](path)
    job = studio.job(studio.run("run", model_name_or_path=str(path)))
    with pytest.raises(InputError) as caught:
        setup.trainer(job)
    assert caught.value.code == code
    assert all(has(lang, f"errors.{code}") for lang in ("en", "zh"))


@pytest.mark.parametrize("draft, code", [
    (dict(lora_target=["nothing"]), "lora_target_nothing"),
    (dict(additional_target=["nothing"]), "additional_target_nothing"),
    (dict(finetuning_type="freeze", freeze_trainable_layers=9), "freeze_layers_many"),
    (dict(finetuning_type="freeze", freeze_trainable_modules=["nothing"]), "freeze_module_nothing"),
    (dict(compute_type="fp16"), "compute_type_fp16_cpu"),
    (dict(adapter_name_or_path=["nowhere"]), "adapter_missing"),
])
def test_a_wrong_wish_is_one_clear_sentence(draft: dict[str, object], code: str, studio: Studio, llama: str) -> None:
    from studio.engine import setup
    from studio.errors import InputError

    with pytest.raises(InputError) as caught:
        setup.trainer(studio.job(studio.run("run", model_name_or_path=llama, **draft)))
    assert caught.value.code == code


def test_what_nobody_foresaw_has_its_traceback(studio: Studio, llama: str) -> None:
    from studio.engine.diagnosis import diagnose

    folder = studio.run("run", model_name_or_path=llama)
    folder.spec.write_text("stage: [1, 2")
    assert studio.engine(folder) == 1 and failure(folder) == "yaml_syntax"
    assert diagnose(MemoryError()).code == "out_of_memory"
    assert diagnose(RuntimeError("DefaultCPUAllocator: can't allocate memory")).code == "out_of_memory"
    assert diagnose(OSError(28, "No space left on device")).code == "disk_full"
    assert diagnose(ZeroDivisionError("x")).code == "unexpected"
