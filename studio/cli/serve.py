"""`serve`: models, runs and checkpoints for other programs, over the OpenAI protocol, until Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.addresses import HOST, free_port, port_of, refuse_busy
from studio.cli.models import found_lanes, needed, recipe_of, sorted_words
from studio.cli.voice import Voice, size
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, SpecError, StudioError
from studio.hosts import is_loopback
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.args.fields import Argument
    from studio.chats.lanes import Lane

PORT = 8000
BASE = "base"
KEYS = "STUDIO_API_KEYS"
_ORIGIN = re.compile(r"https?://[^/\s?#]+|\*")
_KEY = re.compile(r"[!-~]+")


def work(call: Call) -> int:
    """Serve what was named until Ctrl-C or TERM; 1 when the server ended by itself."""
    from studio.cli.front import Front

    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    config, lanes = checked(call, workspace)
    to = voice.aside if call.has("json") else voice.out
    _tell_memory(voice, to, lanes, config)
    keys, served = keys_of(call), [*map(shown, config["models"]), BASE]
    with Front(config, keys, lambda: voice.aside(voice.say("serve.ending"))) as front:
        url = front.listening()
        if url is None:
            return 0
        to(voice.say("serve.listening", url=f"{url}/v1", docs=f"{url}/docs"))
        if not front.loaded():
            return 0
        to(voice.say("serve.loaded", names=voice.say("chat.names_between").join(served)))
        to(voice.say("serve.call", command=example(url, served[0], bool(keys))))
        if keys:
            to(voice.say("serve.with_key"))
        if call.has("json"):
            voice.json_line({"url": f"{url}/v1", "models": served, "pid": os.getpid()})
        return front.wait()


def checked(call: Call, workspace: Workspace) -> tuple[dict[str, Any], list[Lane]]:
    """(the server's configuration, the lanes it begins with); raises Refused with everything that is wrong."""
    from studio.specs.chat import check

    errors: list[StudioError] = []
    names, recipes, changes = sorted_words(call.words, declared())
    draft = recipe_of(recipes, errors) | changes
    if "backend" in call.options:
        draft["backend"] = call.options["backend"]
    host, port = _address(call, errors)
    errors += _bad_cors(call) + _bad_keys(call, host)
    spec, named = None, names
    try:
        spec = check(draft)
        given = [spec.model_name_or_path, *spec.adapter_name_or_path]
        named = [*(given if not names or "model_name_or_path" in draft else given[1:]), *names]
    except SpecError as error:
        errors.append(error)
    lanes = found_lanes(named, workspace, errors)
    if errors or spec is None:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    if not names and _stands_below(lanes[0], lanes[1:]):
        named = named[1:]
    if "port" in call.options:
        refuse_busy(host, port, chosen=True)
    else:
        port = free_port(host, port)
    own = {name: value for name, value in spec.model_dump().items()
           if name not in ("model_name_or_path", "adapter_name_or_path")}
    return {**own, "root": str(workspace.root), "lang": call.lang, "host": host, "port": port, "models": named,
            "open": False, "attached": True, "cors": call.options.get("cors", [])}, lanes


def _stands_below(model: Lane, others: list[Lane]) -> bool:
    """Whether a recipe's model is served as `base` anyway, since everything else is put on it."""
    return bool(others) and all(one.adapter is not None and one.base == model.base for one in others)


def declared() -> Mapping[str, Argument]:
    """The arguments of serving."""
    from studio.specs.chat import SERVING

    return SERVING


def keys_of(call: Call) -> list[str]:
    """Every key that callers may show: those of the environment, then those of the command line."""
    return [key for key in (*os.environ.get(KEYS, "").split("\n"), *call.options.get("api-key", ())) if key]


def example(url: str, name: str, has_key: bool) -> str:
    """A line for a shell that asks the model something; a key stands in it by the name of its variable only."""
    body = f'{{"model": "{name}", "messages": [{{"role": "user", "content": "12 + 30 = ?"}}]}}'
    key = ' -H "Authorization: Bearer $STUDIO_KEY"' if has_key else ""
    return f"curl {url}/v1/chat/completions{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _address(call: Call, errors: list[StudioError]) -> tuple[str, int]:
    try:
        return call.options.get("host", HOST), port_of(call.options.get("port"), PORT)
    except InputError as error:
        errors.append(error)
        return call.options.get("host", HOST), PORT


def _bad_cors(call: Call) -> list[StudioError]:
    return [InputError("cors_bad", value=one) for one in call.options.get("cors", ()) if not _ORIGIN.fullmatch(one)]


def _bad_keys(call: Call, host: str) -> list[StudioError]:
    """An address that others reach without a key, and keys that no caller could send."""
    keys = keys_of(call)
    if not keys and not is_loopback(host):
        return [InputError("serve_needs_key", host=host)]
    return [] if all(map(_KEY.fullmatch, keys)) else [InputError("api_key_bad")]


def _tell_memory(voice: Voice, to: Any, lanes: list[Lane], config: Mapping[str, Any]) -> None:
    """What will be in memory, before it is."""
    added, free = needed(lanes, config["quantization_bit"], config["compute_type"])
    for name, count in added.items():
        to(voice.say("serve.cost", lane=shown(name), need=size(max(0, count))))
    total = sum(added.values())
    if free is not None:
        key = "serve.free" if total <= free else "serve.short"
        (to if total <= free else voice.aside)(voice.say(key, need=size(total), free=size(free)))


def shown(name: str) -> str:
    """A folder by its last part, everything else as it is."""
    return Path(name).name if os.sep in name and Path(name).expanduser().is_dir() else name


VERBS = (
    Verb(
        "serve",
        (Option("host", "HOST"), Option("port", "PORT"), Option("api-key", "KEY", many=True),
         Option("cors", "ORIGIN", many=True), Option("backend", "BACKEND", ("own", "vllm")), Option("json")),
        work,
        words="[MODEL_OR_RUN …] [SPEC.yaml] [key=value …]",
        at_most=None,
        open=True,
        declared=declared,
    ),
)
