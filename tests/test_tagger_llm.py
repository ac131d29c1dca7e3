"""The LLM tagger against a real HTTP server on loopback that misbehaves as real ones do."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from selector.core import Room, Texts
from selector.errors import BudgetError, InputError
from selector.layers.meso import Meso
from selector.layers.taggers import asking, journal

KEY = "a-secret-that-must-not-be-written"


class Server:
    """Answers chat requests; `behave(text, times)` gives (status, body text of the answer, seconds to wait, headers)."""

    def __init__(self, behave):
        self.behave, self.times, self.now, self.most_at_once = behave, Counter(), 0, 0
        self.lock, self.keys = threading.Lock(), set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = asked["messages"][0]["content"].split("Text:\n")[1].split("\n\nAnswer")[0]
                with outer.lock:
                    outer.times[text] += 1
                    outer.now += 1
                    outer.most_at_once = max(outer.most_at_once, outer.now)
                    outer.keys.add(self.headers["Authorization"])
                    times = outer.times[text]
                status, content, wait, headers = outer.behave(text, times)
                time.sleep(wait)
                body = (
                    {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
                     "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
                     "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
                    if status == 200
                    else {"error": {"message": content}}
                )  # fmt: skip
                raw = json.dumps(body).encode()
                with outer.lock:
                    outer.now -= 1
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(raw)))
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(raw)
                except OSError:
                    pass  # the client gave up

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    @property
    def requests(self):
        return self.times.total()


@pytest.fixture
def serve(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SELECTOR_TEST_KEY", KEY)
    monkeypatch.setattr(asking, "FIRST_PAUSE", 0.01)
    servers = []

    def start(behave):
        servers.append(Server(behave))
        return servers[-1]

    yield start
    for one in servers:
        one.http.shutdown()
        one.http.server_close()


class Disk:
    """Arrays are made anew each time; journals are files."""

    def __init__(self, folder):
        self.folder = folder

    def arrays(self, kind, key, make):
        return make()

    def journal(self, kind, key):
        return self.folder / f"{kind}.jsonl"


def good(text, times):
    return 200, json.dumps([f"topic {text.split()[-1]}", "testing"]), 0, {}


def texts(strings):
    return Texts(list(strings), "instruction", "f", lambda name: None)


def meso(server, **fields):
    default = {"tagger": "llm", "model": "toy", "base_url": server.url, "api_key_env": "SELECTOR_TEST_KEY", "language": "en", "merge": 0}
    return Meso(**{**default, "min_count": 1, "timeout": 5.0, **fields})


def tags_of(tags):
    return [sorted(tags.of(row)) for row in range(tags.size)]


def test_each_distinct_text_is_asked_once(serve, tmp_path):
    server = serve(good)
    tags = meso(server).tags(texts(["about cats", "about dogs", "about cats", "  "]), Room(Disk(tmp_path)))
    assert tags_of(tags) == [["testing", "topic cats"], ["testing", "topic dogs"], ["testing", "topic cats"], []]
    assert server.times == {"about cats": 1, "about dogs": 1}
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in (tmp_path / "llm-tags.jsonl").read_text() + json.dumps(dict(tags.facts))


def test_each_answer_is_on_disk_before_the_next_is_awaited(serve, tmp_path):
    seen = []

    def progress(stage, done, total):
        if stage == "asking for tags":
            seen.append((done, len(journal.answers(tmp_path / "llm-tags.jsonl"))))

    meso(serve(good)).tags(texts(f"text {i}" for i in range(8)), Room(Disk(tmp_path), progress))
    assert seen == [(i, i) for i in range(1, 9)]


def test_requests_run_at_once_but_no_more_than_asked(serve, tmp_path):
    server = serve(lambda text, times: (200, '["x"]', 0.1, {}))
    started = time.perf_counter()
    meso(server, concurrency=5).tags(texts(f"text {i}" for i in range(25)), Room(Disk(tmp_path)))
    assert server.most_at_once == 5
    assert time.perf_counter() - started < 25 * 0.1


def test_rate_limits_errors_and_garbage_are_tried_again(serve, tmp_path):
    def behave(text, times):
        if times == 1:
            kind = int(text.split()[-1]) % 4
            return [
                (429, "slow down", 0, {"Retry-After": "0"}),
                (500, "oops", 0, {}),
                (200, "I would say: cats!", 0, {}),
                good(text, times),
            ][kind]
        return good(text, times)

    server = serve(behave)
    tags = meso(server).tags(texts(f"text {i}" for i in range(12)), Room(Disk(tmp_path)))
    assert all("testing" in row for row in tags_of(tags))
    assert server.requests == 12 + 9
    assert tags.facts["retries"] == 9
    assert tags.facts["texts_failed"] == 0


def test_slow_answers_time_out_and_are_tried_again(serve, tmp_path):
    server = serve(lambda text, times: (200, '["late"]', 1.5 if times == 1 else 0, {}))
    tags = meso(server, timeout=0.5).tags(texts(["a text"]), Room(Disk(tmp_path)))
    assert tags_of(tags) == [["late"]]
    assert server.requests == 2


def test_a_text_that_never_works_has_no_tags_and_is_counted(serve, tmp_path):
    server = serve(
        lambda text, times: (200, "no", 0, {}) if text == "text 3" else (400, "too long", 0, {}) if text == "text 4" else good(text, times)
    )
    tags = meso(server, attempts=3, most_failed=0.2).tags(texts(f"text {i}" for i in range(10)), Room(Disk(tmp_path)))
    assert tags.facts["texts_failed"] == 2
    assert tags_of(tags)[3] == tags_of(tags)[4] == []
    assert server.times["text 3"] == 3
    assert server.times["text 4"] == 1  # asking the same wrong request again changes nothing
    server.behave = good
    again = meso(server, attempts=3, most_failed=0.2).tags(texts(f"text {i}" for i in range(10)), Room(Disk(tmp_path)))
    assert all("testing" in row for row in tags_of(again))  # what failed was not written down


def test_too_many_failures_stop_the_run_and_keep_the_answers(serve, tmp_path):
    server = serve(lambda text, times: good(text, times) if int(text.split()[-1]) < 30 else (500, "down", 0, {}))
    with pytest.raises(InputError, match=r"most_failed allows.*down.*run again"):
        meso(server, attempts=2, concurrency=2).tags(texts(f"text {i}" for i in range(200)), Room(Disk(tmp_path)))
    assert len(journal.answers(tmp_path / "llm-tags.jsonl")) == 30
    assert server.requests < 120


def test_an_interruption_loses_nothing(serve, tmp_path):
    server, stop_at = serve(lambda text, times: (*good(text, times)[:2], 0.02, {})), 10

    def progress(stage, done, total):
        if stage == "asking for tags" and done == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    pool = texts(f"text {i}" for i in range(60))
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        meso(server, concurrency=4).tags(pool, Room(Disk(tmp_path), progress))
    assert time.perf_counter() - started < 5
    file = tmp_path / "llm-tags.jsonl"
    kept = len(journal.answers(file))
    assert stop_at <= kept < 60
    with file.open("ab") as torn:
        torn.write(b'{"text": "abc", "ta')
    before = server.requests
    tags = meso(server).tags(pool, Room(Disk(tmp_path)))
    assert server.requests - before == 60 - kept
    assert all("testing" in row for row in tags_of(tags))
    assert len(journal.answers(file)) == 60
    before = server.requests
    grown = meso(server).tags(texts([*pool.strings, "one more"]), Room(Disk(tmp_path)))
    assert server.requests - before == 1
    assert tags_of(grown)[:60] == tags_of(tags)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_model_stops_at_once(serve, tmp_path, status):
    server = serve(lambda text, times: (status, "refused", 0, {}))
    with pytest.raises(InputError, match=rf"{status}.*SELECTOR_TEST_KEY \(it is set\)") as caught:
        meso(server, concurrency=2).tags(texts(f"text {i}" for i in range(50)), Room(Disk(tmp_path)))
    assert KEY not in str(caught.value)
    assert server.requests <= 4


def test_a_server_that_is_not_there(serve, tmp_path):
    server = serve(good)
    server.http.server_close()
    with pytest.raises(InputError, match="APIConnectionError"):
        meso(server, attempts=2).tags(texts(["a"]), Room(Disk(tmp_path)))


def test_the_forecast_comes_first_and_max_cost_refuses(serve, tmp_path, caplog):
    server = serve(good)
    asked = meso(server, prompt_price=1.0, completion_price=2.0, max_cost=1e-6)
    pool = texts(f"some text number {i}" for i in range(10))
    forecast = asked.forecast(pool, Room(Disk(tmp_path)))
    assert forecast["requests"] == 10
    assert 10 * 80 < forecast["prompt_tokens"] < 10 * 200
    assert forecast["cost"] == pytest.approx((forecast["prompt_tokens"] + 2 * forecast["completion_tokens"]) / 1e6)
    with caplog.at_level(logging.INFO), pytest.raises(BudgetError, match="max_cost"):
        asked.tags(pool, Room(Disk(tmp_path)))
    assert "forecast: 10 requests" in caplog.text
    assert server.requests == 0
    meso(server).tags(pool, Room(Disk(tmp_path)))
    assert meso(server).forecast(pool, Room(Disk(tmp_path)))["requests"] == 0


def test_inside_a_running_event_loop(serve, tmp_path):
    import asyncio

    server = serve(good)

    async def notebook():
        return meso(server).tags(texts(["a cell"]), Room(Disk(tmp_path)))

    assert tags_of(asyncio.run(notebook())) == [["testing", "topic cell"]]


def test_without_openai_the_error_says_what_to_install(serve, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(InputError, match=r"pip install 'diversity-selector\[llm\]'"):
        meso(serve(good)).tags(texts(["a"]), Room(Disk(tmp_path)))


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        ('["a", " b "]', ["a", "b"]),
        ('```json\n["a"]\n```', ["a"]), ('{"tags": ["a"]}', ["a"]), ('[{"tag": "a", "explanation": "x"}]', ["a"]),
        ('Tags [of the text]: ["a"]', ["a"]),
        ("[]", []), ("[1, 2]", None), ("cats, dogs", None), ("", None),
        ('["a"', None), ('{"a": 1}', None),
    ],
)  # fmt: skip
def test_answers_in_many_dresses(content, tags):
    assert asking.parsed(content) == tags


def test_braces_in_texts_and_prompts_stay(serve, tmp_path):
    server = serve(good)
    one = meso(server)._llm()
    assert '{"tags"} {text} {tags}' in one.asked('{"tags"} {text} {tags}')
    assert "about 4 tags" in one.asked("x")
