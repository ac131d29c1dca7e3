"""The feature cache: what comes back is what was made, or it is made again."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from selector import cache as cache_module
from selector.cache import Cache, NoCache, default_folder
from selector.errors import OutputError

KEY = {"encoder": "x", "rows": [1, 2], "text": "日本 \ud800"}


class Maker:
    def __init__(self, **arrays):
        self.arrays, self.calls = arrays, 0

    def __call__(self):
        self.calls += 1
        return dict(self.arrays)


def everything() -> Maker:
    return Maker(
        floats=np.arange(12, dtype=np.float32).reshape(3, 4),
        turned=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        words=np.array(["ä", "漢字", ""]),
        raw=np.array([b"a", b"bc"]),
        scalar=np.array(7),
        truth=np.array([True, False]),
        nothing=np.empty((0, 5), np.int64),
        no_words=np.array([], "U3"),
        swapped=np.array([1, 2], ">i4"),
    )


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_second_run_reads_the_same_arrays(tmp_path):
    first = everything()
    Cache(tmp_path).arrays("kind", KEY, first)
    second = Maker()
    got = Cache(tmp_path).arrays("kind", KEY, second)
    assert (first.calls, second.calls) == (1, 0)
    assert list(got) == list(first.arrays)
    for name, array in first.arrays.items():
        assert got[name].dtype == array.dtype
        assert got[name].shape == array.shape
        np.testing.assert_array_equal(got[name], array)
        assert got[name].flags.writeable


def test_another_key_or_kind_is_another_entry(tmp_path):
    store, maker = Cache(tmp_path), everything()
    for kind, key in [("a", {"x": 1}), ("a", {"x": 2}), ("b", {"x": 1}), ("a", {"x": "1"})]:
        store.arrays(kind, key, maker)
    assert maker.calls == 4
    store.arrays("a", {"x": 1}, maker)
    assert maker.calls == 4


def test_the_order_of_a_key_and_tuples_do_not_matter(tmp_path):
    store, maker = Cache(tmp_path), everything()
    store.arrays("a", {"x": (1, 2), "y": 2}, maker)
    store.arrays("a", {"y": 2, "x": [1, 2]}, maker)
    assert maker.calls == 1


def test_a_large_array_is_mapped_and_private(tmp_path):
    store, maker = Cache(tmp_path), Maker(big=np.arange(300_000, dtype=np.float64), small=np.zeros(2))
    store.arrays("k", {}, maker)
    got = store.arrays("k", {}, maker)
    assert isinstance(got["big"].base, np.memmap)
    assert not isinstance(got["small"].base, np.memmap)
    got["big"][:] = -1
    np.testing.assert_array_equal(store.arrays("k", {}, maker)["big"], maker.arrays["big"])
    assert maker.calls == 1


@pytest.mark.parametrize("size", [2, 300_000])
@pytest.mark.parametrize("where", ["start", "header", "arrays", "cut", "cut header", "empty"])
def test_a_damaged_entry_is_made_again_and_said(tmp_path, caplog, size, where):
    store, maker = Cache(tmp_path), Maker(numbers=np.arange(size, dtype=np.float64) + 1)
    store.arrays("k", KEY, maker)
    path = only_file(tmp_path)
    content = bytearray(path.read_bytes())
    place = {"start": 0, "header": 70, "arrays": len(content) - 57}.get(where)
    if place is not None:
        content[place] ^= 1
    else:
        del content[{"cut": len(content) - 60, "cut header": 60, "empty": 0}[where] :]
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        got = store.arrays("k", KEY, maker)
    assert maker.calls == 2
    np.testing.assert_array_equal(got["numbers"], maker.arrays["numbers"])
    assert "made again" in caplog.text
    store.arrays("k", KEY, maker)
    assert maker.calls == 2


def test_an_entry_under_a_wrong_name_is_not_believed(tmp_path):
    store, maker = Cache(tmp_path), everything()
    store.arrays("k", {"x": 1}, maker)
    path = only_file(tmp_path)
    path.rename(tmp_path / f"{cache_module._digest('k', {'x': 2})}.arrays")
    store.arrays("k", {"x": 2}, maker)
    assert maker.calls == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_folder_and_leaves_nothing(tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, "full")

    monkeypatch.setattr(cache_module, "_bytes", full)
    with pytest.raises(OutputError, match=r"(?s)" + str(tmp_path) + r".*--cache DIR.*SELECTOR_CACHE"):
        Cache(tmp_path).arrays("k", {}, everything())
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_module, "_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).arrays("k", {}, everything())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        Cache(tmp_path / "file").arrays("k", {}, everything())


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="'ragged' of k"):
        Cache(tmp_path).arrays("k", {}, Maker(ragged=np.array([[1], [2, 3]], object)))
    assert list(tmp_path.iterdir()) == []


def test_entries_and_clear(tmp_path):
    store = Cache(tmp_path)
    store.arrays("a", {"n": 1}, everything())
    store.arrays("b", {"n": 2}, everything())
    journal = store.journal("answers", {"model": "m"})
    journal.write_text('{"a": 1}\n')
    (tmp_path / "notes.txt").write_text("not ours")
    listed = {one.kind: one for one in store.entries()}
    assert set(listed) == {"a", "b", "answers"}
    assert listed["a"].key == {"n": 1}
    assert listed["a"].bytes == listed["a"].path.stat().st_size > 0
    assert listed["answers"].bytes == 9
    assert store.clear("a") == (1, listed["a"].bytes)
    assert {one.kind for one in store.entries()} == {"b", "answers"}
    count, freed = store.clear()
    assert count == 3
    assert freed > listed["b"].bytes
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_clear_removes_damaged_and_left_over_files(tmp_path):
    (tmp_path / "0.arrays").write_bytes(b"?")
    (tmp_path / "tmp1.part").write_bytes(b"??")
    assert Cache(tmp_path).entries() == []
    assert Cache(tmp_path).clear() == (2, 3)


def test_an_empty_cache_has_no_entries(tmp_path):
    assert Cache(tmp_path / "not there").entries() == []
    assert Cache(tmp_path / "not there").clear() == (0, 0)


def test_a_journal_is_the_same_file_next_time(tmp_path):
    first, second = Cache(tmp_path).journal("k", KEY), Cache(tmp_path).journal("k", KEY)
    assert first == second != Cache(tmp_path).journal("k", {})
    assert not first.exists()
    first.open("a").close()


def test_no_cache_makes_every_time():
    maker = everything()
    NoCache().arrays("k", {}, maker)
    NoCache().arrays("k", {}, maker)
    assert maker.calls == 2
    assert NoCache().journal("k", {}) is None


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SELECTOR_CACHE", raising=False)
    assert default_folder() == tmp_path / "selector"
    monkeypatch.setenv("SELECTOR_CACHE", str(tmp_path / "own"))
    assert Cache().folder == tmp_path / "own"
    monkeypatch.delenv("SELECTOR_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "selector"


def test_two_processes_writing_one_entry(tmp_path):
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        import numpy as np
        from selector.cache import Cache
        folder, own = Path(sys.argv[1]), float(sys.argv[2])
        for _ in range(60):
            got = Cache(folder).arrays("k", {}, lambda: {"a": np.full(200_000, own), "b": np.full(3, own)})
            assert (got["a"] == got["a"][0]).all() and got["b"][0] == got["a"][0], "two writers in one file"
            for path in folder.glob("*.arrays"):
                path.unlink(missing_ok=True)
    """)
    arguments = [sys.executable, "-W", "error", "-c", script, str(tmp_path)]
    running = [subprocess.Popen([*arguments, own], stderr=subprocess.PIPE, text=True) for own in "12"]
    for one in running:
        _, said = one.communicate(timeout=60)
        assert (one.returncode, said) == (0, "")
