"""ChatML, as OpenAI published it; Qwen and many others use it. It knows no tools."""

ORDER = 20
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("*chatml*", "*hermes*")
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END = "<|im_end|>"
