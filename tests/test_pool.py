"""The pool: ids, rows, parts, sums, fingerprints; and what inspect says of one."""

import json
import unicodedata

import numpy as np
import pyarrow as pa
import pytest

from selector.errors import InputError, UnknownName
from selector.inspect_pool import inspect
from selector.normal import normalise
from selector.pool import Pool, digest

ROWS = [{"instruction": f"ask {i}", "response": f"say {i}", "id": f"r{i}", "score": i / 2} for i in range(6)]


@pytest.fixture
def pool():
    return Pool.from_table(ROWS)


def test_what_a_pool_is_made_of(pool):
    assert len(pool) == 6
    assert pool.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert pool.rows.dtype == np.int64
    assert pool.ids.to_pylist() == [f"r{i}" for i in range(6)]
    assert (pool.format, pool.source, pool.skipped) == ("pair", "table", ())
    assert pool.table.to_pylist() == ROWS


def test_from_a_table_and_a_dataset_too(pool):
    from datasets import Dataset, DatasetDict

    one = Dataset.from_list(ROWS)
    for source in (pa.Table.from_pylist(ROWS), one, DatasetDict({"train": one})):
        assert Pool.from_table(source).fingerprint == pool.fingerprint
    part = Pool.from_table(one.select([4, 2]))
    assert part.instructions.to_pylist() == ["ask 4", "ask 2"]
    with pytest.raises(InputError, match="got int"):
        Pool.from_table(3)
    with pytest.raises(InputError, match="item 1: found a text instead of an object"):
        Pool.from_table([ROWS[0], "x"])
    with pytest.raises(InputError, match="at least one row"):
        Pool.from_table([])
    with pytest.raises(InputError, match="'a' is there twice"):
        Pool.from_table(pa.table([pa.array(["x"]), pa.array(["y"])], ["a", "a"]))


def test_read_carries_the_options_and_the_skipped_lines(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text('{"ask": "a", "reply": "b", "key": 7}\n{"ask"\n{"ask": "c", "reply": "d", "key": 8}\n')
    got = Pool.read(path, instruction_column="ask", response_column="reply", id_column="key", skip_bad=True)
    assert got.instructions.to_pylist() == ["a", "c"]
    assert got.ids.to_pylist() == ["7", "8"]
    assert got.rows.tolist() == [0, 1]
    assert got.source == str(path)
    assert len(got.skipped) == 1
    assert got.skipped[0].startswith(f"{path}:2: not JSON")
    assert got.take([1]).skipped == got.skipped


def test_ids():
    def ids(values, **options):
        return Pool.from_table([{"instruction": "a", "response": "b", "id": value} for value in values], **options).ids.to_pylist()

    assert ids([10, 11]) == ["10", "11"]
    assert ids(["x", "x"]) == ["0", "1"]
    assert ids(["x", None]) == ["0", "1"]
    assert ids([["x"], ["y"]]) == ["0", "1"]
    with pytest.raises(InputError, match=r"column 'id' 'x' stands in 2 rows"):
        ids(["w", "x", "x"], id_column="id")
    with pytest.raises(InputError, match=r"1 rows have none"):
        ids(["x", None], id_column="id")
    with pytest.raises(UnknownName, match="Did you mean 'id'"):
        ids(["x"], id_column="idd")


def test_take_follows_rows_and_ids(pool):
    part = pool.take(np.array([4, 1, 3])).take([2, 0])
    assert part.rows.tolist() == [3, 4]
    assert part.ids.to_pylist() == ["r3", "r4"]
    assert part.instructions.to_pylist() == ["ask 3", "ask 4"]
    assert part.responses.to_pylist() == ["say 3", "say 4"]
    assert part.table["score"].to_pylist() == [1.5, 2.0]
    assert len(pool.take([])) == 0


def test_take_beyond_what_arrow_joins(monkeypatch):
    from selector import arrow_rows

    monkeypatch.setattr(arrow_rows, "PLAIN", 0)
    monkeypatch.setattr(arrow_rows, "PIECE", 100)
    table = pa.Table.from_pylist([{**row, "tags": [row["id"]]} for row in ROWS * 10])
    table = pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7, 30), table.slice(37)])
    order = np.random.default_rng(0).integers(0, 60, 200)
    assert arrow_rows.take(table, order).to_pylist() == [table.to_pylist()[row] for row in order.tolist()]
    assert arrow_rows.take(table, order).schema == table.schema
    assert arrow_rows.take_column(table["id"], order[:5]).to_pylist() == [table["id"][row].as_py() for row in order[:5].tolist()]
    assert arrow_rows.take(table, order[:0]).num_rows == 0


def test_one_row():
    one = Pool.from_table(ROWS[:1])
    assert len(one) == 1
    assert one.texts("instruction").strings == ["ask 0"]
    assert inspect(one)["rows"] == 1


def test_concat(pool):
    other = Pool.from_table([{"question": "q", "answer": "", "score": 3, "id": 5, "extra": [1]}])
    got = pool.take([5, 0]).concat(other)
    assert got.rows.tolist() == [5, 0, -1]
    assert got.instructions.to_pylist() == ["ask 5", "ask 0", "q"]
    assert got.responses.to_pylist() == ["say 5", "say 0", ""]
    assert got.ids.to_pylist() == ["r5", "r0", "5"]
    assert got.column("score").to_pylist() == [2.5, 0.0, 3.0]
    assert got.column("extra").to_pylist() == [None, None, [1]]
    assert got.column("answer").to_pylist() == [None, None, ""]
    # Types that do not meet only matter when the column is asked for.
    for one in (got, got.take([0, 2])):
        with pytest.raises(InputError, match="column 'id' is string in table and int64 in table"):
            one.column("id")


