#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains golden/models/tiny: a small Qwen3 that writes simple English and holds a short chat.

    python3 scripts/make_tiny_model.py -o golden/models/tiny --device cuda

Generates its text (tiny_text.py, tiny_chat.py), trains a byte-level BPE vocabulary on it, packs
documents into rows, trains with AdamW in bf16 autocast over fp32 weights, casts to bf16 and writes
a Hugging Face directory. Seeds are fixed; the text and the vocabulary are the same in every run,
the weights only up to the order of the GPU's sums.

The text can be prepared apart, where there is no GPU (`--prepare`), and be trained on elsewhere
(`--rows`).
`--steps 30 --docs 2000 --device cpu` is a quick check that everything runs.

Needs: torch (2.11 or later), transformers (5.17 or later), tokenizers (0.23), safetensors (0.8),
numpy, jinja2. One H100 takes a few minutes.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import random
import time

import jinja2.sandbox
import numpy
import torch
import transformers
from tokenizers import Tokenizer

import qwen3_form
import tiny_chat
import tiny_text

VOCAB_ROWS = 2048
ROW_TOKENS = 1024
DOCS_PER_SHARD = 1000
END = "<|endoftext|>"
IGNORE = -100


def tiny_config(ids):
    """q_dim is 512 and hidden 256 on purpose: nothing may assume that they are equal."""
    return transformers.Qwen3Config(
        vocab_size=VOCAB_ROWS,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=128,
        max_position_embeddings=4096,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        tie_word_embeddings=True,
        bos_token_id=ids[END],
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=None,
    )


def template():
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(qwen3_form.chat_template())


def render(compiled, messages, thinking):
    """(prompt, rest): the rest is what the model has to write."""
    whole = compiled.render(messages=messages)
    prompt = compiled.render(
        messages=messages[:-1], add_generation_prompt=True, enable_thinking=thinking
    )
    assert whole.startswith(prompt), (prompt, whole)
    return prompt, whole[len(prompt) :] + END


def make_shard(job):
    """A list of (prompt, rest); plain documents have an empty prompt. Depends on the seed alone."""
    seed, count = job
    rng = random.Random(seed)
    compiled = template()
    shard = []
    for _ in range(count):
        if rng.random() < 0.5:
            shard.append(("", tiny_text.document(rng) + END))
        else:
            shard.append(render(compiled, *tiny_chat.conversation(rng)))
    return shard


def make_documents(count, seed):
    jobs = [(f"{seed}/{i}", DOCS_PER_SHARD) for i in range(max(1, count // DOCS_PER_SHARD))]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        return [pair for shard in pool.map(make_shard, jobs) for pair in shard]


def pack(documents, tokenizer, rng):
    """Rows of whole documents: (ids, labels) as int16 arrays (rows, ROW_TOKENS).

    A prompt's tokens are not trained on: what stands after "assistant" in the history has no
    thinking, and the model must not learn to leave it out.
    """
    end = tokenizer.token_to_id(END)
    prompts = tokenizer.encode_batch_fast([p for p, _ in documents], add_special_tokens=False)
    rests = tokenizer.encode_batch_fast([r for _, r in documents], add_special_tokens=False)
    order = list(range(len(documents)))
    rng.shuffle(order)
    rows, labels = [], []
    row, label = [], []
    for i in order:
        prompt, rest = prompts[i].ids, rests[i].ids
        if row and len(row) + len(prompt) + len(rest) > ROW_TOKENS:
            padding = ROW_TOKENS - len(row)
            rows.append(row + [end] * padding)
            labels.append(label + [IGNORE] * padding)
            row, label = [], []
        row = (row + prompt + rest)[:ROW_TOKENS]
        label = (label + [IGNORE] * len(prompt) + rest)[:ROW_TOKENS]
    return numpy.array(rows, dtype=numpy.int16), numpy.array(labels, dtype=numpy.int16)


def prepare(count, seed):
    """Everything that training needs: the tokenizer, rows to train on, rows held out."""
    start = time.time()
    documents = make_documents(count, seed)
    texts = (p + r for p, r in documents[:100000])
    tokenizer_json = qwen3_form.train_tokenizer(texts, VOCAB_ROWS)
    assert qwen3_form.row_count(tokenizer_json) <= VOCAB_ROWS
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json))
    rows, labels = pack(documents, tokenizer, random.Random(seed))
    test_documents = make_documents(1000, f"held out {seed}")
    test_rows, test_labels = pack(test_documents, tokenizer, random.Random(0))
    print(
        f"{len(documents)} documents, {rows.size} tokens in {len(rows)} rows,"
        f" {(labels >= 0).sum()} trained on, {time.time() - start:.0f} s",
        flush=True,
    )
    return {
        "tokenizer": tokenizer_json,
        "rows": rows,
        "labels": labels,
        "test_rows": test_rows,
        "test_labels": test_labels,
    }


def load_rows(path):
    data = dict(numpy.load(path))
    data["tokenizer"] = json.loads(str(data["tokenizer"]))
    return data


def learning_rate(step, steps, peak):
    warmup = min(200, steps // 10 + 1)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))))


def loss_of(model, ids, labels):
    logits = model(input_ids=ids, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=IGNORE
    )


def make_optimizer(model, peak, device):
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), fused=device == "cuda")


