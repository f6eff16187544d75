"""Qwen 3 Instruct (2507) and other Qwen 3 models without thinking, by Alibaba: ChatML with tools."""

from studio.plugins.templates import _hermes

ORDER = 24
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("qwen3*instruct*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% if tools %}<|im_start|>system{{ '\n' }}{% if system %}{{ system }}{{ '\n\n' }}{% endif %}"
    + _hermes.HEAD +
    "{% elif messages[0].role == 'system' %}<|im_start|>system{{ '\n' }}{{ system }}<|im_end|>{{ '\n' }}{% endif %}"
    "{% for message in messages %}"
    "{% if message.role == 'user' or (message.role == 'system' and not loop.first) %}"
    "<|im_start|>{{ message.role }}{{ '\n' }}{{ message.content }}<|im_end|>{{ '\n' }}"
    "{% elif message.role == 'assistant' %}<|im_start|>assistant{{ '\n' }}{{ message.content }}"
    "{% for call in message.tool_calls or [] %}{% if message.content or not loop.first %}{{ '\n' }}{% endif %}"
    + _hermes.CALL + "{% endfor %}<|im_end|>{{ '\n' }}"
    "{% elif message.role == 'tool' %}" + _hermes.RESULT + "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\n' }}{% endif %}"
)
END = "<|im_end|>"
