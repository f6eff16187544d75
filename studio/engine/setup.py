"""From a spec to a Trainer that is ready to go: model found, data tokenised, model loaded, tuned and connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.data import mix
from studio.engine.job import Job
from studio.errors import InputError, StopAsked, StudioError
from studio.plugins import plugin
from studio.records import write_json
from studio.specs.auto import resolve
from studio.specs.schedule import schedule

if TYPE_CHECKING:
    from studio.engine.loop import Trainer


def trainer(job: Job) -> Trainer:
    """Everything before the first step; the phases `loading` and `tokenising`.

    The data comes first: it needs no torch, and most mistakes show there.
    """
    _find_model(job)
    if not job.ranks.alone:
        _meet(job)
    data, pad = _prepared(job)
    job.recorder.phase("loading")
    return _built(job, data, pad)


def _find_model(job: Job) -> None:
    """The model's folder (fetched when it is a hub's) and its facts; `auto` becomes a learning rate."""
    from studio.data import model

    name, revision = job.spec.model_name_or_path, job.spec.model_revision
    folder = model.locate(name, job.workspace, revision)
    if folder is None:
        from studio.plugins.hubs import huggingface

        folder = huggingface.fetch(name, revision, model.download_folder(name, job.workspace, revision),
                                   lambda done, of: job.recorder.progress(done=done, of=of))
    job.model_folder, job.facts = folder, model.inspect(folder)
    job.spec = resolve(job.spec, job.facts.parameters)


def _meet(job: Job) -> None:
    import torch

    cuda = torch.cuda.is_available()
    job.ranks.join(torch.device("cuda", job.ranks.local) if cuda else torch.device("cpu"))


def _prepared(job: Job) -> tuple[Any, int]:
    """The token rows; with several ranks the first one tokenises and the others read its cache."""
    job.recorder.phase("tokenising")
    refused: tuple[Any, ...] | None = None
    data = pad = None
    if job.ranks.first:
        try:
            data, pad = _prepare(job)
            _note(job, data)
        except StudioError as error:
            if job.ranks.alone:
                raise
            refused = (type(error), error.code, error.values)
    if not job.ranks.alone:
        refused = job.ranks.tell(refused)
        if refused is not None:
            kind, code, values = refused
            raise StopAsked("tokenising") if kind is StopAsked else InputError(code, **values)
        if not job.ranks.first:
            data, pad = _prepare(job)
    assert data is not None and pad is not None
    return data, pad


def _prepare(job: Job) -> tuple[Any, int]:
    from studio.data.chat import ChatTokenizer
    from studio.data.prepare import prepare

    assert job.model_folder is not None
    data = prepare(job.spec, job.workspace, job.model_folder,
                   on_progress=lambda done, of: job.recorder.progress(done=done, of=of),
                   should_stop=job.stop.asked)
    counts = data.counts
    job.recorder.say("rows", read=counts.read, used=counts.used, cut=counts.cut, held_out=counts.held_out,
                     cutoff=job.spec.cutoff_len)
    for name, of_one in data.each.items():
        job.recorder.skipped(name, of_one)
    if counts.left_out or counts.repeated:
        job.recorder.say("mixed", left_out=counts.left_out, repeated=counts.repeated)
    return data, ChatTokenizer.load(job.model_folder, job.spec.template, job.spec.default_system, job.workspace).pad_id


def _note(job: Job, data: Any) -> None:
    """Write down what the run learns from: a model card tells it when the data has long changed."""
    write_json(job.folder.data, {name: {
        "rows": counts.used - counts.held_out - counts.left_out, "held_out": counts.held_out,
        "fingerprint": data.fingerprints.get(mix.limited(name, data.fingerprints)[0])}
        for name, counts in data.each.items()})


def _built(job: Job, data: Any, pad: int) -> Trainer:
    from studio.engine import lean, numerics

    lean.torch_process(job.spec)
    numbers = numerics.choose(job.spec, job.facts, job.ranks)
    from studio.engine import loading, memory, network, noise
    from studio.engine.batching import Plan
    from studio.engine.loop import Trainer

    spec = job.spec
    model = loading.load(job, numbers)
    job.seed()
    tuned = plugin("tuners", spec.finetuning_type).attach(model, job)
    net = network.connect(tuned.model, numbers, spec.flash_attn, tuned.prefix)
    packed = spec.cutoff_len * spec.per_device_train_batch_size if spec.packing and net.flat else 0
    if spec.packing and not net.flat:
        job.recorder.say("packing_left_out", kind=job.facts.model_type, tuner=spec.finetuning_type)
    plan = Plan(data.train.lengths, spec.per_device_train_batch_size, spec.seed, pack_tokens=packed,
                grouped=not net.flat)
    batches = -(-plan.batches // job.ranks.world)
    steps = schedule(spec, batches, len(data.train), len(data.evaluation or ()))
    noise.neftune(net, spec.neftune_noise_alpha)
    memory.choose_checkpointing(job, tuned, plan)
    job.recorder.say("moving", count=tuned.count, of=job.facts.parameters,
                     share=f"{tuned.count / job.facts.parameters:.2%}",
                     numbers=str(numbers.compute).removeprefix("torch."), device=str(numbers.device))
    measure = None
    if spec.eval_metric:
        from studio.engine.measuring import Measure

        measure = Measure.of(job, data.evaluation)
    job.stop.stay()
    return Trainer(job, net, tuned, data.train, data.evaluation, pad, plan, steps, measure)
