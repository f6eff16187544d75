"""InternLM2 Chat, by Shanghai AI Laboratory: ChatML after the beginning of the text."""

ORDER = 56
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("internlm2*", "internlm3*")
ALIASES: tuple[str, ...] = ("intern2",)
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }"
    "}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END = "<|im_end|>"
