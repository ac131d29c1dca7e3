"""Columns to sides, and back to what trainers read."""

import json

import pyarrow as pa
import pytest

from selector.errors import InputError, UnknownName
from selector.formats import NAMES, render
from selector.pool import Pool


def pool(rows, **options):
    return Pool.from_table(rows, **options)


def both(rows, **options):
    one = pool(rows, **options)
    return one.format, list(zip(one.instructions.to_pylist(), one.responses.to_pylist(), strict=True))


def chat(*turns, keys=("role", "content")):
    return [dict(zip(keys, turn, strict=True)) for turn in turns]


LONG = chat(("system", "be brief"), ("user", "hi"), ("assistant", "hello"), ("user", "why?"), ("assistant", "so."), ("user", "ok"))


def test_alpaca_with_and_without_input():
    rows = [
        {"instruction": "sum up", "input": "a text", "output": "x"},
        {"instruction": "say hi", "input": "", "output": "hi"},
        {"instruction": "say ho", "input": " \n", "output": "ho"},
        {"instruction": "say ha", "input": None, "output": None},
        {"instruction": "", "input": "only this", "output": "y"},
    ]
    expected = [("sum up\n\na text", "x"), ("say hi", "hi"), ("say ho", "ho"), ("say ha", ""), ("only this", "y")]
    assert both(rows) == ("alpaca", expected)
    assert both([{"instruction": "a", "output": "b"}]) == ("alpaca", [("a", "b")])


def test_the_flat_formats():
    assert both([{"Instruction": "a", "RESPONSE": "b"}]) == ("pair", [("a", "b")])
    assert both([{"instruction": "a", "context": "c", "response": "b"}]) == ("pair", [("a\n\nc", "b")])
    assert both([{"prompt": "a", "completion": "b"}]) == ("prompt-completion", [("a", "b")])
    assert both([{"prompt": "a", "response": "b"}]) == ("prompt-completion", [("a", "b")])
    assert both([{"question": "a", "answer": "b"}]) == ("question-answer", [("a", "b")])


def test_conversational_prompt_and_completion():
    rows = [{"prompt": chat(("system", "s"), ("user", "a")), "completion": chat(("assistant", "b"))}]
    assert both(rows) == ("prompt-completion", [("s\n\na", "b")])


def test_messages_end_at_the_last_assistant_turn():
    rows = [
        {"messages": LONG},
        {"messages": chat(("user", "one"), ("Assistant", "two"))},
        {"messages": chat(("user", "nobody answers"))},
        {"messages": chat(("assistant", "nobody asked"))},
        {"messages": []},
        {"messages": None},
        {"messages": chat(("user", None), ("user", "x"), ("assistant", None))},
    ]
    expected = [
        ("be brief\n\nhi\n\nhello\n\nwhy?", "so."),
        ("one", "two"),
        ("nobody answers", ""),
        ("", "nobody asked"),
        ("", ""),
        ("", ""),
    ]
    assert both(rows) == ("messages", [*expected, ("x", "")])


@pytest.mark.parametrize("as_json", [False, True])
def test_every_turn_is_a_row(as_json):
    turns = [LONG, [], chat(("user", "alone")), chat(("user", "one"), ("assistant", "two"))]
    rows = [{"name": f"c{i}", "messages": json.dumps(one) if as_json else one, "n": i} for i, one in enumerate(turns)]
    got = pool(rows, every_turn=True, id_column="name")
    assert got.instructions.to_pylist() == ["be brief\n\nhi", "be brief\n\nhi\n\nhello\n\nwhy?", "", "alone", "one"]
    assert got.responses.to_pylist() == ["hello", "so.", "", "", "two"]
    assert got.rows.tolist() == [0, 0, 1, 2, 3]
    assert got.ids.to_pylist() == ["c0#1", "c0#2", "c1#1", "c2#1", "c3#1"]
    assert got.table["n"].to_pylist() == [0, 0, 1, 2, 3]
    # A row's conversation ends with the row's own turn: writing two rows of one conversation repeats no later turn.
    left = got.table["messages"].to_pylist()
    assert [json.loads(one) if as_json else one for one in left] == [LONG[:3], LONG[:5], [], turns[2], turns[3]]
    assert got.table.schema.field("messages").type == pool(rows).table.schema.field("messages").type


@pytest.mark.parametrize("cut", [1, 2, 1000])
def test_every_turn_with_a_chunked_and_sliced_table(cut, monkeypatch):
    monkeypatch.setattr("selector.conversations.CUT", cut)
    table = pa.Table.from_pylist([{"messages": None}, *({"messages": LONG} for _ in range(4))])
    table = pa.concat_tables([table.slice(1, 2), table.slice(0, 1), table.slice(3)])
    got = pool(table, every_turn=True)
    assert got.rows.tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert got.responses.to_pylist() == ["hello", "so.", "hello", "so.", "", "hello", "so.", "hello", "so."]
    assert got.table["messages"].to_pylist()[3] == LONG[:5]
    assert pool(table).responses.to_pylist() == ["so.", "so.", "", "so.", "so."]


