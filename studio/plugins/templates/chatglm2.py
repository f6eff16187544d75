"""ChatGLM2, by THUDM: numbered rounds after [gMASK] sop; ChatGLM-Efficient-Tuning wrote it so too."""

ORDER = 71
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("chatglm2*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set ns = namespace(round=0) %}[gMASK]sop{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}"
    "{% set ns.round = ns.round + 1 %}{{ '\n\n' if ns.round > 1 else '' }}[Round {{ ns.round }}]\n\n问：{{"
    " message.content }}\n\n答：{% elif message.role == 'assistant' %}{{ message.content }}"
    "{% endif %}{% endfor %}"
)
