"""What can be read, and what bad files are answered with."""

import gzip
import json
import logging

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selector.errors import InputError
from selector.pool import Pool
from selector.reading import read

ROWS = [{"instruction": f"ask {i}", "response": f"say {i}", "n": i} for i in range(5)]


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write(path, kind):
    table = pa.Table.from_pylist(ROWS)
    if kind == "parquet":
        pq.write_table(table, path)
    elif kind == "jsonl":
        path.write_bytes(lines(ROWS))
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(lines(ROWS)))
    elif kind == "json":
        path.write_text(json.dumps(ROWS))
    elif kind == "csv":
        path.write_text("instruction,response,n\n" + "".join(f"ask {i},say {i},{i}\n" for i in range(5)))
    return path


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "jsonl.gz", "json", "csv"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path, kind):
    assert read(write(tmp_path / f"pool.{kind}", kind)).table.to_pylist() == ROWS


def test_the_ending_counts_in_any_case(tmp_path):
    assert read(write(tmp_path / "POOL.JSONL", "jsonl")).table.num_rows == 5


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_a_folder_is_its_shards_by_name(tmp_path, kind):
    for name in ("b", "a"):
        write(tmp_path / f"{name}.{kind}", kind)
    (tmp_path / ".hidden.csv").write_text("x\n1\n")
    first = {"a": "first"} if kind == "csv" else None
    assert read(tmp_path).table.to_pylist() == ROWS + ROWS
    if first:
        (tmp_path / "a.csv").write_text("instruction,response,n\nfirst,one,9\n")
        assert read(tmp_path).table["instruction"][0].as_py() == "first"


def test_a_folder_this_project_wrote_is_its_data(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "part-0.parquet", "parquet")
    pq.write_table(pa.table({"row": [1], "order": [0]}), tmp_path / "picks.parquet")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "README.md").write_text("card")
    (tmp_path / "dropped.jsonl").write_bytes(lines(ROWS[:1]))
    assert read(tmp_path).table.to_pylist() == ROWS


def test_a_folder_that_mixes_kinds_is_refused(tmp_path):
    write(tmp_path / "a.csv", "csv")
    write(tmp_path / "b.jsonl", "jsonl")
    with pytest.raises(InputError, match=r"mixes CSV and JSON lines.*a\.csv"):
        read(tmp_path)


def test_a_folder_without_shards_says_what_is_there(tmp_path):
    with pytest.raises(InputError, match="it is empty"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"notes\.txt"):
        read(tmp_path)


def test_splits_of_a_folder_are_never_mixed(tmp_path):
    write(tmp_path / "train-00000-of-00001.jsonl", "jsonl")
    (tmp_path / "test-00000-of-00001.jsonl").write_bytes(lines(ROWS[:1]))
    with pytest.raises(InputError, match="test, train"):
        read(tmp_path)
    assert read(tmp_path, split="test").table.num_rows == 1
    with pytest.raises(InputError, match="Did you mean 'train'"):
        read(tmp_path, split="trian")


def test_split_and_config_mean_nothing_for_a_file(tmp_path):
    path = write(tmp_path / "a.jsonl", "jsonl")
    with pytest.raises(InputError, match="this is one file"):
        read(path, split="train")
    with pytest.raises(InputError, match="only hub datasets and folders of several sets have configs"):
        read(path, config="en")


