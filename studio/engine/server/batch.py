"""All rows in one forward pass: tokens of any rows and any checkpoints side by side in one flattened row.

Nothing is padded: a step brings one token of each row that speaks and pieces of the prompts of those that read.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from studio.engine.server import attend
from studio.engine.server.alone import Alone, Piece
from studio.engine.server.attend import Now, Plan, Reader
from studio.engine.server.passes import Pass
from studio.engine.server.slots import Copied, Slot, Slots

TOLERANCE = 2e-3
# RoPE of these kinds depends on the longest row of the batch.
_ROPES_OF_ALL = ("dynamic", "longrope")
_LAYERS = ("full_attention", "sliding_attention")


class Together:
    """Runs a model on many rows at once; `prefixes` are the keys and values laid in front, by checkpoint."""

    one_batch = True

    def __init__(self, model: Any, current: Pass, slots: Slots) -> None:
        self.model = model
        self.current = current
        self.slots = slots
        self.prefixes: dict[str, Tensor] = {}
        self._picks = "logits_to_keep" in inspect.signature(model.forward).parameters

    @property
    def bytes(self) -> int:
        """What the rows' memory takes."""
        return self.slots.bytes

    def open(self, lane: str, room: int) -> Slot:
        """A slot for a row of a checkpoint, a prefix laid in front."""
        numbers = self.prefixes.get(lane)
        if numbers is None:
            return self.slots.open(lane, room)
        slot = self.slots.open(lane, room + numbers.shape[3])
        self.slots.fill(slot, list(numbers[:, 0]), list(numbers[:, 1]), numbers.shape[3])
        slot.before = numbers.shape[3]
        return slot

    def close(self, slot: Slot) -> None:
        """Give a slot back."""
        self.slots.close(slot)

    def fork(self, slot: Slot) -> Slot:
        """A second slot with the same content."""
        return self.slots.fork(slot)

    def take(self, slot: Slot) -> Copied:
        """What a slot holds, to be kept after it is closed."""
        return self.slots.take(slot)

    def size(self, slot: Slot) -> int:
        """How many bytes `take` would copy."""
        return slot.length * self.slots.bytes_per_token

    @property
    def bytes_per_token(self) -> int:
        """What a token of a row takes."""
        return self.slots.bytes_per_token

    def lay(self, kept: Copied | Slot, length: int, room: int) -> Slot:
        """A slot that begins with the first `length` tokens of what was kept, or of what another slot holds."""
        kept = self.slots.view(kept) if isinstance(kept, Slot) else kept
        slot = self.slots.open(kept.lane, room + kept.before)
        self.slots.fill(slot, kept.keys, kept.values, kept.before + length)
        slot.before = kept.before
        return slot

    @torch.inference_mode()
    def run(self, pieces: Sequence[Piece]) -> Tensor:
        """The logits `(wanted, vocab)` in the order of the pieces; slots are longer by what was brought."""
        order = sorted(range(len(pieces)), key=lambda place: (pieces[place].slot.lane, place))
        mine = [pieces[place] for place in order]
        for piece in mine:
            self.slots.reserve(piece.slot, piece.slot.length + len(piece.ids))
        device = self.model.device
        ids = torch.tensor([[one for piece in mine for one in piece.ids]], device=device)
        positions = torch.tensor([[piece.slot.tokens + k for piece in mine for k in range(len(piece.ids))]],
                                 device=device)
        counts = [len(piece.ids) for piece in mine]
        wanted = [int(piece.wanted) for piece in mine]
        self.current.begin([piece.slot.lane for piece in mine], counts, wanted if self._picks else counts)
        logits = self._forward(self._plan(mine), ids, positions, _kept(counts, wanted))
        for piece in mine:
            piece.slot.length += len(piece.ids)
        return logits if order == list(range(len(order))) else logits[_back(order, wanted)]

    def _forward(self, plan: Plan, ids: Tensor, positions: Tensor, kept: list[int]) -> Tensor:
        every = len(kept) == ids.shape[1]
        index = torch.tensor(kept, dtype=torch.long, device=ids.device)  # empty while a long prompt is being read
        Now.plan = plan
        try:
            if not self._picks:
                return self.model(input_ids=ids, position_ids=positions, use_cache=False).logits[0][index]
            return self.model(input_ids=ids, position_ids=positions, use_cache=False,
                              logits_to_keep=0 if every else index).logits[0][:len(kept)]
        finally:
            Now.plan = None

    def _plan(self, pieces: Sequence[Piece]) -> Plan:
        """Where each token's key and value goes, and who sees what."""
        by_shelf: dict[int, tuple[list[Slot], list[int]]] = {}
        readers, start = [], 0
        for piece in pieces:
            slot, count = piece.slot, len(piece.ids)
            if count == 1:
                rows, tokens = by_shelf.setdefault(slot.shelf.capacity, ([], []))
                rows.append(slot)
                tokens.append(start)
            else:
                readers.append(Reader(slot.shelf, slot.row, start, start + count, slot.length, slot.length + count))
            start += count
        device = self.model.device
        return Plan(start, [attend.speakers(rows[0].shelf, rows, tokens, start, device)
                            for rows, tokens in by_shelf.values()], readers)

    @torch.inference_mode()
    def hidden(self, ids: Sequence[int]) -> Tensor:
        """The last hidden states `(tokens, width)` of a text by the base."""
        slot = self.slots.open("", len(ids))
        try:
            self.current.begin([""], [len(ids)], [len(ids)])
            Now.plan = self._plan([Piece(slot, ids)])
            row = torch.tensor([list(ids)], device=self.model.device)
            places = torch.arange(len(ids), device=self.model.device)[None]
            return self.model.get_decoder()(input_ids=row, position_ids=places, use_cache=False).last_hidden_state[0]
        finally:
            Now.plan = None
            self.slots.close(slot)


