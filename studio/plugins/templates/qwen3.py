"""Qwen 3, by Alibaba: ChatML with tools and a thinking part before the last answer, empty when nothing was thought."""

from studio.plugins.templates import _hermes

ORDER = 23
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("qwen3*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% if tools %}<|im_start|>system{{ '\n' }}{% if system %}{{ system }}{{ '\n\n' }}{% endif %}"
    + _hermes.HEAD +
    "{% elif messages[0].role == 'system' %}<|im_start|>system{{ '\n' }}{{ system }}<|im_end|>{{ '\n' }}{% endif %}"
    "{% set ns = namespace(asked=0) %}"
    "{% for message in messages %}{% if message.role == 'user' %}{% set ns.asked = loop.index0 %}{% endif %}"
    "{% endfor %}"
    "{% for message in messages %}"
    "{% if message.role == 'user' or (message.role == 'system' and not loop.first) %}"
    "<|im_start|>{{ message.role }}{{ '\n' }}{{ message.content }}<|im_end|>{{ '\n' }}"
    "{% elif message.role == 'assistant' %}"
    "{% set content = message.content %}{% set thought = message.reasoning_content or '' %}"
    "{% if not thought and '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].split('<think>')[-1] %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "<|im_start|>assistant{{ '\n' }}"
    "{% if loop.index0 > ns.asked and (loop.last or thought) %}"
    "<think>{{ '\n' }}{{ thought.strip('\n') }}{{ '\n</think>\n\n' }}{{ content.lstrip('\n') }}"
    "{% else %}{{ content }}{% endif %}"
    "{% for call in message.tool_calls or [] %}{% if content or not loop.first %}{{ '\n' }}{% endif %}" + _hermes.CALL +
    "{% endfor %}<|im_end|>{{ '\n' }}"
    "{% elif message.role == 'tool' %}" + _hermes.RESULT + "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\n' }}{% endif %}"
)
END = "<|im_end|>"
