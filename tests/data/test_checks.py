"""The doctor's heuristics on their own: what they take for a fault and what not."""

from __future__ import annotations

import pytest

from studio.plugins import plugin
from studio.plugins.checks import Case
from studio.sample import Message, Sample


def says(code: str, answer: str, question: str = "Please go on.") -> bool:
    """Whether a check finds fault with an answer."""
    case = Case(0, Sample((Message("user", question), Message("assistant", answer))))
    return plugin("checks", code).see(case) is not None


LONG = "The first thing to know is that it takes some time before anything is seen at all"


@pytest.mark.parametrize("answer", [
    "It is blue", "42", "A.", "yes", "Because it was raining", "Paris, London, Rome", "3.", "x = 5", "…",
    "We went home. It was late. The dog slept, and then he woke up.",
    "He left. She stayed. Nobody knew why - not even I!",
    "We like it. It is red. More at https://a.example/b", "Fresh. Sweet. Yours today! #jam #fruit",
    "```python\nprint(1)\n```", "Use ```open``` and ```start``` for that.", '{"a": [1, 2], "b": "}"}',
    "Dear Ann,\n" + LONG + ".\n\nBest regards,", "1. Salt\n2. Pepper\n3. Oil", "| a | b |\n| - | - |\n| 1 | 2 |",
    "我喜欢苹果", "今天天气很好。我们去公园。大家都很高兴。", "好的。没问题。我马上去。明天见", "共有 3 种",
    "- 红色\n- 蓝色", "答案是：\n42",
])
def test_a_whole_answer_is_not_cut_off(answer):
    assert not says("cut_off", answer)


@pytest.mark.parametrize("answer", [
    "We went home. It was late. The dog was already sleeping on the old",
    "Take the pan and heat it slowly until the butter has melted and then add the",
    LONG + ", and for that reason,", "Steps:\n1. Wash it\n2. Dry it\n3.", "Code:\n```js\nlet a = 1;",
    '{"a": [1, 2], "b": {',
    "第一，要有耐心。第二，要有方法。第三，坚持每天练习。最后还需要不断地总结经验教训和",
    LONG + " and the list follows here:",
])
def test_an_answer_that_breaks_off_is(answer):
    assert says("cut_off", answer)


@pytest.mark.parametrize("text", [
    "13871926405", "+8613871926405", "138-7192-6405", "+86 138 7192 6405", "11010519491231002X", "4539 5787 6362 1486",
    "4539578763621486", "zhang.wei88@163.com", "(212) 736-5001", "212-736-5001",
])
def test_personal_data_is_seen(text):
    assert says("personal", f"It is {text}.")


@pytest.mark.parametrize("text", [
    "13812345678", "110105194912310021", "11010519491331002X", "4539578763621487", "me@example.com", "user@host",
    "name@company.com", "555-123-4567", "212-555-0123", "123-456-7890", "3.14159265358979", "1 2 3 4 5 6 7 8 9 10 11",
    "4 8 12 16 20 24 28 32 36 40", "2024-11-21 16:30:00", "10.0.0.138", "x13871926405y", "11111111111", "99999999999",
])
def test_other_numbers_and_examples_are_not_personal(text):
    assert not says("personal", f"It is {text}.")


@pytest.mark.parametrize("text", ["sk-xxxxxxxxxxxxxxxxxxxxxxxx", "the risk-averse investor", "AKIA", "hf_model", "eyJ"])
def test_an_example_of_a_key_is_no_secret(text):
    assert not says("secret", f"It is {text}.")


@pytest.mark.parametrize(("answer", "question"), [
    ("<HTML><BODY>Hi</BODY></HTML>", "Write a page."), ("Use `{{ name }}` in it.", "How?"),
    ("<div>{{ user.name }}</div>", "Write a page."), ("Dear [Your Name],", "Write an email template."),
    ("Dear [Your Name],", "Answer to [Your Name]."), ("[link](http://a.b)", "Where?"), ("x = a[name]", "Code?"),
    ("a <b> c", "Which?"), ("亲爱的【姓名】", "请写一个请假条模板"),
])
def test_brackets_with_a_purpose_are_no_placeholders(answer, question):
    assert not says("placeholder", answer, question)


@pytest.mark.parametrize(("answer", "question"), [
    ("The Yangtze is the longest river in Asia and flows to the sea.", "请把这句话翻译成英文：长江是亚洲最长的河"),
    ("def reverse(items): return list(reversed(items)) and nothing more than that", "请写一个把列表倒过来的函数"),
    ("它的英文缩写是 GPU，全称是 Graphics Processing Unit，用于图形计算。", "什么是图形处理器？请简单地说"),
    ("OK.", "你好，请问今天天气怎么样呢"), ("こんにちは", "What is hello in Japanese? 你知道吗"),
])
def test_another_language_that_was_asked_for_is_no_mix(answer, question):
    assert not says("language_mix", answer, question)


@pytest.mark.parametrize("text", [
    "邮件：应聘职位中天软件公司产品经理", "Café Français à Zürich", "naïve – “quoted” … 100 €", "こんにちは世界",
    "Москва", "联通不通，移动通", "龘靐齉爩鱻麤龗灪", "😀 🎉 👍🏽", "x ≤ y ∧ z ≠ ∅", "ÀÉÎÕÜ", "한국어", "𠮷野家", "锟",
])
def test_healthy_text_is_left_as_it_is(text):
    assert plugin("checks", "mojibake").mend(text) == text and not says("mojibake", text)


@pytest.mark.parametrize("text", ["今天下雨了吗朋友", "Françoise Yip", "It’s – so", "naïve café", "很高兴见"])
def test_damaged_text_becomes_what_it_was(text):
    wrong = "cp1252" if text.isascii() or text[0] < "\u0100" else "gb18030"
    damaged = text.encode().decode(wrong)
    assert damaged != text and says("mojibake", damaged)
    assert plugin("checks", "mojibake").mend(damaged) == text


@pytest.mark.parametrize(("text", "mended"), [
    (" a ", "a"), ("\n\na\n", "a"), ("    x = 1\n    y = 2\n", "    x = 1\n    y = 2"), ("a\n\nb", "a\n\nb"), ("", ""),
    ("\n    if x:\n        y()", "    if x:\n        y()"), ("  a\nb", "a\nb"),
])
def test_white_space_goes_and_indents_stay(text, mended):
    mend = plugin("checks", "white_space").mend
    assert mend(text) == mended and mend(mended) == mended


@pytest.mark.parametrize("answer", ["None", "null", "No.", "0", "无", "<", "ok", "空气", "N"])
def test_a_short_answer_may_be_the_right_one(answer):
    assert not says("hollow_answer", answer)
