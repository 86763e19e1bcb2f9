# SPDX-License-Identifier: Apache-2.0
"""Runs Hugging Face's Qwen3 in the precisions and modes that the references are made of.

The truth runs in fp64: transformers computes norms, the softmax and the rotary table in fp32
whatever the weights' type, so those three are replaced here by fp64 forms. The rotary phase itself
(position times inverse frequency) stays the fp32 product that the model defines.
"""

import contextlib
import inspect

import torch
import transformers
import transformers.models.qwen3.modeling_qwen3 as qwen3

TAPS = (
    "embedding", "attn_norm", "q_proj", "k_proj", "v_proj", "q_rope", "k_rope", "attention",
    "attn_residual", "mlp_norm", "gate", "up", "swiglu", "layer_out", "final_norm", "logits",
)
LAYER_TAPS = TAPS[1:14]
CACHE_ARG = (
    "cache" if "cache" in inspect.signature(qwen3.Qwen3Attention.forward).parameters
    else "past_key_values"
)


def exact_flags():
    """fp32 means fp32: no TF32, no reduced-precision sums."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.set_float32_matmul_precision("highest")


def load(model_dir, dtype, attention="eager", device="cpu"):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        model_dir, dtype=dtype, attn_implementation=attention, local_files_only=True
    )
    inv_freq = model.model.rotary_emb.inv_freq
    assert inv_freq.dtype == torch.float32, inv_freq.dtype
    return model.to(device).eval()


def norm64(self, x):
    x = x.double()
    x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
    return self.weight.double() * x


def rope64(self, x, position_ids):
    phase = position_ids[..., None].float() * self.inv_freq.float()
    phase = torch.cat((phase, phase), dim=-1).double()
    return phase.cos() * self.attention_scaling, phase.sin() * self.attention_scaling


def attention64(module, query, key, value, attention_mask, scaling, **_):
    groups = module.num_key_value_groups
    key = key.repeat_interleave(groups, dim=1)
    value = value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    out = torch.softmax(scores, dim=-1, dtype=torch.float64) @ value
    return out.transpose(1, 2).contiguous(), None


@contextlib.contextmanager
def double_precision():
    """transformers' fp32 islands become fp64 while this lasts."""
    saved = (qwen3.Qwen3RMSNorm.forward, qwen3.Qwen3RotaryEmbedding.forward,
             qwen3.eager_attention_forward)
    qwen3.Qwen3RMSNorm.forward = norm64
    qwen3.Qwen3RotaryEmbedding.forward = rope64
    qwen3.eager_attention_forward = attention64
    try:
        yield
    finally:
        (qwen3.Qwen3RMSNorm.forward, qwen3.Qwen3RotaryEmbedding.forward,
         qwen3.eager_attention_forward) = saved


class Taps:
    """Records every tap of every layer; with `feed` each layer starts from the given residual."""

    def __init__(self, model, feed=None):
        self.model, self.feed = model, feed
        self.values = {}
        self.handles = []
        self.layer = -1

    def keep(self, name, layer, x):
        self.values.setdefault((name, layer), []).append(x.detach().reshape(-1, x.shape[-1]))

    def hook_layer(self, i, layer):
        attention, mlp = layer.self_attn, layer.mlp

        def start(_, args, kwargs):
            self.layer = i
            if self.feed is None:
                return None
            x = args[0] if args else kwargs["hidden_states"]
            fed = torch.as_tensor(self.feed[i], dtype=x.dtype, device=x.device)[None]
            if args:
                return (fed,) + args[1:], kwargs
            return args, {**kwargs, "hidden_states": fed}

        def output(name):
            return lambda _, __, out: self.keep(name, i, out[0] if isinstance(out, tuple) else out)

        def first_input(name):
            return lambda _, args: self.keep(name, i, args[0])

        add = self.handles.append
        add(layer.register_forward_pre_hook(start, with_kwargs=True))
        add(layer.input_layernorm.register_forward_hook(output("attn_norm")))
        for name in ("q_proj", "k_proj", "v_proj"):
            add(getattr(attention, name).register_forward_hook(output(name)))
        add(attention.o_proj.register_forward_pre_hook(first_input("attention")))
        add(layer.post_attention_layernorm.register_forward_pre_hook(first_input("attn_residual")))
        add(layer.post_attention_layernorm.register_forward_hook(output("mlp_norm")))
        add(mlp.gate_proj.register_forward_hook(output("gate")))
        add(mlp.up_proj.register_forward_hook(output("up")))
        add(mlp.down_proj.register_forward_pre_hook(first_input("swiglu")))
        add(layer.register_forward_hook(output("layer_out")))

    def __enter__(self):
        inner = self.model.model
        for i, layer in enumerate(inner.layers):
            self.hook_layer(i, layer)
        add = self.handles.append
        add(inner.embed_tokens.register_forward_hook(lambda _, __, y: self.keep("embedding", -1, y)))
        if self.feed is not None:
            add(inner.norm.register_forward_pre_hook(
                lambda _, args: (torch.as_tensor(self.feed[-1], dtype=args[0].dtype,
                                                 device=args[0].device)[None],)))
        add(inner.norm.register_forward_hook(lambda _, __, y: self.keep("final_norm", -1, y)))
        self.saved_rope = qwen3.apply_rotary_pos_emb

        def rope(*args, **kwargs):
            q, k = self.saved_rope(*args, **kwargs)
            for name, x in (("q_rope", q), ("k_rope", k)):
                self.keep(name, self.layer, x.transpose(1, 2).flatten(2))
            return q, k

        qwen3.apply_rotary_pos_emb = rope
        return self

    def __exit__(self, *_):
        qwen3.apply_rotary_pos_emb = self.saved_rope
        for handle in self.handles:
            handle.remove()

    def get(self, name, layer=-1):
        """(T, width) in fp64, all forward calls joined along T."""
        return torch.cat([x.double().cpu() for x in self.values[(name, layer)]])

    def residual(self):
        """(L+1, T, D) fp64: the embedding, then the stream after each layer."""
        layers = range(len(self.model.model.layers))
        return torch.stack([self.get("embedding")] + [self.get("layer_out", i) for i in layers])


