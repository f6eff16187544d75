"""Metrics in Prometheus's text form: requests, tokens, queue, rows, cache, memory, seconds to the first token."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

ROUTES = frozenset({"/", "/v1/models", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/health",
                    "/metrics", "/docs", "/openapi.json", "/studio/lanes", "/studio/load", "/studio/unload",
                    "/studio/estimate"})
_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts of values up to each bound."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(_BOUNDS, value)] += 1
        self.sum += value

    def lines(self, name: str) -> Iterable[str]:
        """The histogram in Prometheus's form: every bucket holds those below it, too."""
        total = 0
        yield f"# TYPE {name} histogram"
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """What one server has done."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.tokens: Counter[str] = Counter()
        self.endings: Counter[str] = Counter()
        self.first_token = Histogram()
        self.answer = Histogram()

    def answered(self, path: str, status: int) -> None:
        """A request was answered with this status; paths that nobody serves are one."""
        self.requests[(path if path in ROUTES or path.startswith("/v1/models/") else "other"), status] += 1

    def ended(self, done: Mapping[str, Any]) -> None:
        """One answer of a worker has ended."""
        self.endings[str(done["reason"])] += 1
        self.tokens["completion"] += int(done["tokens"])
        self.tokens["prompt"] += int(done["prompt_tokens"])
        self.tokens["reused"] += int(done.get("reused_tokens") or 0)
        self.answer.add(float(done["seconds"]))
        if done.get("first_token_seconds") is not None:
            self.first_token.add(float(done["first_token_seconds"]))

    def left(self, answers: int, tokens: int) -> None:
        """Answers that nobody wanted to hear to their end, after so many tokens."""
        if answers > 0:
            self.endings["cancelled"] += answers
            self.tokens["completion"] += tokens

    def text(self, workers: Mapping[str, Mapping[str, Any]]) -> str:
        """Everything in Prometheus's form; `workers` are the figures of each base model now."""
        lines = ["# TYPE studio_requests_total counter"]
        lines += [f'studio_requests_total{{route="{_quoted(path)}",code="{status}"}} {count}'
                  for (path, status), count in sorted(self.requests.items())]
        for name, label, counts in (("studio_tokens_total", "kind", self.tokens),
                                    ("studio_answers_total", "reason", self.endings)):
            lines.append(f"# TYPE {name} counter")
            lines += [f'{name}{{{label}="{_quoted(key)}"}} {count}' for key, count in sorted(counts.items())]
        lines += self.first_token.lines("studio_first_token_seconds")
        lines += self.answer.lines("studio_answer_seconds")
        for name in ("rows", "waiting", "slots", "cache_bytes", "rss", "threads", "adapters"):
            lines.append(f"# TYPE studio_{_METRIC.get(name, name)} gauge")
            lines += [f'studio_{_METRIC.get(name, name)}{{model="{_quoted(model)}"}} {figures[name]}'
                      for model, figures in workers.items() if figures.get(name) is not None]
        return "\n".join(lines) + "\n"


_METRIC = {"rss": "resident_bytes", "waiting": "queue"}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
