"""The gate: what passes, what does not and why."""

import pytest

from rewards.format import FAILURES
from rewards.format import TAGS
from rewards.format import mended
from rewards.format import parse
from rewards.format import render


def test_parsing_gives_back_what_was_rendered_without_outer_white_space():
  completion = parse(render(" 6 times 7\nis 42. ", " 42\n"))
  assert (completion.reasoning, completion.answer, completion.failure) == ("6 times 7\nis 42.", "42", None)


@pytest.mark.parametrize(
    "text",
    [
        "<reasoning>a</reasoning><answer>b</answer>",
        "Sure!\n<reasoning>a</reasoning>\n\nso\n<answer>b</answer>\nDone.",
        "<reasoning>a < b > c </p></reasoning><answer>b</answer>",
        "<reasoning>a <Answer> b</reasoning><answer>b</answer>",  # another case is plain text
        "<reasoning>\u60f3</reasoning><answer>\U0001f914</answer>",
    ],
)
def test_one_closed_pair_of_each_in_order_passes(text):
  assert parse(text).failure is None


@pytest.mark.parametrize(
    "text, failure",
    [
        ("", "missing"),
        ("42", "missing"),
        ("<reasoning>a</reasoning>42", "missing"),
        ("<answer>42</answer>", "missing"),
        ("<Reasoning>a</Reasoning><answer>b</answer>", "missing"),
        ("< reasoning>a</reasoning><answer>b</answer>", "missing"),
        ("</reasoning><answer>b</answer>", "missing"),
        ("<reasoning>a", "unclosed"),
        ("<reasoning>a</reasoning><answer>b", "unclosed"),
        ("<reasoning>a<answer>b</answer>", "unclosed"),
        ("<reasoning>a</reasoning><answer>b</answer", "unclosed"),
        ("<answer>b</answer><reasoning>a</reasoning>", "order"),
        ("<reasoning>a<answer>b</answer></reasoning>", "order"),
        ("<reasoning>a<answer></reasoning>b</answer>", "order"),
        ("</reasoning>a<reasoning><answer>b</answer>", "order"),
        ("<reasoning>a</reasoning><answer>b</answer><answer>c</answer>", "duplicate"),
        ("<reasoning>a</reasoning><reasoning>a</reasoning><answer>b</answer>", "duplicate"),
        ("<reasoning>a</reasoning><answer>b</answer></answer>", "duplicate"),
        ("<reasoning>a</reasoning><answer><answer>b</answer>", "duplicate"),
        ("<reasoning></reasoning><answer>b</answer>", "empty"),
        ("<reasoning>a</reasoning><answer> \n\t</answer>", "empty"),
    ],
)
def test_everything_else_is_refused_with_its_cause_and_nothing_to_score(text, failure):
  completion = parse(text)
  assert (completion.failure, completion.reasoning, completion.answer) == (failure, "", "")
  assert failure in FAILURES and completion.text == text


@pytest.mark.parametrize(
    "nothing", ["\u200b", "\u00a0", "\u2800", "\u3164", "\ufe0f", "\x00\x07", "\u202e\u202c", "\U000e0041", "\ud800"]
)
def test_what_renders_as_nothing_is_empty(nothing):
  assert parse(render("a", nothing)).failure == "empty"
  assert parse(render(nothing, "b")).failure == "empty"
  assert parse(render(f"a{nothing}", f"{nothing}b")).failure is None


def test_a_lone_surrogate_reaches_no_component():
  completion = parse(render("a \ud800", "4\udfff2"))
  assert (completion.reasoning, completion.answer) == ("a \ufffd", "4\ufffd2")
  assert completion.text == render("a \ud800", "4\udfff2")


def test_a_megabyte_of_opening_tags_is_parsed_in_linear_time():
  assert parse("<reasoning>" * 100_000).failure == "unclosed"
  assert parse("<" * 1_000_000).failure == "missing"


@pytest.mark.parametrize(
    "text, reasoning, answer",
    [
        ("<reasoning>6 times 7</reasoning>\n42", "6 times 7", "42"),
        ("So <answer>41</answer> no, <answer>42</answer> it is.", "So  41  no,", "42"),
        ("<answer>42</answer><reasoning>late</reasoning>", None, None),  # nothing stands before the answer
        ("42", "42", "42"),
        ("", None, None),
    ],
)
def test_a_lenient_reader_puts_a_refused_completion_into_the_format_where_it_can(text, reasoning, answer):
  assert parse(text).failure
  completion = parse(mended(text))
  assert (completion.reasoning, completion.answer) == (reasoning or "", answer or "")
  assert completion.failure == (None if answer else "empty")


@pytest.mark.parametrize("tag", TAGS)
def test_what_a_lenient_reader_makes_has_each_tag_once(tag):
  assert mended("".join(TAGS) * 3 + tag).count(tag) == 1


@pytest.mark.parametrize("nothing", [
    "&nbsp;", "&#160; &emsp;", "?", "...", "\u2014", "<br>", "<p> </p>", "<!-- -->", "$$", r"\quad", "**", "\U0001f914", "=",
    "banana banana banana", "Banana, banana!", "so so", "5 5 5", "yes\nyes\nyes",
])  # fmt: skip
def test_a_reasoning_without_a_word_or_with_one_over_and_over_is_empty(nothing):
  assert parse(render(nothing, "60")).failure == "empty"


@pytest.mark.parametrize("said", ["a", "Multiply.", "\u60f3", "12+12+12", "5 * 5", "5\u00d75 = 25", "2x = x + x", "no, yes", "a < b, b > c"])
def test_few_words_and_bare_arithmetic_are_a_reasoning(said):
  assert parse(render(said, "60")).failure is None