def _kept(counts: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Which tokens' logits are wanted."""
    found: list[int] = []
    start = 0
    for count, some in zip(counts, wanted, strict=True):
        found.extend(range(start + count - some, start + count))
        start += count
    return found


def _back(order: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """For each row of logits in the pieces' own order, where it stands among the sorted ones."""
    starts, start = {}, 0
    for place, some in zip(order, wanted, strict=True):
        starts[place] = (start, some)
        start += some
    return [first + k for place in sorted(starts) for first, some in (starts[place],) for k in range(some)]


def runner(model: Any, current: Pass, dtype: torch.dtype) -> Together | Alone:
    """The way to run a model: all rows in one pass where the probe shows that this is the same, else row by row."""
    own = model.config._attn_implementation
    attend.register()
    model.config._attn_implementation = attend.NAME
    try:
        made = _together(model, current, dtype)
    except (NotImplementedError, TypeError, ValueError, KeyError, RuntimeError, IndexError, AttributeError):
        made = None
    finally:
        Now.plan = None
    if made is None or not _is_exact(made, own):
        model.config._attn_implementation = own
        return Alone(model, current)
    return made


def _together(model: Any, current: Pass, dtype: torch.dtype) -> Together | None:
    """A runner with slots of the shapes that the layers show; None where something speaks against it."""
    config = model.config
    if _rope_kinds(getattr(config, "rope_parameters", None)) & set(_ROPES_OF_ALL):
        return None
    kinds = list(getattr(config, "layer_types", None) or ())
    if not set(kinds) <= set(_LAYERS):
        return None
    Now.seen = {}
    current.begin([""], [2], [2])
    with torch.inference_mode():
        model(input_ids=torch.tensor([[3, 4]], device=model.device), use_cache=False)
    seen = Now.seen
    if not seen or sorted(seen) != list(range(len(seen))) or len(seen) != config.num_hidden_layers:
        return None
    windows = [window for _, (_, window) in sorted(seen.items())]
    if kinds and any((kind == "sliding_attention") != (window is not None)
                     for kind, window in zip(kinds, windows, strict=True)):
        return None
    if not kinds and getattr(config, "sliding_window", None) and not any(windows) \
            and getattr(config, "use_sliding_window", True):
        return None
    return Together(model, current, Slots([shape for _, (shape, _) in sorted(seen.items())], dtype, model.device))


def _rope_kinds(parameters: Any) -> set[str]:
    if not isinstance(parameters, Mapping):
        return set()
    nested = [kind for value in parameters.values() for kind in _rope_kinds(value)]
    return {str(parameters.get("rope_type", "")), *nested}


@torch.inference_mode()
def _is_exact(made: Together, own: str) -> bool:
    """Whether two rows that are read in pieces and go on at different times get the logits that each gets alone."""
    model = made.model
    vocabulary = model.get_input_embeddings().weight.shape[0]
    first = [k % vocabulary for k in range(3, 13)]
    second = [k % vocabulary for k in range(20, 35)]
    slots: list[Slot] = []
    try:
        slots = [made.open("", 16), made.open("", 16)]
        steps = [(first[:7], second[:6]), (first[7:8], second[6:11]), (first[8:9], second[11:12]),
                 (first[9:], second[12:])]
        got: tuple[list[Tensor], list[Tensor]] = ([], [])
        for a, b in steps:
            logits = made.run([Piece(slots[0], a, len(a)), Piece(slots[1], b, len(b))])
            got[0].append(logits[:len(a)])
            got[1].append(logits[len(a):])
        model.config._attn_implementation = own
        made.current.begin([""], [1], [1])
        alone = [model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0]
                 for ids in (first, second)]
    except (NotImplementedError, TypeError, ValueError, KeyError, RuntimeError, IndexError, AttributeError):
        return False
    finally:
        Now.plan = None
        model.config._attn_implementation = attend.NAME
        for slot in slots:
            made.close(slot)
    return all(_close(torch.cat(mine), other) for mine, other in zip(got, alone, strict=True))


def _close(a: Tensor, b: Tensor) -> bool:
    """Equal but for rounding; fewer bits round to about three digits."""
    coarse = a.dtype != torch.float32
    a, b = a.float(), b.float()
    return bool((a - b).abs().max() <= (0.08 if coarse else TOLERANCE) * b.abs().max().clamp(min=1.0))