def step(model, ids, cache, mask=None, positions=None):
    out = model(input_ids=ids, attention_mask=mask, position_ids=positions,
                use_cache=cache is not None,
                **({CACHE_ARG: cache} if cache is not None else {}))
    return out.logits


@torch.no_grad()
def run(model, ids, mode="whole"):
    """Logits (T, V) and residual (L+1, T, D) in fp64 of one prompt. Modes: whole, batched (beside a
    longer prompt, right-padded), chunked (16 tokens), decode_dynamic, decode_static (one token at a
    time after the first ones, over a growing or a preallocated cache), offset_K (whole, the first
    token at position K: attention depends on distances alone, so the truth is the same, but in 16
    bits every rounding from RoPE on is another)."""
    n = len(ids)
    row = torch.tensor([ids], device=model.device)
    with Taps(model) as taps:
        if mode == "whole":
            logits = step(model, row, None)[0]
        elif mode.startswith("offset_"):
            logits = step(model, row, None, positions=torch.arange(
                n, device=model.device)[None] + int(mode.split("_")[1]))[0]
        elif mode == "batched":
            width = n + 3
            other = [(7 * i + 3) % model.config.vocab_size for i in range(width)]
            batch = torch.tensor([ids + [0] * 3, other], device=model.device)
            mask = torch.ones_like(batch)
            mask[0, n:] = 0
            logits = step(model, batch, None, mask)[0, :n]
        else:
            if mode == "decode_static":
                cache = transformers.StaticCache(config=model.config, max_cache_len=n + 5)
            else:
                cache = transformers.DynamicCache(config=model.config)
            if mode == "chunked":
                cuts = list(range(0, n, 16)) + [n]
            else:
                first = max(1, n - 48)
                cuts = [0] + list(range(first, n + 1))
            logits = torch.cat([step(model, row[:, a:b], cache)[0]
                                for a, b in zip(cuts, cuts[1:]) if a < b])
        residual = taps.residual()
    if mode == "batched":
        residual = residual[:, :n]
    return logits.double().cpu().numpy(), residual.numpy()


@torch.no_grad()
def run_fed(model, ids, feed):
    """Every tap of every layer, each layer fed with feed[layer] (T, D): {(tap, layer): (T, w)}."""
    with Taps(model, feed) as taps:
        logits = step(model, torch.tensor([ids], device=model.device), None)[0]
        out = {key: taps.get(*key).numpy() for key in taps.values}
    out[("logits", -1)] = logits.double().cpu().numpy()
    return out


@torch.no_grad()
def greedy(model, ids, steps):
    """Ids of the greedy continuation, and the gap between the two largest logits at each step."""
    cache = transformers.DynamicCache(config=model.config)
    logits = step(model, torch.tensor([ids], device=model.device), cache)[0, -1].double()
    chosen, margins = [], []
    for _ in range(steps):
        top = logits.topk(2).values
        chosen.append(int(logits.argmax()))
        margins.append(float(top[0] - top[1]))
        last = torch.tensor([[chosen[-1]]], device=model.device)
        logits = step(model, last, cache)[0, -1].double()
    return chosen, margins
