# SPDX-License-Identifier: Apache-2.0
"""Qwen3 in Hugging Face transformers with random weights, timed on the CPU or on a CUDA device.

Attention is SDPA, the cache transformers' own, and the head is run for the last position only. Forms:
eager      the model's forward in a greedy loop, with a cache that grows
compiled   a prompt as it is, then steps through transformers' own torch.compile of the forward
           (get_compiled_call: mode reduce-overhead, so CUDA graphs) with a static cache, as
           generate(cache_implementation="static") runs them
The host reads the id of every token, as text needs it: on a GPU that waits for the device.
"""
import inspect
import time

import torch
import transformers

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
FORMS = ("eager", "compiled")


def version():
    return "transformers %s, torch %s" % (transformers.__version__, torch.__version__)


class HuggingFace:
    def __init__(self, shape, dtype, device="cpu"):
        """shape: a row of `ember --list-presets`, or the config that `ember inspect --json` prints."""
        torch.manual_seed(1)
        rope = shape.get("rope", {})
        if rope.get("type", "default") != "default":
            raise ValueError("rope of type %s: only the default is measured" % rope["type"])
        config = transformers.Qwen3Config(
            num_hidden_layers=shape["layers"], hidden_size=shape["hidden"],
            num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"],
            head_dim=shape["head_dim"], intermediate_size=shape["ffn"], vocab_size=shape["vocab"],
            tie_word_embeddings=shape["tied"], rope_theta=rope.get("theta", 1e6),
            max_position_embeddings=shape.get("max_position", 40960))
        config._attn_implementation = "sdpa"
        self.device = torch.device(device)
        before = torch.get_default_dtype()
        torch.set_default_dtype(DTYPES[dtype])  # made where and as it is used: no copy in fp32
        try:
            with self.device:
                self.model = transformers.Qwen3ForCausalLM(config).eval()
        finally:
            torch.set_default_dtype(before)
        self.dtype = str(self.model.lm_head.weight.dtype).replace("torch.", "")
        named = inspect.signature(self.model.forward).parameters
        self.cache_name = "cache" if "cache" in named else "past_key_values"  # before 5.24
        self.static = None

    def measure(self, ids, steps, form="eager", length=0):
        """(seconds of the prompt and its token, seconds of `steps` tokens after it, all the ids).
        length: of the static cache, where that is to be more than the ids and the steps."""
        if form == "compiled":
            with torch.no_grad():
                return self._measure(ids, steps, self._static_cache(max(length, len(ids) + steps)),
                                     self.model.get_compiled_call(transformers.CompileConfig()))
        with torch.inference_mode():
            return self._measure(ids, steps, transformers.DynamicCache(), self.model)

    def _static_cache(self, length):
        """One for all repetitions of a length: a compiled step knows its addresses."""
        if self.static is None or self.static[0] != length:
            cache = transformers.StaticCache(config=self.model.config, max_cache_len=length)
            self.static = (length, cache)
        else:
            self.static[1].reset()
        return self.static[1]

    def _measure(self, ids, steps, cache, step):
        options = {self.cache_name: cache, "use_cache": True, "logits_to_keep": 1}
        prompt = torch.tensor([ids], device=self.device)
        positions = torch.arange(len(ids), device=self.device).view(1, -1)
        at = torch.tensor([[len(ids)]], device=self.device)
        self._wait()
        begin = time.perf_counter()
        token = self._choose(self.model(prompt, position_ids=positions, **options))
        written = [int(token)]
        first = time.perf_counter()
        for _ in range(steps):
            if step is not self.model:
                torch.compiler.cudagraph_mark_step_begin()
            token = self._choose(step(token, position_ids=at, **options))
            at += 1
            written.append(int(token))
        return first - begin, time.perf_counter() - first, written

    @staticmethod
    def _choose(out):
        return out.logits[0, -1].argmax().view(1, 1)

    def _wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