def train(model, rows, labels, args):
    device = args.device
    rows = torch.from_numpy(rows).to(device)
    labels = torch.from_numpy(labels).to(device)
    model.to(device).train()
    forward = torch.compile(loss_of) if device == "cuda" else loss_of
    optimizer = make_optimizer(model, args.lr, device)
    picker = torch.Generator().manual_seed(args.seed)
    order = torch.empty(0, dtype=torch.long)
    start = time.time()
    for step in range(args.steps):
        if len(order) < args.batch:
            order = torch.cat([order, torch.randperm(len(rows), generator=picker)])
        batch, order = order[: args.batch].to(device), order[args.batch :]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.lr)
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = forward(model, rows[batch].long(), labels[batch].long())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 100 == 0 or step == args.steps - 1:
            spent = time.time() - start
            print(f"step {step} loss {loss.item():.4f} seconds {spent:.1f}", flush=True)
    return time.time() - start


def held_out_loss(model, rows, labels, device):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for row, label in zip(rows, labels):
            ids = torch.from_numpy(row).long()[None].to(device)
            total += loss_of(model, ids, torch.from_numpy(label).long()[None].to(device)).item()
    return total / len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", required=True, type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=64, help=f"rows of {ROW_TOKENS} tokens a step")
    parser.add_argument("--docs", type=int, default=450000)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prepare", action="store_true", help="write OUT/rows.npz and stop")
    parser.add_argument("--rows", type=pathlib.Path, help="train on such a rows.npz")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    if args.rows:
        data = load_rows(args.rows)
    else:
        data = prepare(args.docs, args.seed)
    if args.prepare:
        numpy.savez(
            args.out / "rows.npz", **{**data, "tokenizer": json.dumps(data["tokenizer"])}
        )
        return
    tokenizer_json = data["tokenizer"]
    ids = qwen3_form.token_ids(tokenizer_json)

    torch.manual_seed(args.seed)
    model = transformers.Qwen3ForCausalLM(tiny_config(ids))
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    seconds = train(model, data["rows"], data["labels"], args)
    model = model.to(torch.bfloat16)
    loss = held_out_loss(model, data["test_rows"], data["test_labels"], args.device)
    print(f"trained in {seconds:.0f} s, held-out loss in bf16 {loss:.4f}")

    model.config.dtype = torch.bfloat16
    model.cpu().save_pretrained(args.out)
    qwen3_form.write_tokenizer(args.out, tokenizer_json, 4096)
    qwen3_form.write_generation_config(args.out, ids, transformers.__version__)
    for path in sorted(args.out.iterdir()):
        print(f"{path.stat().st_size:>9} {path.name}")


if __name__ == "__main__":
    main()
