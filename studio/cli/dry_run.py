"""`train --dry-run`: what the run would read, count and move; nothing is written, no weight is loaded."""

from __future__ import annotations

import sys
from typing import Any

from studio.cli.voice import Voice, number
from studio.errors import InputError
from studio.workspace import Workspace


def dry_run(spec: Any, workspace: Workspace, voice: Voice, *, json: bool) -> int:
    """Load tokenizer and data, count, and say it."""
    from studio.data.model import inspect, locate
    from studio.data.prepare import prepare
    from studio.plugins import plugin

    folder = locate(spec.model_name_or_path, workspace)
    if folder is None:
        raise InputError("model_not_here", name=spec.model_name_or_path)
    facts = inspect(folder)
    prepared = prepare(spec, workspace, folder, write_cache=False, on_progress=_shown(voice))
    _clear()
    found = figures(spec, prepared, facts, plugin("tuners", spec.finetuning_type).trainable(facts, spec))
    if json:
        voice.json(found)
        return 0
    for line in _lines(voice, spec, found):
        voice.out(line)
    return 0


def figures(spec: Any, prepared: Any, facts: Any, trainable: int) -> dict[str, Any]:
    """Rows, tokens, steps and weights by name; with packing the steps are those of packs filled to the brim."""
    from studio.specs.schedule import schedule

    lengths = prepared.train.lengths
    batches = -(-len(lengths) // spec.per_device_train_batch_size)
    if spec.packing:
        batches = max(1, -(-int(lengths.sum()) // (spec.per_device_train_batch_size * spec.cutoff_len)))
    evaluated = len(prepared.evaluation) if prepared.evaluation is not None else 0
    plan = schedule(spec, batches, len(lengths), evaluated)
    counts = prepared.counts
    return {
        "rows_read": counts.read,
        "rows_used": counts.used,
        "rows_skipped": dict(counts.skipped),
        "rows_left_out": counts.left_out,
        "rows_repeated": counts.repeated,
        "examples": {reason: [place._asdict() for place in some] for reason, some in counts.examples.items()},
        "rows_cut": counts.cut,
        "rows_held_out": counts.held_out,
        "rows_trained": len(lengths),
        "rows_evaluated": evaluated,
        "tokens": counts.tokens,
        "tokens_trained": counts.trained_tokens,
        "steps": plan.total,
        "steps_per_epoch": plan.steps_per_epoch,
        "warmup_steps": plan.warmup,
        "steps_are_exact": not spec.packing,
        "parameters": facts.parameters,
        "trainable": trainable,
    }


def _lines(voice: Voice, spec: Any, found: dict[str, Any]) -> list[str]:
    lines = [
        voice.say(
            "dry.rows",
            read=f"{found['rows_read']:,}",
            used=f"{found['rows_used']:,}",
            held=f"{found['rows_held_out']:,}",
        )
    ]
    for reason, count in found["rows_skipped"].items():
        lines.append(voice.say("dry.skipped", count=f"{count:,}", reason=voice.word("data.skipped", reason)))
        lines += [voice.say("data.check.place", **place) for place in found["examples"][reason]]
    if found["rows_left_out"] or found["rows_repeated"]:
        lines.append(voice.say("dry.mixed", left_out=f"{found['rows_left_out']:,}",
                               repeated=f"{found['rows_repeated']:,}"))
    if found["rows_cut"]:
        lines.append(voice.say("dry.cut", cutoff=spec.cutoff_len, count=f"{found['rows_cut']:,}"))
    lines.append(voice.say("dry.tokens", tokens=f"{found['tokens']:,}", trained=f"{found['tokens_trained']:,}"))
    epochs = found["steps"] / found["steps_per_epoch"] if spec.max_steps > 0 else spec.num_train_epochs
    steps = {"steps": f"{found['steps']:,}", "epochs": number(epochs, 3), "per_epoch": f"{found['steps_per_epoch']:,}"}
    lines.append(
        voice.say("dry.steps", **steps, warmup=found["warmup_steps"])
        if found["steps_are_exact"]
        else voice.say("dry.about_steps", **steps)
    )
    share = 100 * found["trainable"] / found["parameters"] if found["parameters"] else 100.0
    lines.append(
        voice.say(
            "dry.share",
            trainable=f"{found['trainable']:,}",
            parameters=f"{found['parameters']:,}",
            share=number(share, 3),
        )
    )
    return [*lines, voice.say("dry.good")]


def _shown(voice: Voice) -> Any:
    """Progress of reading, on a terminal only."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: print(
        f"\r\x1b[2K{voice.say('dry.reading', done=f'{done:,}', total=f'{total:,}')}",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
