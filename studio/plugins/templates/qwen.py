"""Qwen 2.5 Instruct, by Alibaba: ChatML with a system text of its own and tools."""

from studio.plugins.templates import _hermes

ORDER = 22
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("qwen2*", "qwen1.5*")
ALIASES: tuple[str, ...] = ("qwen2", "qwen2.5")
DEFAULT = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
JINJA = (
    "{% if messages[0].role == 'system' %}<|im_start|>system{{ '\n' }}{{ messages[0].content }}"
    "{% else %}<|im_start|>system{{ '\n' }}" + DEFAULT + "{% endif %}"
    "{% if tools %}{{ '\n\n' }}" + _hermes.HEAD + "{% else %}<|im_end|>{{ '\n' }}{% endif %}"
    "{% for message in messages %}"
    "{% if message.role == 'user' or (message.role == 'system' and not loop.first) %}"
    "<|im_start|>{{ message.role }}{{ '\n' }}{{ message.content }}<|im_end|>{{ '\n' }}"
    "{% elif message.role == 'assistant' %}<|im_start|>assistant"
    "{% if message.content or not message.tool_calls %}{{ '\n' }}{{ message.content }}{% endif %}"
    "{% for call in message.tool_calls or [] %}{{ '\n' }}" + _hermes.CALL + "{% endfor %}<|im_end|>{{ '\n' }}"
    "{% elif message.role == 'tool' %}" + _hermes.RESULT + "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\n' }}{% endif %}"
)
END = "<|im_end|>"