def test_every_turn_needs_turns():
    with pytest.raises(InputError, match="'pair' has no turns"):
        pool([{"instruction": "a", "response": "b"}], every_turn=True)


def test_sharegpt():
    turns = chat(("system", "s"), ("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d"), keys=("from", "value"))
    assert both([{"conversations": turns}]) == ("sharegpt", [("s\n\na\n\nb\n\nc", "d")])
    assert both([{"conversation": LONG}]) == ("messages", [("be brief\n\nhi\n\nhello\n\nwhy?", "so.")])


def test_contents_in_parts_are_their_texts():
    parts = [{"type": "text", "text": "look"}, {"type": "image", "text": None}, {"type": "text", "text": "here"}]
    assert both([{"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": []}]}]) == (
        "messages",
        [("look\nhere", "")],
    )
    # Plain and in parts by turns: Arrow has no type for it, so it comes as JSON text.
    mixed = [{"role": "user", "content": parts}, {"role": "assistant", "content": "fine"}]
    assert both([{"messages": mixed}]) == ("messages", [("look\nhere", "fine")])


def test_a_conversation_that_is_no_json():
    with pytest.raises(InputError, match="column 'messages' holds conversations as JSON text, but row 1 does not"):
        pool([{"messages": json.dumps(LONG)}, {"messages": "oops"}])


def test_precedence_is_the_order_of_the_formats():
    everything = {
        "instruction": "i",
        "output": "o",
        "response": "r",
        "prompt": "p",
        "completion": "c",
        "question": "q",
        "answer": "a",
        "messages": chat(("user", "mu"), ("assistant", "ma")),
        "conversations": chat(("human", "su"), ("gpt", "sa"), keys=("from", "value")),
    }
    expected = [("i", "o"), ("i", "r"), ("p", "c"), ("q", "a"), ("mu", "ma"), ("su", "sa")]
    for name, sides in zip(NAMES, expected, strict=True):
        assert both([everything], format=name) == (name, [sides])
    for dropped, name, sides in zip(("output", "instruction", "prompt", "question", "messages"), NAMES[1:], expected[1:], strict=True):
        del everything[dropped]
        assert both([everything]) == (name, [sides])


def test_forced_formats():
    assert both([{"instruction": "a", "response": "b", "output": "c"}], format="instruction/response") == ("pair", [("a", "b")])
    with pytest.raises(UnknownName, match="Did you mean 'alpaca'"):
        pool([{"instruction": "a", "output": "b"}], format="alpacca")
    with pytest.raises(
        InputError, match=r"'messages' needs a column messages or .* role and content; the columns are instruction \(string\)"
    ):
        pool([{"instruction": "a", "output": "b"}], format="messages")
    with pytest.raises(InputError, match="'prompt-completion' needs prompt and completion or response"):
        pool([{"instruction": "a", "output": "b"}], format="prompt/completion")


def test_named_columns_win():
    rows = [{"ask": "a", "reply": 42, "instruction": "i", "output": "o", "messages": LONG}]
    assert both(rows, instruction_column="ask", response_column="reply") == ("columns", [("a", "42")])
    assert both(rows, response_column="reply") == ("columns", [("i", "42")])
    assert both(rows, instruction_column="ask") == ("columns", [("a", "o")])
    assert both([{"ask": "a", "output": "o"}], instruction_column="ask") == ("columns", [("a", "o")])
    with pytest.raises(UnknownName, match=r"no column is called 'repply'. Did you mean 'reply'\?"):
        pool(rows, response_column="repply")


def test_nothing_recognised_lists_the_columns():
    with pytest.raises(InputError, match=r"text \(string\), n \(int64\).*--instruction-column"):
        pool([{"text": "a", "n": 1}])


def test_a_list_of_other_things_is_no_conversation():
    with pytest.raises(InputError, match="no format was recognised"):
        pool([{"messages": [{"who": "a", "what": "b"}]}])


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "b"], pa.large_string()),
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array(["a", None, "b"], pa.string_view()),
    ],
    ids=str,
)
def test_all_kinds_of_arrow_text(column):
    got = pool(pa.table({"instruction": column, "response": pa.nulls(3)}))
    assert got.instructions.to_pylist() == ["a", "", "b"]
    assert got.responses.to_pylist() == ["", "", ""]
    assert got.instructions.type == got.responses.type == pa.string()


