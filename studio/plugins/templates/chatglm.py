"""ChatGLM-6B as ChatGLM-Efficient-Tuning trained it: numbered rounds, the last answer behind [gMASK] and <sop>.

Everything before <sop> is seen from both sides, so that only the last answer can be learned.
"""

ORDER = 70
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("chatglm-6b*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set ns = namespace(round=0) %}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}"
    "{% set ns.round = ns.round + 1 %}{{ '\n\n' if ns.round > 1 else '' }}[Round {{ ns.round }}]\n\n问：{{"
    " message.content }}\n\n答：{% elif message.role == 'assistant' %}"
    "{% if loop.last %}[gMASK]<sop>{{ message.content }}<eop>{% else %}{{ message.content }}{% endif %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}[gMASK]<sop>{% endif %}"
)
END = "<eop>"
LAST_ONLY = True
