"""The training loop: phases in order, then steps, evaluations and checkpoints until the end or a stop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from studio.data.mark import mark
from studio.engine import checkpoint, evaluation, optimizer
from studio.engine.batching import Batch, Plan, flattened, padded
from studio.engine.job import Job
from studio.engine.network import Network
from studio.engine.pace import Pace
from studio.engine.tuned import Tuned
from studio.errors import StopAsked, WorkError
from studio.runs.checkpoints import standing
from studio.specs import schedulers
from studio.specs.schedule import Schedule

if TYPE_CHECKING:  # measuring brings the metrics along, which most runs never ask
    from studio.engine.measuring import Measure


@dataclass
class State:
    """What the loop remembers from step to step; goes into every checkpoint as it stands."""

    step: int = 0
    epoch: float = 0.0
    tokens: int = 0
    loss: float | None = None
    eval_loss: float | None = None
    best_eval_loss: float | None = None
    best_step: int | None = None
    patience_used: int = 0
    logged_loss: float = 0.0
    logged_tokens: int = 0
    evaluated_at: int = -1
    saved_at: int = -1
    eval_metric: float | None = None
    eval_rank: float | None = None
    best_rank: float | None = None
    base: str = ""  # the mark of the model below, so that an export later knows whether it is still the same


@dataclass
class Trainer:
    """One run's loop over a tuned network; `train()` is all that is called from outside."""

    job: Job
    network: Network
    tuned: Tuned
    rows: Any
    held_out: Any
    pad: int
    plan: Plan
    schedule: Schedule
    measure: Measure | None = None
    state: State = field(default_factory=State)

    def __post_init__(self) -> None:
        spec = self.job.spec
        self.parameters = list({id(p): p for p in self.tuned.moving.values()}.values())
        self.optimizer = optimizer.make(spec, self.tuned.moving)
        self.factor = schedulers.factors(spec.lr_scheduler_type, self.schedule.warmup, self.schedule.total,
                                         spec.learning_rate, spec.lr_scheduler_kwargs)
        self.scaler = torch.amp.GradScaler(self.network.numbers.device.type) if self.network.numbers.scaled else None
        self.pace = Pace(self.schedule.total)

    def train(self) -> None:
        """Train to the end; raises StopAsked after saving when somebody asked, WorkError when the work fails."""
        self._go_on()
        self.state.base = mark(self.job.model_folder) if self.job.model_folder else ""
        self.network.model.train()
        self._phase("training")
        try:
            if self._owes_evaluation():
                self._evaluate_or_stop()
            while self.state.step < self.schedule.total:
                self._step()
                if self._after_step():
                    break
            if self.schedule.evaluate_every and self.state.evaluated_at != self.state.step:
                self._evaluate_or_stop()
        except StopAsked:
            self._save()
            raise
        self._save()

    def _go_on(self) -> None:
        """Start from the newest complete checkpoint, if there is one."""
        job = self.job
        if job.ranks.first:
            checkpoint.remove_incomplete(job.folder)
        path = job.ranks.tell(checkpoint.last(job.folder))
        if path is None:
            return
        stored, has_optimizer = checkpoint.restore(path, self.tuned, self.optimizer)
        self.state = State(**{name: value for name, value in stored.items() if name in State.__dataclass_fields__})
        self.state.saved_at = self.state.step
        if self.scaler and stored.get("scaler"):
            self.scaler.load_state_dict(stored["scaler"])
        job.recorder.log(event="resumed", step=self.state.step)
        job.recorder.say("resumed" if has_optimizer else "resumed_without_optimizer", step=self.state.step)

    def _owes_evaluation(self) -> bool:
        """Whether the last attempt was stopped in the evaluation of the step from which this one goes on."""
        state, every = self.state, self.schedule.evaluate_every
        return bool(every and state.step and state.step % every == 0 and state.evaluated_at != state.step)

    # ---- one step ----

    def _step(self) -> None:
        """One optimizer step over `gradient_accumulation_steps` micro-batches of every rank."""
        state, device = self.state, self.network.numbers.device
        batches = self._micro_batches()
        counts = torch.tensor([sum(b.trained for b in batches), sum(b.tokens for b in batches)], device=device)
        trained, tokens = (int(n) for n in self.job.ranks.sum_(counts).tolist())
        total = torch.zeros((), device=device)
        started = time.monotonic()
        for number in range(self.job.spec.gradient_accumulation_steps):  # every rank asks as often as the others
            if self.job.ranks.decide(self.job.stop.asked(), device):
                self.optimizer.zero_grad()
                raise StopAsked("training")
            if number >= len(batches):
                continue
            batch = batches[number]
            self._seed(number)
            loss = self.network.loss_sum(batch.to(device))
            total += loss.detach()
            if batch.trained:
                loss = loss / trained
                (self.scaler.scale(loss) if self.scaler else loss).backward()
        norm = self._update(total, trained)
        state.step += 1
        state.epoch = state.step / self.schedule.steps_per_epoch
        state.tokens += tokens
        state.logged_loss += float(self.job.ranks.sum_(total.double()))
        state.logged_tokens += trained
        self.pace.step(tokens, time.monotonic() - started)
        if state.step % self.job.spec.logging_steps == 0 or state.step == self.schedule.total:
            self._log(norm)
        self.job.recorder.progress(step=state.step, total=self.schedule.total,
                                   eta_seconds=self.pace.remaining(state.step))

    def _micro_batches(self) -> list[Batch]:
        """This rank's micro-batches of the coming step; fewer at the end of an epoch, perhaps none."""
        spec, ranks = self.job.spec, self.job.ranks
        epoch, at = divmod(self.state.step, self.schedule.steps_per_epoch)
        if self._order_of != epoch:
            self._order, self._order_of = self.plan.epoch(epoch), epoch
        together = spec.gradient_accumulation_steps * ranks.world
        chosen = self._order[at * together:(at + 1) * together][ranks.rank::ranks.world]
        collate = flattened if self.network.flat else padded
        return [collate(self.rows, rows, self.pad, self._rounding) for rows in chosen]

    _order: list[Any] = field(default_factory=list)
    _order_of: int = -1

    @property
    def _rounding(self) -> int:
        """Sixteen-bit products are fastest in whole tiles."""
        return 64 if self.network.numbers.mixed else 1

    def _seed(self, number: int) -> None:
        """Dropout and noise are a function of seed, step, micro-batch and rank: nothing to save, nothing to lose."""
        mixed = (self.job.spec.seed, self.state.step, number, self.job.ranks.rank)
        torch.manual_seed(hash(mixed) & 0x7FFFFFFF)

    def _update(self, total: torch.Tensor, trained: int) -> float:
        """Clip and step; the gradient norm before clipping.

        Raises WorkError loss_not_finite before any harm is done.
        """
        spec = self.job.spec
        if not trained:
            return 0.0
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        self.job.ranks.average_gradients(self.parameters)
        norm = optimizer.gradient_norm(self.parameters)
        loss, length = torch.stack([total.float(), norm.to(total.device).float()]).tolist()
        loss = self.job.ranks.worst(loss, total.device)
        if not math.isfinite(loss) or (not math.isfinite(length) and not self.scaler):
            raise WorkError("loss_not_finite", step=self.state.step + 1, last=max(self.state.saved_at, 0))
        optimizer.clip(self.parameters, norm, spec.max_grad_norm)
        rate = spec.learning_rate * self.factor(self.state.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad()
        return float(length)

    def _log(self, norm: float) -> None:
        """One line: the mean loss over the tokens since the last one."""
        state = self.state
        if not state.logged_tokens:
            return
        state.loss = state.logged_loss / state.logged_tokens
        rate = self.job.spec.learning_rate * self.factor(state.step - 1)
        self.job.recorder.log(step=state.step, epoch=round(state.epoch, 4), loss=state.loss, learning_rate=rate,
                              grad_norm=norm, tokens=state.tokens, tokens_per_second=self.pace.tokens_per_second())
        self.job.recorder.say("step", step=state.step, total=self.schedule.total, loss=f"{state.loss:.4f}",
                              rate=f"{rate:.3g}")
        state.logged_loss, state.logged_tokens = 0.0, 0

    # ---- between steps ----

    def _after_step(self) -> bool:
        """Evaluate and save when it is time; True when patience is at its end."""
        plan, step = self.schedule, self.state.step
        tired = False
        if plan.evaluate_every and step % plan.evaluate_every == 0:
            tired = self._evaluate_or_stop()
        if step % plan.save_every == 0:
            self._save()
            self._phase("training")
        return tired

    def _evaluate_or_stop(self) -> bool:
        """Evaluate; True when early stopping is due."""
        state, spec = self.state, self.job.spec
        self._phase("evaluating")
        loss = evaluation.loss(self.job, self.network, self.held_out, self.pad)
        measured = self._measured()
        state.eval_loss, state.evaluated_at = loss, state.step
        self.job.recorder.log(step=state.step, epoch=round(state.epoch, 4), eval_loss=loss, **measured)
        self.job.recorder.say("evaluated", step=state.step, loss=f"{loss:.4f}")
        rank, best = (state.eval_rank, state.best_rank) if measured else (loss, state.best_eval_loss)
        assert rank is not None
        better = best is None or rank < best - spec.early_stopping_threshold
        state.patience_used = 0 if better else state.patience_used + 1
        if best is None or (rank, loss) < (best, state.best_eval_loss):
            state.best_eval_loss, state.best_rank, state.best_step = loss, state.eval_rank, state.step
            if spec.load_best_model_at_end:
                self._save()
        if state.saved_at == state.step and self.job.ranks.first:
            checkpoint.note(self.job.folder, state.step, {**vars(state)})
        self._phase("training")
        if spec.early_stopping_patience and state.patience_used >= spec.early_stopping_patience:
            self.job.recorder.say("early_stop", step=state.step, best=state.best_step)
            return True
        return False

    def _measured(self) -> dict[str, Any]:
        """The metric's figures for the log, when the run has one; `eval_rank` is less where the metric is better."""
        if self.measure is None:
            return {}
        state = self.state
        state.eval_metric = self.measure.value(self.network)
        state.eval_rank = min(self.measure.rank(state.eval_metric), 1e30)
        self.job.recorder.say("measured", step=state.step, metric=self.measure.name,
                              value="–" if state.eval_metric is None else f"{state.eval_metric:.4f}")
        return {"metric": self.measure.name, "eval_metric": state.eval_metric, "eval_rank": state.eval_rank}

    def _save(self) -> None:
        """Write a checkpoint of this step, unless it is there already or nothing was learned yet."""
        state, job = self.state, self.job
        if state.saved_at == state.step or state.step == 0:
            return
        self._phase("saving")
        if job.ranks.first:
            values = {**vars(state), "saved_at": state.step}
            if state.evaluated_at != state.step:
                values |= {"eval_loss": None, "eval_metric": None, "eval_rank": None}
            if self.scaler:
                values["scaler"] = self.scaler.state_dict()
            checkpoint.save(job.folder, state.step, self.tuned, self.optimizer, values,
                            only_model=job.spec.save_only_model)
            checkpoint.prune(job.folder, job.spec.save_total_limit, best_saved(job.folder))
        job.ranks.decide(True, self.network.numbers.device)
        state.saved_at = state.step

    def _phase(self, phase: str) -> None:
        self.job.recorder.phase(phase, step=self.state.step, total=self.schedule.total,
                                eta_seconds=self.pace.remaining(self.state.step))


def best_saved(folder: Any) -> int | None:
    """The step of the best evaluated checkpoint on disk."""
    from studio.records import read_json

    found = {step: place for step in folder.complete_steps()
             if (place := standing(read_json(folder.checkpoint(step) / "state.json") or {})) is not None}
    return min(found, key=lambda step: found[step]) if found else None