def test_shards_whose_types_clash_name_file_and_column(tmp_path):
    pq.write_table(pa.table({"instruction": ["a"], "n": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"instruction": ["a"], "n": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet: column 'n' is string here but int64 in a\.parquet"):
        read(tmp_path)


def test_shards_may_lack_a_column(tmp_path):
    pq.write_table(pa.table({"instruction": ["a"], "n": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"instruction": ["b"]}), tmp_path / "b.parquet")
    assert read(tmp_path).table["n"].to_pylist() == [1, None]


def test_what_datasets_saved(tmp_path):
    from datasets import Dataset, DatasetDict

    one = Dataset.from_list(ROWS)
    one.select([3, 1]).save_to_disk(str(tmp_path / "one"))
    DatasetDict({"train": one, "test": one.select([0])}).save_to_disk(str(tmp_path / "two"))
    assert read(tmp_path / "one").table["n"].to_pylist() == [3, 1]
    assert read(tmp_path / "two").table["n"].to_pylist() == [0, 1, 2, 3, 4]
    assert read(tmp_path / "two", split="test").table["n"].to_pylist() == [0]
    with pytest.raises(InputError, match="no split 'tset'"):
        read(tmp_path / "two", split="tset")
    with pytest.raises(InputError, match="this dataset has no splits"):
        read(tmp_path / "one", split="test")
    next((tmp_path / "one").glob("*.arrow")).write_bytes(b"")
    with pytest.raises(InputError, match=r"one: .*cannot be loaded"):
        read(tmp_path / "one")


def test_hub_names_go_to_datasets(monkeypatch, tmp_path):
    import datasets

    asked = []

    def load(name, config):
        asked.append((name, config))
        return datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS), "rest": datasets.Dataset.from_list(ROWS[:2])})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", load)
    assert read("some-org/some.set", config="en").table.to_pylist() == ROWS
    assert read("hf://datasets/some-org/set", split="rest").table.num_rows == 2
    assert asked == [("some-org/some.set", "en"), ("some-org/set", None)]
    # A folder of that name here means that a file was meant; nothing is asked of the hub.
    (tmp_path / "some-org").mkdir()
    with pytest.raises(InputError, match="hf://datasets/"):
        read("some-org/set")
    with pytest.raises(InputError, match="no such file"):
        read("other/pool.jsonl")
    assert len(asked) == 2


def test_a_hub_that_cannot_be_reached(monkeypatch, tmp_path):
    import datasets

    def load(name, config):
        raise ConnectionError("Couldn't reach it\nlong trace")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(InputError, match=r"org/name: .*Couldn't reach it\)"):
        read("org/name")


def test_a_missing_file_has_a_near_miss(tmp_path):
    write(tmp_path / "pool.jsonl", "jsonl")
    with pytest.raises(InputError, match=r"pol\.jsonl: no such file or folder. Did you mean '.*pool\.jsonl'"):
        read(tmp_path / "pol.jsonl")
    with pytest.raises(InputError, match="no folder"):
        read(tmp_path / "nowhere" / "pool.jsonl")


def test_an_unknown_ending(tmp_path):
    (tmp_path / "pool.xlsx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"pool\.xlsx: a pool is a file ending in \.parquet"):
        read(tmp_path / "pool.xlsx")


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "json", "csv", "jsonl.gz"])
def test_an_empty_file_is_named(tmp_path, kind):
    path = tmp_path / f"pool.{kind}"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"pool\.\S+: the file is empty"):
        read(path)


@pytest.mark.parametrize(("kind", "text"), [("jsonl", "\n\n"), ("json", "[]"), ("csv", "instruction,response\n")])
def test_no_rows_at_all(tmp_path, kind, text):
    path = tmp_path / f"pool.{kind}"
    path.write_text(text)
    with pytest.raises(InputError, match=r"pool\.\w+: .*at least one row"):
        read(path)


def test_parquet_cut_short(tmp_path):
    path = write(tmp_path / "pool.parquet", "parquet")
    whole = path.read_bytes()
    for size in (3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"pool\.parquet: this is no whole Parquet file"):
            read(path)


