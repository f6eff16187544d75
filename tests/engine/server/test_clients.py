"""The programs that people have already work unchanged: the official client, LangChain, curl."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.engine.server.conftest import ADD
from tests.engine.server.fronts import KEY, SUM, Front

openai = pytest.importorskip("openai")
pytestmark = pytest.mark.slow
QUESTION: list[Any] = [{"role": "user", "content": "Add 5 and 10."}]


@pytest.fixture
def client(server: Front) -> Any:
    """The official client."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)


def test_the_official_client_asks_whole_and_streamed(client: Any) -> None:
    found = client.chat.completions.create(model="base", messages=SUM, temperature=0)
    assert found.choices[0].message.content == "12+30=42"
    assert (found.usage.completion_tokens, found.choices[0].finish_reason) == (8, "stop")
    stream = client.chat.completions.create(model="base", messages=SUM, temperature=0, stream=True,
                                            stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "12+30=42"
    assert chunks[-1].usage.total_tokens == found.usage.total_tokens
    assert chunks[-1].model_extra["studio"]["base_hash"] == found.model_extra["studio"]["base_hash"]


def test_the_official_client_asks_many_at_once(server: Front) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
            async def one(model: str, number: int) -> str:
                stream = await client.chat.completions.create(model=model, temperature=0, stream=True, messages=[
                    {"role": "user", "content": f"What is 12+{number}?"}])
                return "".join([part.choices[0].delta.content or "" async for part in stream])

            return await asyncio.gather(*(one(model, number) for number in (30, 41) for model in ("base", "tuned")))

    answers = asyncio.run(ask())
    assert answers[0] == "12+30=42" and answers[2] == "12+41=53" and answers[1] not in ("", answers[0])


def test_the_official_client_sees_models_several_answers_and_log_probabilities(client: Any) -> None:
    assert {"starter", "tuned", "base"} <= {one.id for one in client.models.list()}
    assert client.models.retrieve("tuned").id == "tuned"
    found = client.chat.completions.create(model="base", messages=SUM, n=3, logprobs=True, top_logprobs=2,
                                           temperature=0.5, max_tokens=4, seed=1)
    assert [one.index for one in found.choices] == [0, 1, 2]
    for choice in found.choices:
        assert len(choice.logprobs.content) == 4
        assert "".join(one.token for one in choice.logprobs.content) == choice.message.content
        assert all(len(one.top_logprobs) == 2 and one.logprob <= 0 for one in choice.logprobs.content)


def test_the_official_client_goes_round_with_a_tool(client: Any) -> None:
    first = client.chat.completions.create(model="caller", messages=QUESTION, tools=[ADD], temperature=0)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls" and message.content is None
    call = message.tool_calls[0]
    assert call.function.name == "add" and json.loads(call.function.arguments).keys() == {"a", "b"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "15"}
    turns = [*QUESTION, message.model_dump(exclude_none=True), result]
    second = client.chat.completions.create(model="caller", messages=turns, tools=[ADD], temperature=0)
    assert "It is" in second.choices[0].message.content and second.choices[0].finish_reason == "stop"


def test_the_official_client_hears_a_streamed_call(client: Any) -> None:
    stream = client.chat.completions.create(model="caller", messages=QUESTION, tools=[ADD], temperature=0, stream=True)
    calls, reasons = [], []
    for chunk in stream:
        calls += chunk.choices[0].delta.tool_calls or []
        reasons.append(chunk.choices[0].finish_reason)
    assert [one.function.name for one in calls] == ["add"] and reasons[-1] == "tool_calls"
    assert isinstance(json.loads(calls[0].function.arguments)["a"], int)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_a_call_that_must_be_made_is_made(client: Any, choice: Any) -> None:
    found = client.chat.completions.create(model="caller", messages=[{"role": "user", "content": "hello"}], tools=[ADD],
                                           tool_choice=choice, temperature=0, max_tokens=200)
    message = found.choices[0].message
    assert [one.function.name for one in message.tool_calls] == ["add"] and not message.content
    assert set(json.loads(message.tool_calls[0].function.arguments)) == {"a", "b"}


def test_tools_are_not_called_where_none_may_be(client: Any) -> None:
    found = client.chat.completions.create(model="caller", messages=QUESTION, tools=[ADD], tool_choice="none",
                                           temperature=0, max_tokens=30)
    assert found.choices[0].message.tool_calls is None
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="base", messages=QUESTION, tools=[ADD])
    assert refused.value.code == "template_without_tools"


