"""Chinese-LLaMA-2 and Chinese-Alpaca-2, by Cui and others: Llama 2's form with a bilingual system text of its own."""

ORDER = 41
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("chinese-alpaca-2*", "chinese-llama-2*")
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set ns = namespace(system='<<SYS>>\nYou are a helpful assistant. 你是一个乐于助人的助手。\n<</SYS>>\n\n') %}"
    "{% for message in messages %}{% if message.role == 'system' %}"
    "{% set ns.system = '<<SYS>>\n' + message.content | trim + '\n<</SYS>>\n\n' %}"
    "{% elif message.role == 'user' %}{{ bos_token or '' }}[INST] {{ ns.system }}{{ message.content | trim }}"
    " [/INST]{% set ns.system = '' %}"
    "{% elif message.role == 'assistant' %} {{ message.content | trim }}{{ eos_token or '' }}{% endif %}"
    "{% endfor %}"
)
