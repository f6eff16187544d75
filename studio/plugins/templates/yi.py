"""Yi Chat, by 01.AI: ChatML without a system text of its own."""

ORDER = 55
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("yi-*chat",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END = "<|im_end|>"