def test_the_official_client_gets_json_and_what_a_schema_says(client: Any) -> None:
    found = client.chat.completions.create(model="base", messages=SUM, temperature=0, max_tokens=60,
                                           response_format={"type": "json_object"}, seed=1)
    if found.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(found.choices[0].message.content), dict)
    schema = {"type": "object", "properties": {"sum": {"type": "integer", "minimum": 0, "maximum": 99}},
              "required": ["sum"], "additionalProperties": False}
    found = client.chat.completions.create(model="base", messages=SUM, temperature=0, max_tokens=60, response_format={
        "type": "json_schema", "json_schema": {"name": "sum", "schema": schema, "strict": True}})
    assert json.loads(found.choices[0].message.content).keys() == {"sum"}


def test_the_official_client_gets_vectors_and_texts(client: Any) -> None:
    packed = client.embeddings.create(model="base", input=["12+30", "hello"])
    plain = client.embeddings.create(model="base", input=["12+30", "hello"], encoding_format="float")
    assert len(packed.data) == 2 and packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    text = client.completions.create(model="base", prompt="12+30=", max_tokens=4, temperature=0, logprobs=2, echo=True)
    assert text.choices[0].text.startswith("12+30=") and len(text.choices[0].logprobs.token_logprobs) > 4


def test_the_official_client_raises_what_is_wrong(client: Any, server: Front) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="tunde", messages=SUM)
    assert unknown.value.code == "model_not_found" and "tuned" in str(unknown.value)
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="base", messages=SUM, temperature=99)
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="base", messages=[{"role": "user", "content": "one " * 4000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong").models.list()


# ---- LangChain ----

@pytest.fixture
def langchain(server: Front) -> Any:
    """`langchain(model)` is a chat model of langchain-openai."""
    chain = pytest.importorskip("langchain_openai")
    return lambda model, **more: chain.ChatOpenAI(model=model, base_url=f"{server.url}/v1", api_key=KEY, temperature=0,
                                                  **more)


def test_langchain_asks_whole_and_streamed(langchain: Any) -> None:
    chat = langchain("base")
    found = chat.invoke("What is 12+30?")
    assert found.content == "12+30=42" and found.usage_metadata["output_tokens"] == 8
    pieces = list(chat.stream("What is 12+30?"))
    assert "".join(one.content for one in pieces) == "12+30=42" and len(pieces) > 4
    assert [one.content for one in chat.batch(["What is 12+30?", "What is 12+41?"])] == ["12+30=42", "12+41=53"]


def test_langchain_calls_a_tool(langchain: Any) -> None:
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    found = langchain("caller").bind_tools([add]).invoke("Add 5 and 10.")
    assert [one["name"] for one in found.tool_calls] == ["add"]
    assert set(found.tool_calls[0]["args"]) == {"a", "b"}
    forced = langchain("caller").bind_tools([add], tool_choice="add").invoke("hello")
    assert [one["name"] for one in forced.tool_calls] == ["add"]


def test_langchain_makes_vectors(server: Front) -> None:
    chain = pytest.importorskip("langchain_openai")
    made = chain.OpenAIEmbeddings(model="base", base_url=f"{server.url}/v1", api_key=KEY,
                                  check_embedding_ctx_length=False).embed_documents(["12+30", "hello"])
    assert len(made) == 2 and len(made[0]) == 128


# ---- curl ----

@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_asks_whole_and_streamed(server: Front) -> None:
    def curl(*words: str, **body: Any) -> str:
        command = ["curl", "-sS", *words, f"{server.url}/v1/chat/completions", "-H", f"Authorization: Bearer {KEY}",
                   "-H", "Content-Type: application/json", "-d", json.dumps({"model": "base", "messages": SUM,
                                                                            "temperature": 0, **body})]
        return subprocess.run(command, text=True, capture_output=True, timeout=60, check=True).stdout

    assert json.loads(curl())["choices"][0]["message"]["content"] == "12+30=42"
    lines = [line for line in curl("-N", stream=True).splitlines() if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"
    assert "HTTP/1.1 422" in curl("-i", temperature=9)
