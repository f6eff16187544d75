"""DeepSeek V3 and the distilled R1, by DeepSeek; earlier thinking is left out."""

ORDER = 65
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("deepseek-v3*", "deepseek-r1*")
ALIASES: tuple[str, ...] = ("deepseekr1",)
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}{% if message.role == 'system' %}{{ message.content }}"
    "{% elif message.role == 'user' %}<｜User｜>{{ message.content }}"
    "{% elif message.role == 'assistant' %}<｜Assistant｜>"
    "{% if not loop.last and '</think>' in message.content %}{{ message.content.split('</think>')[-1].lstrip('\n') }}"
    "{% else %}{{ message.content }}{% endif %}<｜end▁of▁sentence｜>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)
END = "<｜end▁of▁sentence｜>"