def test_column_and_side_names(pool):
    assert pool.column("score").to_pylist()[1] == 0.5
    with pytest.raises(UnknownName, match=r"no column is called 'scor'\. Did you mean 'score'"):
        pool.column("scor")
    with pytest.raises(UnknownName, match=r"no side is called 'responce'\. Did you mean 'response'"):
        pool.texts("responce")


def test_texts(pool):
    texts = pool.texts("response")
    assert texts.strings == [f"say {i}" for i in range(6)]
    assert texts.side == "response"
    assert texts.column("score") is not None
    assert texts.fingerprint == digest(pa.chunked_array([pa.array(texts.strings)]))
    assert texts.fingerprint != pool.texts("instruction").fingerprint


def test_the_fingerprint_knows_no_chunks(pool):
    table = pa.Table.from_pylist(ROWS)
    cut = pa.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1, 3), table.slice(4)])
    assert Pool.from_table(cut).fingerprint == pool.fingerprint
    assert pool.take(range(1, 6)).take([1, 2]).fingerprint == pool.take([2, 3]).fingerprint
    assert digest(pa.chunked_array([pa.array(["xx", "ab", "c"]).slice(1)])) == digest(pa.chunked_array([["ab"], ["c"]]))


def test_the_fingerprint_sees_every_change(pool):
    def changed(row, **new):
        rows = [dict(one) for one in ROWS]
        rows[row].update(new)
        return Pool.from_table(rows).fingerprint

    prints = {
        pool.fingerprint,
        changed(0, instruction="ask O"),
        changed(5, response=""),
        changed(3, id="other"),
        pool.take([1, 0, 2, 3, 4, 5]).fingerprint,
        pool.take(range(5)).fingerprint,
        # The same characters, cut elsewhere.
        changed(0, instruction="ask 0a", response="say 0"),
        changed(0, instruction="ask 0", response="asay 0"),
    }
    assert len(prints) == 8
    assert digest(pa.chunked_array([["ab", "c"]])) != digest(pa.chunked_array([["a", "bc"]]))
    assert digest(pa.chunked_array([["a"], ["b"]])) != digest(pa.chunked_array([["a"]]), pa.chunked_array([["b"]]))
    assert changed(5, score=99.0) == pool.fingerprint


def test_normalise():
    assert normalise("  Two\u2028WORDS\n\there ") == "two words here"
    assert normalise("ＦＵＬＬ　width ﬁ") == "full width fi"
    assert normalise("STRASSE") == normalise("straße") == "strasse"
    assert normalise("e\u0301") == normalise("É")
    # Folded first to three characters, and composed again: the capital has no single character of its own.
    assert normalise("\u03aa\u0301") == normalise("\u0390")
    assert normalise("你 好") != normalise("你好")
    for text in ("ẞ\u0345 x", "ΌΣΟΣ", "ǰ\u0323"):
        assert normalise(normalise(text)) == normalise(text)


def test_ascii_has_the_form_that_any_text_has():
    rng = np.random.default_rng(0)
    for length in range(400):
        text = "".join(map(chr, rng.integers(0, 128, length % 40)))
        form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        assert normalise(text) == " ".join(form.split())


def test_inspect():
    rows = [
        {"instruction": "Same  Pair", "response": "yes", "source": "a", "tags": ["x", "y"]},
        {"instruction": "same pair", "response": "YES", "source": "a", "tags": ["x"]},
        {"instruction": "line\\nbreak", "response": "", "source": "b", "tags": []},
        {"instruction": "bell \x07", "response": "lost \ufffd", "source": "a", "tags": None},
        {"instruction": "x" * 20_001, "response": "\x85", "source": "b", "tags": ["x"]},
    ]
    facts = inspect(Pool.from_table(rows).take([4, 0, 1, 2, 3]))
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["rows"], facts["format"]) == (5, "pair")
    assert facts["columns"][2] == {"name": "source", "type": "string", "nulls": 0}
    assert facts["sides"]["instruction"] == {"empty": 0, "characters": {"min": 6, "median": 10.0, "mean": 4007.4, "max": 20_001}}
    assert facts["sides"]["response"]["empty"] == 2
    assert facts["duplicates"] == {"pairs": 1, "instructions": 1, "responses": 2}
    assert facts["values"]["source"] == {"distinct": 2, "most": [{"value": "a", "rows": 3}, {"value": "b", "rows": 2}]}
    assert facts["values"]["tags"]["most"] == [{"value": "x", "rows": 3}, {"value": "y", "rows": 1}]
    problems = {one["what"].split(" (")[0]: (one["rows"], one["first"]) for one in facts["problems"]}
    assert problems == {
        "an empty side": (2, 4),
        "a literal \\n": (1, 2),
        "control characters": (2, 4),
        "the replacement character U+FFFD": (1, 3),
        "a side longer than 20,000 characters": (1, 4),
    }


def test_inspect_tells_of_skipped_lines_and_mixed_columns(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text('{"prompt": "a", "completion": "b", "m": 1}\n{\n{"prompt": "a", "completion": "b", "m": "x"}\n')
    facts = inspect(Pool.read(path, skip_bad=True))
    assert [one["what"] for one in facts["problems"]] == ["bad lines skipped", "column 'm' mixes types: kept as JSON text"]
    assert facts["problems"][0]["lines"] == [f"{path}:2: not JSON (Expecting property name enclosed in double quotes, column 2)"]
    assert facts["duplicates"]["pairs"] == 1
