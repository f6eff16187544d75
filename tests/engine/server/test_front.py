"""The server answers as the OpenAI protocol says, names every refusal, and proves which weights answered."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

from studio.data.chat import ChatTokenizer
from studio.workspace import PROJECT, Workspace
from tests.engine.server.fronts import KEY, OTHER_KEY, SUM, Front, events, wait

pytestmark = pytest.mark.slow
# What the starter was never taught to answer: at a high temperature it says something else each time.
WILD = [{"role": "user", "content": "count"}]


def test_the_base_and_a_run_answer_differently_and_prove_it(server: Front) -> None:
    base, tuned = server.ask("base"), server.ask("tuned")
    assert base["choices"][0]["message"]["content"] == "12+30=42"
    assert tuned["choices"][0]["message"]["content"] != "12+30=42"
    assert base["studio"]["base_hash"] == tuned["studio"]["base_hash"]
    assert base["studio"]["adapter_hash"] is None
    assert tuned["studio"]["adapter_hash"] and tuned["studio"]["changes_logits"] is True
    assert (tuned["studio"]["step"], tuned["studio"]["chosen"]) == (40, "last")
    assert tuned["usage"]["completion_tokens"] == tuned["studio"]["tokens"] > 0


def test_a_checkpoint_of_a_served_run_is_served_by_its_step(server: Front) -> None:
    first, last = server.ask("tuned/step-20"), server.ask("tuned/step-40")
    assert first["studio"]["step"] == 20
    assert first["studio"]["adapter_hash"] != last["studio"]["adapter_hash"]
    assert last["studio"]["adapter_hash"] == server.ask("tuned")["studio"]["adapter_hash"]


def test_the_names_are_listed(server: Front) -> None:
    names = [one["id"] for one in server.client.get("/v1/models").json()["data"]]
    assert names == ["starter", "tuned", "caller", "base"]
    assert server.client.get("/v1/models/tuned/step-20").json()["id"] == "tuned/step-20"
    assert server.client.get("/v1/models/tunde").status_code == 404


def test_a_stream_says_what_the_whole_answer_says(server: Front) -> None:
    with server.stream(temperature=0, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert said == server.words() == "12+30=42"
    assert len([chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0]["delta"].get("content")]) > 4
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] == 8
    assert chunks[-1]["studio"]["base_hash"]


def test_without_usage_the_last_chunk_has_the_proof(server: Front) -> None:
    with server.stream(temperature=0) as stream:
        last = list(stream)[-1]
    assert last["choices"][0]["finish_reason"] == "stop" and last["studio"]["lane"] == "starter"
    assert "usage" not in last


def test_a_seed_is_said_and_gives_the_same_answer_again(server: Front) -> None:
    asked: dict[str, Any] = {"messages": WILD, "temperature": 2, "max_tokens": 12}
    first = server.ask(**asked)
    again = server.ask(**asked, seed=first["studio"]["seed"])
    other = [server.words(**asked, seed=seed) for seed in range(4)]
    assert again["choices"][0]["message"] == first["choices"][0]["message"]
    assert len(set(other)) > 1


def test_a_stop_string_ends_the_answer_and_is_not_said(server: Front) -> None:
    found = server.ask(stop=["=4"])
    assert found["choices"][0]["message"]["content"] == "12+30"
    assert found["choices"][0]["finish_reason"] == "stop"


def test_the_end_of_the_answer_is_its_length_where_it_was_cut(server: Front) -> None:
    found = server.ask(max_tokens=3)
    assert found["choices"][0]["finish_reason"] == "length" and found["usage"]["completion_tokens"] == 3


def test_an_answer_goes_on_from_the_words_that_are_given(server: Front) -> None:
    messages = [*SUM, {"role": "assistant", "content": "12+30="}]
    assert server.words(messages=messages, continue_final_message=True) == "42"


def test_thinking_is_told_apart_from_the_words(server: Front) -> None:
    chat = ChatTokenizer.load(Workspace(PROJECT).starter)
    begun = chat.encode_text("<think>\nten and\n two\n</think>\n\n12+30=")
    message = server.ask(prefix_ids=begun)["choices"][0]["message"]
    assert message["reasoning_content"] == "ten and\n two" and message["content"].startswith("12+30=")
    with server.stream(prefix_ids=begun, temperature=0) as stream:
        deltas = [one["choices"][0]["delta"] for one in stream if one["choices"]]
    assert "".join(one.get("reasoning_content", "") for one in deltas) == "ten and\n two"
    assert "".join(one.get("content") or "" for one in deltas) == message["content"]


def test_an_answer_begins_with_the_tokens_that_are_asked_for(server: Front) -> None:
    chat = ChatTokenizer.load(Workspace(PROJECT).starter)
    found = server.ask(prefix_ids=chat.encode_text("12+31="), logprobs=True, top_logprobs=3)
    choice = found["choices"][0]
    assert choice["message"]["content"].startswith("12+31=")
    ids = [one["id"] for one in choice["logprobs"]["content"]]
    assert ids[:6] == chat.encode_text("12+31=") and chat.decode(ids) == choice["message"]["content"]
    assert all(len(one["top_logprobs"]) == 3 and one["top_logprobs"][0]["id"] >= 0
               for one in choice["logprobs"]["content"][6:])


def test_the_second_turn_reads_only_what_is_new(server: Front) -> None:
    words = " ".join(f"number {count}" for count in range(60))
    first = [{"role": "user", "content": words}]
    answer = server.words(messages=first)
    second = server.ask(messages=[*first, {"role": "assistant", "content": answer}, *SUM])["studio"]
    assert second["reused_tokens"] > 0.8 * (second["prompt_tokens"] - 30)


def test_several_answers_come_side_by_side(server: Front) -> None:
    found = server.ask(n=3, temperature=1.0)
    assert [one["index"] for one in found["choices"]] == [0, 1, 2]
    beams = server.ask(num_beams=3)
    assert beams["choices"][0]["message"]["content"] == "12+30=42"


# ---- texts ----

def test_a_text_goes_on_without_a_template(server: Front) -> None:
    prompt = "<|im_start|>user\nWhat is 12+30?<|im_end|>\n<|im_start|>assistant\n"
    found = server.post("/v1/completions", model="starter", prompt=[prompt, prompt], temperature=0).json()
    assert [(one["index"], one["text"]) for one in found["choices"]] == [(0, "12+30=42"), (1, "12+30=42")]
    assert found["usage"]["completion_tokens"] == 16


def test_many_texts_at_once_are_answered_in_their_order(server: Front) -> None:
    prompts = [f"<|im_start|>user\nWhat is 12+{n}?<|im_end|>\n<|im_start|>assistant\n" for n in range(30, 70)]
    found = server.post("/v1/completions", model="starter", prompt=prompts, temperature=0).json()["choices"]
    assert [one["index"] for one in found] == list(range(40))
    assert sum(one["text"] == f"12+{n}={12 + n}" for one, n in zip(found, range(30, 70), strict=True)) > 35


def test_token_ids_are_echoed_with_their_log_probabilities(server: Front) -> None:
    chat = ChatTokenizer.load(Workspace(PROJECT).starter)
    prompt = chat.render([{"role": "user", "content": "What is 12+30?"}], add_generation_prompt=True) + "12+30=42"
    ids = chat.encode_text(prompt)
    for most in (1, 0):
        found = server.post("/v1/completions", model="starter", prompt=[ids], echo=True, logprobs=1, max_tokens=most,
                            temperature=0).json()["choices"][0]["logprobs"]
        scored = found["token_logprobs"][:len(ids)]
        assert len(found["token_logprobs"]) == len(ids) + most
        assert scored[0] is None and all(one <= 0 for one in scored[1:])
        assert all(value == max(tops.values()) for value, tops in
                   zip(scored[-8:], found["top_logprobs"][len(ids) - 8:len(ids)], strict=True))
    assert sum(scored[-8:]) > -0.1 > sum(scored[1:-8])


def test_a_streamed_text_says_what_the_whole_does(server: Front) -> None:
    body = {"model": "starter", "prompt": "<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n", "temperature": 0}
    whole = server.post("/v1/completions", **body).json()["choices"][0]["text"]
    with server.client.stream("POST", "/v1/completions", json={**body, "stream": True}) as reply:
        assert "".join(one["choices"][0]["text"] for one in events(reply)) == whole


def test_vectors_of_like_texts_are_alike(server: Front) -> None:
    rows = server.post("/v1/embeddings", model="base", input=["12+30", "12+31", "hello world"]).json()["data"]
    first, near, far = (row["embedding"] for row in rows)
    assert abs(sum(x * x for x in first) - 1) < 1e-3
    assert dot(first, near) > dot(first, far)


def dot(one: list[float], other: list[float]) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def test_the_older_systems_plain_form_answers(server: Front) -> None:
    found = server.post("/", prompt="What is 12+30?", history=[["What is 1+1?", "1+1=2"]], temperature=0.01).json()
    assert found["response"] == "12+30=42" and found["status"] == 200
    assert found["history"] == [["What is 1+1?", "1+1=2"], ["What is 12+30?", "12+30=42"]]


# ---- refusals ----

def messages(*content: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": one} for one in content]}


REFUSED: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"model": "tuend"}, 404, "model", "model_not_found"),
    ({"model": None}, 400, "model", "body_needs"),
    ({"model": 3}, 400, "model", "not_text"),
    ({"messages": []}, 400, "messages", "messages_empty"),
    ({"messages": None}, 400, "messages", "body_needs"),
    ({"messages": ["hi"]}, 400, "messages[0]", "message_type"),
    (messages("hi", role="robot"), 400, "messages[0].role", "message_role"),
    (messages(None), 400, "messages[0].content", "body_needs"),
    (messages([{"type": "image_url", "image_url": {"url": "data:"}}]), 400, "messages[0].content[0]", "message_part"),
    ({"temperature": 99}, 422, "temperature", "at_most"),
    ({"temperature": "hot"}, 400, "temperature", "not_float"),
    ({"top_p": 0}, 422, "top_p", "more_than"),
    ({"max_tokens": 0}, 422, "max_tokens", "at_least"),
    ({"max_tokens": -1}, 422, "max_tokens", "at_least"),
    ({"max_completion_tokens": 1.5}, 400, "max_completion_tokens", "not_int"),
    ({"n": 0}, 422, "n", "at_least"),
    ({"n": True}, 400, "n", "not_int"),
    ({"n": 64}, 422, "n", "rows_too_many"),
    ({"stop": [""]}, 400, "stop", "body_stop"),
    ({"stream": "yes"}, 400, "stream", "body_type"),
    ({"logit_bias": {"a": 1}}, 400, "logit_bias", "body_bias"),
    ({"top_logprobs": 2}, 400, "top_logprobs", "top_logprobs_alone"),
    ({"logprobs": True, "top_logprobs": 21}, 422, "top_logprobs", "at_most"),
    ({"temprature": 1}, 400, "temprature", "body_key_unknown"),
    ({"response_format": {"type": "xml"}}, 400, "response_format", "body_format"),
    ({"tools": [{"type": "function"}]}, 400, "tools[0]", "tool_shape"),
    ({"tool_choice": "required"}, 400, "tool_choice", "tool_choice_empty"),
    ({"continue_final_message": True}, 400, "continue_final_message", "continue_what"),
    ({"prefix_ids": [-1]}, 400, "prefix_ids", "body_ids"),
    (messages("number " * 3000), 400, "messages", "context_length_exceeded"),
]


@pytest.mark.parametrize(("wrong", "status", "param", "code"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_refused_by_its_name(server: Front, wrong: dict[str, Any], status: int, param: str | None,
                                              code: str) -> None:
    error = server.ask(**{"status": status, **wrong})["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error" and error["message"].strip()


def test_a_sentence_says_the_value_and_what_is_allowed(server: Front) -> None:
    assert server.ask(temperature=99, status=422)["error"]["message"] == "temperature is 99; it must be at most 2."
    assert "tuned" in server.ask("tuend", status=404)["error"]["message"]
    long = server.ask(**messages("number " * 3000), status=400)["error"]["message"]
    assert "2048" in long and any(word.isdigit() and int(word) > 3000 for word in long.split())


@pytest.mark.parametrize(("body", "status", "code"), [
    (b"{", 400, "body_not_json"), (b"", 400, "body_not_json"), (b"\xff\xfe", 400, "body_not_json"),
    (b"[1]", 400, "body_not_object"), (b'{"model": "starter", "messages": ' + b"[" * 3000, 400, "body_not_json"),
    (b'"' + b"x" * (10 << 20) + b'"', 413, "body_too_large"),
])
def test_a_body_that_is_no_request_is_refused(server: Front, body: bytes, status: int, code: str) -> None:
    reply = server.client.post("/v1/chat/completions", content=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_a_body_without_an_end_is_cut_off_while_it_is_read(server: Front) -> None:
    def endless() -> Any:
        for _ in range(12):
            yield b"x" * (1 << 20)

    reply = server.client.post("/v1/chat/completions", content=endless())
    assert reply.status_code == 413


def test_a_page_that_is_not_there_and_a_verb_that_is_not_taken_are_refused(server: Front) -> None:
    assert server.client.get("/v2/models").json()["error"]["code"] == "route_unknown"
    assert server.client.get("/v1/chat/completions").status_code == 405


# ---- who may ----

@pytest.mark.parametrize(("header", "status", "code"), [
    ({}, 401, "api_key_needed"), ({"Authorization": "Bearer wrong"}, 401, "invalid_api_key"),
    ({"Authorization": f"Basic {KEY}"}, 401, "invalid_api_key"), ({"Authorization": f"Bearer {OTHER_KEY}"}, 200, None),
])
def test_only_a_key_opens_the_server(server: Front, header: dict[str, str], status: int, code: str | None) -> None:
    reply = httpx.get(f"{server.url}/v1/models", headers=header)
    assert reply.status_code == status
    assert reply.json().get("error", {}).get("code") == code
    assert httpx.get(f"{server.url}/health").status_code == 200
    assert KEY not in reply.text + server.errors.read_text()


def test_no_key_stands_in_a_command_line_or_in_a_workers_environment(server: Front) -> None:
    for worker in server.workers():
        assert KEY not in " ".join(worker.cmdline()) and "STUDIO_API_KEYS" not in worker.environ()


def test_a_page_of_another_origin_is_refused(server: Front) -> None:
    reply = server.client.post("/v1/chat/completions", headers={"Origin": "http://evil.example"}, json={})
    assert reply.status_code == 403 and "access-control-allow-origin" not in reply.headers
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert server.client.options("/v1/chat/completions", headers=asked).status_code == 403


# ---- many ----

def test_a_client_that_vanishes_frees_its_place(server: Front) -> None:
    endless = {"n": 8, "max_tokens": 1900, "messages": WILD, "temperature": 2, "logit_bias": {"0": -100, "2": -100}}
    with server.stream(**endless) as stream:
        for _, _ in zip(range(3), stream, strict=False):
            pass
    wait(lambda: server.metric("studio_rows") == 0, 3)
    assert 'studio_answers_total{reason="cancelled"}' in server.client.get("/metrics").text


def test_more_than_the_queue_holds_are_asked_to_come_back(server: Front) -> None:
    replies: list[httpx.Response] = []

    def ask() -> None:
        replies.append(httpx.post(f"{server.url}/v1/chat/completions", timeout=60, headers={
            "Authorization": f"Bearer {KEY}"}, json={"model": "starter", "messages": WILD, "n": 8, "max_tokens": 400,
                                                     "temperature": 2.0}))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(reply.status_code for reply in replies)
    assert codes[0] == 200 and codes[-1] == 429, codes
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1 and refused.json()["error"]["type"] == "rate_limit_error"


def test_a_thousand_idle_connections_do_not_keep_the_next_from_an_answer(server: Front) -> None:
    import socket

    host, port = "127.0.0.1", int(server.url.rpartition(":")[2])
    idle = []
    try:
        for _ in range(1000):
            idle.append(socket.create_connection((host, port), timeout=10))
            idle[-1].sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
        assert server.words() == "12+30=42"
    finally:
        for one in idle:
            one.close()
    assert server.words() == "12+30=42"


# ---- what it says of itself ----

def test_the_figures_are_in_prometheus_form(server: Front) -> None:
    server.ask()
    text = server.client.get("/metrics").text
    assert 'studio_requests_total{route="/v1/chat/completions",code="200"}' in text
    for name in ("studio_tokens_total", "studio_rows", "studio_queue", "studio_cache_bytes", "studio_resident_bytes",
                 "studio_first_token_seconds_bucket"):
        assert name in text
    count = server.metric("studio_first_token_seconds_count")
    server.ask()
    assert server.metric("studio_first_token_seconds_count") == count + 1


def test_the_docs_need_nothing_from_outside(server: Front) -> None:
    page = httpx.get(f"{server.url}/docs").text
    assert "/v1/chat/completions" in page and "temperature" in page
    assert "http" not in page.replace(server.url, "") and "<script" not in page
    assert "/v1/embeddings" in httpx.get(f"{server.url}/openapi.json").json()["paths"]


def test_lanes_and_what_they_would_cost_are_told(server: Front) -> None:
    found = server.client.get("/studio/lanes").json()
    assert [(one["name"], one["state"]) for one in found["lanes"]] == [
        ("starter", "loaded"), ("tuned", "loaded"), ("caller", "loaded")]
    cost = server.client.get("/studio/estimate", params={"model": "tuned"}).json()
    assert cost["fits"] and cost["bytes"] > 1e6 and cost["available_bytes"] > cost["bytes"]


def test_the_front_knows_no_torch() -> None:
    program = ("import sys, studio.engine.__main__, studio.engine.server.front; "
               "print([name for name in ('torch', 'transformers', 'gradio') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