def test_gzip_cut_short(tmp_path):
    path = write(tmp_path / "pool.jsonl.gz", "jsonl.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match=r"pool\.jsonl\.gz: the gzip file cannot be read to its end"):
        read(path)
    path.write_bytes(b"plain text\n")
    with pytest.raises(InputError, match="gzip"):
        read(path)


BAD = {
    b'{"instruction": "x", "response": \n': "not JSON",
    b"[1, 2]\n": "a list instead of an object",
    b'"text"\n': "a text instead of an object",
    b"null\n": "null instead of an object",
    b'{"instruction": "\xff\xfe"}\n': "byte 0xff at byte 18",
    b'{"instruction": "\\ud800"}\n': "surrogate",
    b'{"instruction": "a\x00b"}\n': "not JSON",
    b'{"a": ' + b"[" * 100_000 + b"\n": "not usable JSON",
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_line_is_named_by_number_or_skipped_and_counted(tmp_path, bad):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(ROWS[:2]) + b"\n" + bad + lines(ROWS[2:]))
    with pytest.raises(InputError, match=rf"pool\.jsonl:4: .*{BAD[bad]}.*--skip-bad"):
        read(path)
    got = read(path, skip_bad=True)
    assert got.table.to_pylist() == ROWS
    assert len(got.skipped) == 1
    assert f"{path}:4: " in got.skipped[0]


def test_line_numbers_start_again_in_each_shard(tmp_path):
    write(tmp_path / "a.jsonl", "jsonl")
    (tmp_path / "b.jsonl").write_bytes(lines(ROWS[:1]) + b"{\n")
    assert read(tmp_path, skip_bad=True).skipped[0].startswith(f"{tmp_path / 'b.jsonl'}:2: ")


def test_only_bad_lines(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(b"{\n[\n")
    with pytest.raises(InputError, match=r"2 bad rows skipped, the first: .*pool\.jsonl:1"):
        read(path, skip_bad=True)


def test_only_the_newline_byte_ends_a_line(tmp_path):
    odd = "one\u2028two\u2029three\x85four\x0bfive\x0csix"
    rows = [{"instruction": odd, "response": "back\\nslash"}, {"instruction": "line\nbreak", "response": "\\n"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows)
    path = tmp_path / "pool.jsonl"
    path.write_bytes(text.encode())
    assert read(path).table.to_pylist() == rows


def test_the_last_line_needs_no_newline(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(ROWS).rstrip(b"\n"))
    assert read(path).table.num_rows == 5


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_a_byte_order_mark_is_no_text(tmp_path, kind):
    path = write(tmp_path / f"pool.{kind}", kind)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path).table.column_names == ["instruction", "response", "n"]
    assert read(path).table.num_rows == 5


def test_utf16_is_said_to_be_utf16(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(ROWS).decode().encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16"):
        read(path)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_bytes_that_are_not_utf8_are_named_by_line(tmp_path, kind):
    path = tmp_path / f"pool.{kind}"
    texts = {"json": b'[{"instruction": "a"},\n{"instruction": "\xe4"}]', "csv": b"instruction,response\n\xe4,b\n"}
    path.write_bytes(texts[kind])
    with pytest.raises(InputError, match=rf"pool\.{kind}:2: the text must be UTF-8, but byte 0xe4"):
        read(path)


def test_keys_may_differ(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines([{"instruction": "a"}, {"response": "b", "extra": [1]}, {}]))
    assert read(path).table.to_pylist() == [
        {"instruction": "a", "response": None, "extra": None},
        {"instruction": None, "response": "b", "extra": [1]},
        {"instruction": None, "response": None, "extra": None},
    ]


def test_a_column_of_mixed_types_becomes_json_text_and_says_so(tmp_path, monkeypatch, caplog):
    from selector import json_rows

    # The types first clash across batches, and `empty` only shows in the last: earlier batches are read again.
    monkeypatch.setattr(json_rows, "BATCH", 2)
    rows = [
        {"response": "x", "meta": {"a": 1}, "answer": 1, "big": 1, "same": 1},
        {"response": "x", "meta": {"a": 2}, "answer": 2.5, "big": 2, "same": 2},
        {"response": "x", "meta": {"a": 3}, "answer": "3", "big": 2**80, "same": 2.5},
        {"response": "x", "meta": {}, "answer": None, "big": None, "same": None},
        {"response": "x", "meta": [1, "é"], "answer": "ä", "big": None, "same": None},
    ]
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(rows))
    with caplog.at_level(logging.WARNING):
        table = read(path).table
    assert table["answer"].to_pylist() == ["1", "2.5", "3", None, "ä"]
    assert table["meta"].to_pylist() == ['{"a": 1}', '{"a": 2}', '{"a": 3}', "{}", '[1, "é"]']
    assert table["big"].to_pylist() == ["1", "2", str(2**80), None, None]
    assert table["same"].to_pylist() == [1.0, 2.0, 2.5, None, None]
    assert table.schema.field("answer").metadata
    assert not table.schema.field("same").metadata
    assert "column 'answer' mixes types" in caplog.text


def test_empty_objects_can_be_written_to_parquet_again(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines([{"response": "x", "meta": {}}, {"response": "y", "meta": {}}]))
    pq.write_table(read(path).table, tmp_path / "again.parquet")


def test_json_that_is_json_lines(tmp_path):
    path = tmp_path / "pool.json"
    path.write_bytes(lines(ROWS) + b"oops\n")
    with pytest.raises(InputError, match=r"pool\.json:6"):
        read(path)
    assert read(path, skip_bad=True).table.to_pylist() == ROWS


def test_json_of_another_form(tmp_path):
    path = tmp_path / "pool.json"
    path.write_text(json.dumps({"data": ROWS, "version": 1}))
    with pytest.raises(InputError, match="an object with the keys data, version"):
        read(path)
    path.write_text(json.dumps(ROWS)[:-5])
    with pytest.raises(InputError, match=r"pool\.json: this is neither one JSON array nor JSON lines.*line 1 column"):
        read(path)
    path.write_text(json.dumps([*ROWS, 7]))
    with pytest.raises(InputError, match=r"pool\.json: item 5: found a number instead of an object"):
        read(path)
    assert read(path, skip_bad=True).skipped == (f"{path}: item 5: a number instead of an object with text keys",)


def test_csv_keeps_texts_that_look_like_numbers(tmp_path):
    path = tmp_path / "pool.csv"
    path.write_text('ID,Question,answer,score\n001,"two\nlines, ""quoted""",007,0.5\n002,null,true,1\n')
    pool = Pool.read(path, id_column="ID")
    assert pool.instructions.to_pylist() == ['two\nlines, "quoted"', "null"]
    assert pool.responses.to_pylist() == ["007", "true"]
    assert pool.ids.to_pylist() == ["001", "002"]
    assert pool.table["score"].to_pylist() == [0.5, 1.0]


def test_csv_line_breaks_at_the_edge_of_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr("selector.reading.CSV_BLOCK", 64)
    path = tmp_path / "pool.csv"
    text = "a\nb\nc\n" * 3
    path.write_text("instruction,response\n" + f'"{text}",x\n' * 40)
    assert read(path).table["instruction"].to_pylist() == [text] * 40


def test_csv_rows_of_another_width(tmp_path):
    path = tmp_path / "pool.csv"
    path.write_text("instruction,response\na,b\nc\nd,e\n")
    with pytest.raises(InputError, match=r"pool\.csv: this CSV file cannot be read: .*Row #3"):
        read(path)
    got = read(path, skip_bad=True)
    assert got.table["instruction"].to_pylist() == ["a", "d"]
    assert got.skipped == (f"{path}: row 3: 1 values instead of 2",)


def test_column_names_must_differ(tmp_path):
    path = tmp_path / "pool.csv"
    path.write_text("a,a\n1,2\n")
    with pytest.raises(InputError, match="'a' is there twice"):
        read(path)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_long_rows_survive(tmp_path, kind):
    long = "word ünd\n" * 12_000
    path = tmp_path / f"pool.{kind}"
    if kind == "jsonl":
        path.write_bytes(lines([{"instruction": long, "response": "x"}]))
    elif kind == "csv":
        path.write_text(f'instruction,response\n"{long}",x\n')
    else:
        pq.write_table(pa.table({"instruction": [long], "response": ["x"]}), path)
    assert Pool.read(path).instructions[0].as_py() == long


@pytest.mark.parametrize(
    "rows",
    [
        [{"instruction": "请解释光合作用。", "response": "光合作用是植物利用光能的过程。"}, {"instruction": "你好", "response": "𠮷野家"}],
        [{"instruction": "Mitä yö tarkoittaa?", "response": "Pimeää aikaa; lämpimän päivän jälkeen."}],
    ],
    ids=["chinese", "finnish"],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_any_language(tmp_path, rows, escaped):
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=escaped) + "\n" for row in rows), encoding="utf-8")
    pool = Pool.read(path)
    assert pool.instructions.to_pylist() == [row["instruction"] for row in rows]
    assert pool.responses.to_pylist() == [row["response"] for row in rows]


def test_demo_is_a_name_and_a_path_called_demo_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read("demo").table.num_rows == 3000
    (tmp_path / "demo").mkdir()
    write(tmp_path / "demo" / "a.jsonl", "jsonl")
    assert read("./demo").table.num_rows == 5
