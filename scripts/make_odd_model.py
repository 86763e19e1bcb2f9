#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes golden/models/odd: a Qwen3 checkpoint with random weights and awkward dimensions.

    python3 scripts/make_odd_model.py -o golden/models/odd

Nothing about it is round: hidden size 168, three layers, ten query heads on two KV heads, head_dim
64 (so that q_dim 640 is far from hidden), ffn 328, 1,021 vocabulary rows of which the tokenizer
names fewer, an untied head, yarn, eps 1e-5, two shards. Every norm has gains far from one, a tenth
of them negative, so that a dropped or swapped norm cannot hide. Weight scales keep attention
spread over several keys and logits a few units apart.

The same seed gives the same bytes with the same versions. Needs: torch (2.15), transformers
(5.24), tokenizers (0.23), safetensors (0.8); runs on the CPU in seconds.
"""

import argparse
import pathlib
import random

import torch
import transformers

import qwen3_form

VOCAB_ROWS = 1021
TOKENIZER_ROWS = 983

SCRIPTS = [
    ("bcdfghjklmnprstvwz", "aeiou"),
    ("бвгджзклмнпрстфхш", "аеиоуыэюя"),
    ("βγδζθκλμνπρστφχψ", "αεηιουω"),
]
WHOLE = "一二三四五六七八九十日月火水木金土山川田人口目耳手足犬猫魚鳥花草雨雪風雲"
SIGNS = ["🙂", "🚀", "👍🏽", "👩‍🚀", "é", "e\u0301", "ñ", "…", "—", "«»", "≠", "→", "한글", "ไทย"]
CODE = ["return x;", "for (i = 0; i < n; ++i) {", "\n    ", "}\n\n", "a[i] += b[i];", "// ", "0x"]


def pseudo_text(seed, lines=4000):
    """Nonsense in three alphabets, with ideographs, signs and code: it only has to be varied."""
    rng = random.Random(seed)
    words = []
    for consonants, vowels in SCRIPTS:
        for _ in range(300 if consonants[0] == "b" else 60):
            syllables = rng.randint(1, 4)
            word = "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(syllables))
            words.append(word if rng.random() < 0.8 else word.capitalize())
    for _ in range(lines):
        parts = []
        for _ in range(rng.randint(3, 12)):
            pick = rng.random()
            if pick < 0.8:
                # Squaring favours the early words, so that frequencies fall off as in real text.
                parts.append(words[int(len(words) * rng.random() ** 2)])
            elif pick < 0.87:
                parts.append("".join(rng.choice(WHOLE) for _ in range(rng.randint(1, 4))))
            elif pick < 0.93:
                parts.append(rng.choice(SIGNS))
            elif pick < 0.97:
                parts.append(rng.choice(CODE))
            else:
                parts.append(str(rng.randint(0, 9999)))
        yield " ".join(parts) + rng.choice([".", "?", "!", ",", "\n", "\r\n", " \t"])


def odd_config(ids):
    """`ids` maps control tokens to ids."""
    return transformers.Qwen3Config(
        vocab_size=VOCAB_ROWS,
        hidden_size=168,
        intermediate_size=328,
        num_hidden_layers=3,
        num_attention_heads=10,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 50000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 128,
        },
        tie_word_embeddings=False,
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=None,
        dtype=torch.bfloat16,
    )


def gains(shape, centre, spread, generator):
    """Lognormal around `centre`; a tenth of them negative."""
    value = centre * torch.exp(spread * torch.randn(shape, generator=generator))
    sign = torch.where(torch.rand(shape, generator=generator) < 0.1, -1.0, 1.0)
    return value * sign


def fill(model, generator):
    """Replaces every parameter; names as in the checkpoint."""
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            shape = parameter.shape
            if name.endswith("norm.weight") or "layernorm" in name:
                # Unit q and k times these gains put scores about two units apart.
                centre = 1.0 if "q_norm" in name or "k_norm" in name else 1.2
                value = gains(shape, centre, 0.5, generator)
            elif name == "model.embed_tokens.weight":
                value = 0.7 * torch.randn(shape, generator=generator)
            elif name == "lm_head.weight":
                value = 0.1 * torch.randn(shape, generator=generator)
            else:
                # A mean that is not zero makes a lost row or a wrong stride show in every sum.
                fan_in = shape[1]
                value = (torch.randn(shape, generator=generator) + 0.02) / fan_in**0.5
            parameter.copy_(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    tokenizer_json = qwen3_form.train_tokenizer(pseudo_text(args.seed), TOKENIZER_ROWS)
    assert qwen3_form.row_count(tokenizer_json) == TOKENIZER_ROWS
    ids = qwen3_form.token_ids(tokenizer_json)

    model = transformers.Qwen3ForCausalLM(odd_config(ids))
    fill(model, torch.Generator().manual_seed(args.seed))
    model = model.to(torch.bfloat16)
    model.save_pretrained(args.out, max_shard_size="2MB")
    qwen3_form.write_tokenizer(args.out, tokenizer_json, 512)
    qwen3_form.write_generation_config(args.out, ids, transformers.__version__)
    for path in sorted(args.out.iterdir()):
        print(f"{path.stat().st_size:>9} {path.name}")


if __name__ == "__main__":
    main()
