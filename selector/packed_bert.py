"""BERT models on a processor without padding: texts of any lengths stacked into one matrix, weights laid out once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

_FEWEST = 16  # tokens in a matrix: products of one to three rows are summed in another order, which moves the last bit
_PROBE = ("", "a", "How do I bake Sourdough bread? " * 3, "many words " * 2_000)
_NEAR = 0.999  # cosine with the model's own way; what is left is rounding, in bfloat16 up to 1e-4

_Linear = tuple[Any, Any]  # weight in the layout of the matrix product, bias


@dataclass(frozen=True, eq=False)
class _Layer:
    """One transformer block."""

    attention: _Linear  # (3 d, d): queries, keys and values
    output: _Linear
    first_norm: Any
    wide: _Linear
    narrow: _Linear
    second_norm: Any


@dataclass(frozen=True, eq=False)
class PackedBert:
    """The transformer of a sentence-transformers model, and the model's own modules after it (pooling, scaling ...).

    All tokens of all texts are the rows of one matrix (tokens, d); only attention looks at one text at a time, and texts of one
    length share a call. So no product is spent on padding, and a vector depends on its text alone: to the last bit, as long as
    the products' kernels sum a row the same way whatever stands beside it, which oneDNN's do from four rows on.
    """

    embeddings: Any
    layers: tuple[_Layer, ...]
    heads: int
    after: tuple[Any, ...]

    def encode(self, texts: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        """(n, d) vectors of texts given as token ids, special tokens included; those of one length side by side. One thread's work."""
        import torch

        tokens = sum(len(one) for one in texts)
        if tokens < _FEWEST:
            return self.encode([texts[0]] * -(-_FEWEST // len(texts[0])) + list(texts))[-len(texts) :]
        groups = [np.stack(list(same)) for _, same in groupby(texts, len)]  # each (texts, length)
        with torch.inference_mode():
            rows = self._embedded(groups)  # (tokens, d)
            for layer in self.layers:
                rows = self._through(layer, rows, groups)
            found, start = [], 0
            for group in groups:
                held = rows[start : start + group.size].view(*group.shape, -1)
                features = {"token_embeddings": held, "attention_mask": torch.ones(group.shape, dtype=torch.int64)}
                for module in self.after:
                    features = module(features)
                found.append(features["sentence_embedding"].float().numpy())
                start += group.size
        return np.concatenate(found)

    def _embedded(self, groups: list[NDArray[np.int64]]) -> Any:
        import torch

        ids = torch.from_numpy(np.concatenate([group.ravel() for group in groups]))
        places = torch.from_numpy(np.concatenate([np.tile(np.arange(group.shape[1]), len(group)) for group in groups]))
        kind = self.embeddings.token_type_embeddings.weight[0]
        return self.embeddings.LayerNorm(self.embeddings.word_embeddings(ids) + kind + self.embeddings.position_embeddings(places))

    def _through(self, layer: _Layer, rows: Any, groups: list[NDArray[np.int64]]) -> Any:
        import torch

        asked = _product(rows, layer.attention)  # (tokens, 3 d)
        seen, start = torch.empty_like(rows), 0
        for group in groups:
            stop = start + group.size
            query, key, value = (
                asked[start:stop].view(*group.shape, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            )  # (texts, heads, length, d / heads)
            found = torch.nn.functional.scaled_dot_product_attention(query, key, value)
            seen[start:stop].view(*group.shape, self.heads, -1).copy_(found.transpose(1, 2))
            start = stop
        rows = layer.first_norm(_product(seen, layer.output).add_(rows))
        return layer.second_norm(_product(_product(rows, layer.wide, "gelu"), layer.narrow).add_(rows))


def packed(model: Any) -> PackedBert | None:
    """The same encoder as this sentence_transformers.SentenceTransformer, faster; None where it is no plain BERT on a processor.

    What is built is compared with the model's own way on four texts before it is trusted.
    """
    import torch
    from transformers import BertModel

    bert = model[0].auto_model
    if type(bert) is not BertModel or model.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return None
    plain = bert.config.hidden_act == "gelu" and not bert.config.is_decoder and bert.dtype in (torch.float32, torch.bfloat16)
    fast = bert.dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if not (plain and fast and model.tokenizer.is_fast and model.max_seq_length and model.default_prompt_name is None):
        return None
    with torch.inference_mode():
        layers = tuple(_layer(one) for one in bert.encoder.layer)
    made = PackedBert(bert.embeddings, layers, bert.config.num_attention_heads, tuple(model.children())[1:])
    texts = list(_PROBE)
    ids = model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]
    own = model.encode(texts, show_progress_bar=False)
    ours = np.concatenate([made.encode([np.array(one, np.int64)]) for one in ids])
    if own.shape != ours.shape:
        return None
    cosines = (own * ours).sum(axis=1) / np.linalg.norm(own, axis=1) / np.linalg.norm(ours, axis=1)
    if not cosines.min() > _NEAR:
        log.info("the model is not computed without padding: its own way gives other vectors, cosine %.6f", cosines.min())
        return None
    return made


def _layer(one: Any) -> _Layer:
    own, output = one.attention.self, one.attention.output
    return _Layer(
        _laid_out(own.query, own.key, own.value),
        _laid_out(output.dense),
        output.LayerNorm,
        _laid_out(one.intermediate.dense),
        _laid_out(one.output.dense),
        one.output.LayerNorm,
    )


def _laid_out(*modules: Any) -> _Linear:
    """Linear modules with the same input as one, its weight in the layout that oneDNN multiplies by: else each product does it again."""
    import torch

    weight, bias = torch.cat([one.weight for one in modules]), torch.cat([one.bias for one in modules])
    return torch.ops.mkldnn._reorder_linear_weight(weight, 2_048), bias


def _product(rows: Any, linear: _Linear, then: str = "none") -> Any:
    """rows @ weight.T + bias, then the activation in the same pass (gelu as written with erf)."""
    import torch

    return torch.ops.mkldnn._linear_pointwise(rows, *linear, then, [], "none" if then == "gelu" else "")