def test_numbers_become_text_and_other_types_are_refused():
    assert both([{"question": 1, "answer": True}]) == ("question-answer", [("1", "true")])
    for value, kind in (([1], "list"), ({"a": 1}, "struct"), (b"x", "binary")):
        with pytest.raises(InputError, match=rf"column 'answer' is to be a side of the pairs, but it is {kind}"):
            pool(pa.table({"question": ["a"], "answer": [value]}))


def test_bytes_that_are_no_utf8_inside_arrow():
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")])
    with pytest.raises(InputError, match="column 'response' is damaged or not UTF-8 text"):
        pool(pa.table({"instruction": ["a"], "response": broken}))


# ------------------------------------------------------------------------------------------------------------- rendering

PAIR = [{"instruction": "a", "context": "c", "response": "b", "tag": 1}]


def test_render_a_pair_in_every_kind():
    one = pool(PAIR)
    assert render(one, "alpaca").to_pylist() == [
        {"instruction": "a\n\nc", "context": "c", "response": "b", "tag": 1, "input": "", "output": "b"}
    ]
    assert render(one, "messages")["messages"].to_pylist() == [chat(("user", "a\n\nc"), ("assistant", "b"))]
    assert render(one, "sharegpt")["conversations"].to_pylist() == [chat(("human", "a\n\nc"), ("gpt", "b"), keys=("from", "value"))]
    assert render(one, "prompt-completion").to_pylist() == [{**PAIR[0], "prompt": "a\n\nc", "completion": "b"}]
    with pytest.raises(UnknownName, match="Did you mean 'alpaca'"):
        render(one, "alpacas")


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("alpaca", [{"instruction": "a", "input": "c", "output": "b", "system": "s", "history": [["q", "r"]]}]),
        ("messages", [{"messages": LONG, "tools": "t"}]),
        ("sharegpt", [{"conversations": chat(("system", "s"), ("human", "a"), ("gpt", "b"), keys=("from", "value")), "tools": "t"}]),
        ("prompt-completion", [{"prompt": chat(("user", "a")), "completion": chat(("assistant", "b"))}]),
    ],
)
def test_render_keeps_what_is_of_that_kind(kind, rows):
    one = pool(rows)
    assert one.format == kind
    assert render(one, kind).to_pylist() == rows


def test_render_round_trips_the_sides():
    for kind in ("alpaca", "messages", "sharegpt", "prompt-completion"):
        again = Pool.from_table(render(pool(PAIR), kind), format=kind)
        assert (again.instructions.to_pylist(), again.responses.to_pylist()) == (["a\n\nc"], ["b"])


def test_render_alpaca_in_other_case_or_without_input():
    assert render(pool([{"Instruction": "a", "OUTPUT": "b", "X": 1}]), "alpaca").to_pylist() == [
        {"instruction": "a", "output": "b", "X": 1, "input": ""}
    ]


def test_render_does_not_trust_columns_that_were_overruled():
    one = pool([{"instruction": "a", "output": "b", "better": "c"}], response_column="better")
    assert render(one, "alpaca")["output"].to_pylist() == ["c"]


def test_render_turns_one_conversation_form_into_the_other():
    got = render(pool([{"messages": LONG, "tools": "t"}]), "sharegpt").to_pylist()[0]
    assert [turn["from"] for turn in got["conversations"]] == ["system", "human", "gpt", "human", "gpt", "human"]
    assert got["tools"] == "t"
    tools = chat(("human", "a"), ("function_call", "f()"), ("observation", "1"), ("gpt", "b"), keys=("from", "value"))
    got = render(pool([{"conversations": tools}]), "messages").to_pylist()[0]
    assert got["messages"] == chat(("user", "a"), ("assistant", "f()"), ("tool", "1"), ("assistant", "b"))
    both_sides = {"prompt": chat(("system", "s"), ("user", "a")), "completion": chat(("assistant", "b"))}
    got = render(pool([both_sides]), "messages").to_pylist()[0]
    assert got["messages"] == chat(("system", "s"), ("user", "a"), ("assistant", "b"))


def test_render_conversations_that_came_as_json_text():
    got = render(pool([{"messages": json.dumps(LONG)}]), "messages").to_pylist()
    assert got == [{"messages": LONG}]


def test_render_alpaca_history_becomes_turns():
    rows = [
        {"instruction": "a", "output": "b", "system": "s", "history": [["q", "r"]]},
        {"instruction": "c", "output": "d", "system": None, "history": None},
    ]
    got = render(pool(rows), "messages")["messages"].to_pylist()
    assert got[0] == chat(("system", "s"), ("user", "q"), ("assistant", "r"), ("user", "a"), ("assistant", "b"))
    assert got[1] == chat(("user", "c"), ("assistant", "d"))
