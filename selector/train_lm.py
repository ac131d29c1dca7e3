"""Fine-tune a causal language model on a set, the loss taken on the responses alone."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from selector import causal_lm, manifest, writing
from selector.core import Progress, quiet
from selector.errors import RecipeError
from selector.pool import Pool

RATES = {True: 2e-4, False: 2e-5}  # learning rate of LoRA, and of all weights
ALPHA = 2  # times the rank: LoRA's scale


@dataclass(frozen=True)
class Training:
    """How: AdamW, 3 % of the steps warming up, then a cosine to 0; order of rows and all else by the seed."""

    model: str = causal_lm.EMBEDDED
    lora: int = 16  # rank, on all linear layers; 0 trains all weights
    epochs: float = 3.0
    batch: int = 8  # rows
    rate: float | None = None  # None: 2e-4 with LoRA, 2e-5 without
    longest: int = 1024  # tokens of a pair
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, least in (("lora", 0), ("batch", 1), ("longest", 8), ("seed", 0)):
            if getattr(self, name) < least:
                raise RecipeError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.epochs <= 0 or (self.rate is not None and self.rate <= 0):
            raise RecipeError(f"epochs are {self.epochs:g} and the rate is {self.rate}; both must be above 0.")


def train(dataset: str, output: str | Path, how: Training, progress: Progress = quiet) -> dict[str, Any]:
    """Writes the adapter, or the whole model, with its tokenizer and `training.json`; gives what that says.

    One step's loss is the mean of -ln p over the response tokens of its batch. Raises SelectorError.
    """
    folder = Path(output)
    writing.check(folder, False)
    transformers = causal_lm.needed("transformers")
    causal_lm.needed("accelerate")
    pool, began = Pool.read(dataset), time.monotonic()
    progress("loading", 0, 0)
    lm = causal_lm.load(how.model, how.device)
    rows = list(causal_lm.encoded(lm, pool.instructions.to_pylist(), pool.responses.to_pylist(), how.longest))
    transformers.set_seed(how.seed)
    model = lm.model
    if how.lora:
        peft = causal_lm.needed("peft")
        words = peft.LoraConfig(r=how.lora, lora_alpha=ALPHA * how.lora, target_modules="all-linear", task_type="CAUSAL_LM")
        model = peft.get_peft_model(model, words)
    rate = how.rate or RATES[bool(how.lora)]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), num_train_epochs=how.epochs, per_device_train_batch_size=how.batch, learning_rate=rate,
        lr_scheduler_type="cosine", warmup_steps=0.03, seed=how.seed, data_seed=how.seed, use_cpu=how.device == "cpu",
        bf16=how.device != "cpu", save_strategy="no", logging_strategy="steps", logging_steps=1, report_to=[], disable_tqdm=True,
        remove_unused_columns=False, dataloader_pin_memory=how.device != "cpu",
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=[{"input_ids": one.ids, "attention_mask": [1] * len(one.ids), "labels": one.labels} for one in rows],
        data_collator=transformers.DataCollatorForSeq2Seq(lm.tokenizer, label_pad_token_id=causal_lm.UNTRAINED),
        callbacks=[_shown(transformers, progress)],
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    trainer.train()
    losses = [round(one["loss"], 4) for one in trainer.state.log_history if "loss" in one]
    told = {
        **asdict(how),
        "rate": rate,
        "dataset": dataset,
        "rows": len(rows),
        "rows_cut": sum(one.cut for one in rows),
        "response_tokens": sum(len(one.response) for one in rows),
        "steps": trainer.state.global_step,
        "losses": losses,
        "seconds": round(time.monotonic() - began, 1),
        "versions": manifest.versions() | {name: version(name) for name in ("transformers", "accelerate", *(["peft"] if how.lora else []))},
    }

    def fill(place: Path) -> None:
        model.save_pretrained(str(place))
        lm.tokenizer.save_pretrained(str(place))
        writing.json_file(place / causal_lm.MARK, told)

    writing.whole(folder, False, fill)
    return told


def _shown(transformers: Any, progress: Progress) -> Any:
    def step(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        progress("training", state.global_step, state.max_steps)

    return type("Shown", (transformers.TrainerCallback,), {"on_step_end": step})()
