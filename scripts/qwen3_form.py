# SPDX-License-Identifier: Apache-2.0
"""Writes a tokenizer, its configuration and a generation configuration in Qwen3's file forms.

Shared by make_tiny_model.py and make_odd_model.py. The pipeline is Qwen3's, word for word: NFC,
the same split pattern, byte level with all 256 byte symbols, BPE, the same 26 added tokens with
the same flags, the same order of keys. Only the vocabulary and the ids of the added tokens differ.

The chat template (qwen3_chat_template.jinja) is that of Qwen/Qwen3-0.6B, Apache-2.0.

Needs: tokenizers (0.23).
"""

import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]

# Added, but not special: decode(skip_special_tokens=True) keeps them.
PLAIN_TOKENS = [
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
]

ADDED_TOKENS = SPECIAL_TOKENS + PLAIN_TOKENS


def chat_template():
    """The Jinja text of Qwen3's chat template."""
    return (pathlib.Path(__file__).parent / "qwen3_chat_template.jinja").read_text(encoding="utf-8")


def byte_level():
    """The one ByteLevel setting that Qwen3 uses in its three places, as JSON."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }


def train_tokenizer(texts, vocab_size):
    """Trains BPE on `texts` (an iterable of str); returns the whole tokenizer.json as a dict.

    `vocab_size` counts the 256 byte symbols, the merges and the added tokens. Added tokens take
    the last ids, as in Qwen3, so the dict's vocabulary is exactly `vocab_size` rows unless the
    text runs out of pairs to merge.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(
        add_prefix_space=False, trim_offsets=False, use_regex=False
    )
    tokenizer.decoder = decoders.ByteLevel(
        add_prefix_space=False, trim_offsets=False, use_regex=False
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(ADDED_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    trained = json.loads(tokenizer.to_str())
    return qwen3_json(trained["model"]["vocab"], trained["model"]["merges"], trained)


def qwen3_json(vocab, merges, trained):
    """tokenizer.json with Qwen3's keys in Qwen3's order; `trained` supplies the split pattern."""
    added = [
        {
            "id": len(vocab) + i,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": content in SPECIAL_TOKENS,
        }
        for i, content in enumerate(ADDED_TOKENS)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": trained["pre_tokenizer"],
        "post_processor": byte_level(),
        "decoder": byte_level(),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(sorted(vocab.items(), key=lambda item: item[1])),
            "merges": merges,
        },
    }


def token_ids(tokenizer_json):
    """{content: id} of the added tokens."""
    return {token["content"]: token["id"] for token in tokenizer_json["added_tokens"]}


def row_count(tokenizer_json):
    """Rows that an embedding needs for this tokenizer: the largest id plus one."""
    return max(token["id"] for token in tokenizer_json["added_tokens"]) + 1


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tokenizer(directory, tokenizer_json, model_max_length):
    """Writes tokenizer.json and tokenizer_config.json into `directory` (a Path)."""
    write_json(directory / "tokenizer.json", tokenizer_json)
    decoder = {
        str(token["id"]): {
            "content": token["content"],
            "lstrip": token["lstrip"],
            "normalized": token["normalized"],
            "rstrip": token["rstrip"],
            "single_word": token["single_word"],
            "special": token["special"],
        }
        for token in tokenizer_json["added_tokens"]
    }
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": SPECIAL_TOKENS[1:],
        "bos_token": None,
        "chat_template": chat_template(),
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": model_max_length,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    write_json(directory / "tokenizer_config.json", config)


def write_generation_config(directory, ids, transformers_version):
    """Qwen3's generation_config.json with this tokenizer's ids: two end tokens, its sampling."""
    config = {
        "bos_token_id": ids["<|endoftext|>"],
        "do_sample": True,
        "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        "pad_token_id": ids["<|endoftext|>"],
        "temperature": 0.6,
        "top_k": 20,
        "top_p": 0.95,
        "transformers_version": transformers_version,
    }
    write_json(directory / "generation_config.json", config)
