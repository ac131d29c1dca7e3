"""A win rate counts both orders, says where they disagree, and a judge that only likes the first answer is found out."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from selector import held_out, judging
from selector.errors import InputError
from selector.layers.taggers import asking
from selector.pool import Pool

pytest.importorskip("openai")
ROWS = 8


def parts(question):
    """The two answers that the judge sees."""
    first = question.split("First answer:\n")[1].split("\n\nSecond answer:")[0]
    return first, question.split("Second answer:\n")[1].split("\n\nReply:")[0]


@pytest.fixture
def serve(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(asking, "FIRST_PAUSE", 0.01)
    servers = []

    def start(prefers):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                message = {"role": "assistant", "content": prefers(*parts(asked["messages"][0]["content"]))}
                body = {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
                        "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}  # fmt: skip
                raw = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return judging.Judge("a-judge", f"http://127.0.0.1:{server.server_address[1]}/v1")

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def held():
    table = pa.table({"instruction": [f"do {row}" for row in range(ROWS)], "response": [f"reference {row}" for row in range(ROWS)]})
    return [held_out.HeldOut("set", Pool.from_table(table), [""] * ROWS, 0)]


@pytest.fixture(autouse=True)
def model(monkeypatch):
    monkeypatch.setattr(judging, "answers", lambda lm, instructions, *rest: (f"ours to {one}" for one in instructions))


def rate(held, judge):
    return judging.win_rates(None, held, judge)["judged"]["win_rate/set"]


def test_ours_always_better(held, serve):
    found = judging.win_rates(None, held, serve(lambda first, _: '["first"]' if first.startswith("ours") else '["second"]'))
    assert found["win_rate"] == 100.0
    assert found["judged"]["win_rate/set"] == {
        "percent": 100.0, "standard_error": 0.0, "orders_disagree": 0.0, "rows": ROWS, "unanswered": 0,
    }  # fmt: skip


def test_a_judge_that_likes_the_first_answer_gives_half_and_is_found_out(held, serve):
    found = rate(held, serve(lambda *_: 'I think ["First"]'))
    assert (found["percent"], found["orders_disagree"]) == (50.0, 100.0)


def test_wins_ties_and_words_that_are_none(held, serve):
    def prefers(first, second):
        row = int((first if first.startswith("reference") else second).split()[1])
        if row < 2:  # we win
            return '["first"]' if first.startswith("ours") else '["second"]'
        return '["both"]' if row == 7 else '["tie"]'

    found = rate(held, serve(prefers))
    assert (found["rows"], found["unanswered"]) == (7, 1)
    assert found["percent"] == pytest.approx(100 * (2 + 5 * 0.5) / 7)


def test_no_word_at_all_is_an_error(held, serve):
    with pytest.raises(InputError, match="no word on any row"):
        rate(held, serve(lambda *_: '["neither"]'))


def test_answers_begin_where_prompts_end(monkeypatch):
    """Of prompts of different lengths, padded, each gets the answer that it gets alone."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from selector.causal_lm import CausalLM

    monkeypatch.undo()
    known = {word: number for number, word in enumerate(["<pad>", "<end>", *(f"w{number}" for number in range(30))])}
    backend = Tokenizer(models.WordLevel(known, unk_token="w0"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<pad>")
    torch.manual_seed(1)
    lm = CausalLM("tiny", LlamaForCausalLM(LlamaConfig(
        vocab_size=len(known), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        initializer_range=1.0,
    )), tokenizer)  # fmt: skip
    texts = ["w1 w2", "w3", "w4 w5 w6 w7 w8"]
    together = list(judging.answers(lm, texts, 6))
    assert together == [next(iter(judging.answers(lm, [text], 6))) for text in texts]
    assert len(set(together)) > 1
