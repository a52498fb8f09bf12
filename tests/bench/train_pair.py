#!/usr/bin/python3
"""Trains a small transformer, and fine-tunes it: train_pair.py FOLDER

The pair that tests/bench/delta.sh measures: `base.safetensors`, and from it `attention.safetensors`,
whose attention alone was trained further, and `full.safetensors`, all of whose weights were; bf16.

A decoder over bytes: 4 layers of width 256, 4 heads, an MLP of 1,024, tied embeddings, 3.2 million weights;
AdamW. It first learns sentences of one made-up language (120 steps of 512 bytes, rate 1e-3), then of another
(40 steps, rate 1e-4). Everything is drawn from one seed. Sums of floats come in an order that the BLAS
library chooses, so another one gives other last bits, and about the same figures.
"""
import json
import struct
import sys

import numpy as np

WIDTH, LAYERS, HEADS, CONTEXT, BATCH = 256, 4, 4, 64, 8
SEED = 20261128


# --- Two languages ---------------------------------------------------------------------------


class Language:
    """Words of syllables, used as often as Zipf says, in sentences."""

    def __init__(self, random, syllables):
        self.random = random
        self.words = ["".join(random.choice(syllables, random.integers(1, 4))) for _ in range(400)]
        weights = 1 / np.arange(1, 401)
        self.weights = weights / weights.sum()

    def batch(self):
        rows = []
        for _ in range(BATCH):
            text = ""
            while len(text) <= CONTEXT:
                count = self.random.integers(3, 9)
                text += " ".join(self.random.choice(self.words, count, p=self.weights)) + ". "
            rows.append(np.frombuffer(text[:CONTEXT + 1].encode(), np.uint8).astype(np.int64))
        rows = np.stack(rows)
        return rows[:, :-1], rows[:, 1:]


# --- The model -------------------------------------------------------------------------------


def make_model(random):
    def draw(*shape):
        return (random.standard_normal(shape) * 0.02).astype(np.float32)

    model = {"embed": draw(256, WIDTH), "position": draw(CONTEXT, WIDTH),
             "norm": np.ones(WIDTH, np.float32)}
    for layer in range(LAYERS):
        name = "layers.%d." % layer
        for part in ("query", "key", "value", "output"):
            model[name + "attention." + part] = draw(WIDTH, WIDTH)
        model[name + "mlp.up"] = draw(WIDTH, 4 * WIDTH)
        model[name + "mlp.down"] = draw(4 * WIDTH, WIDTH)
        model[name + "attention_norm"] = np.ones(WIDTH, np.float32)
        model[name + "mlp_norm"] = np.ones(WIDTH, np.float32)
    return model


def norm(x, gain):
    scale = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return x * scale * gain, (x, scale, gain)


def norm_back(grad, kept):
    x, scale, gain = kept
    gain_grad = (grad * x * scale).reshape(-1, WIDTH).sum(0)
    inner = grad * gain
    return scale * (inner - x * scale * scale * (inner * x).mean(-1, keepdims=True)), gain_grad


def split(x):
    return x.reshape(BATCH, CONTEXT, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)


def join(x):
    return x.transpose(0, 2, 1, 3).reshape(BATCH, CONTEXT, WIDTH)


MASK = np.triu(np.full((CONTEXT, CONTEXT), -1e9, np.float32), 1)
SCALE = np.float32((WIDTH // HEADS) ** -0.5)


def attend(x, model, name):
    query, key, value = (split(x @ model[name + part]) for part in ("query", "key", "value"))
    scores = query @ key.transpose(0, 1, 3, 2) * SCALE + MASK
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed = join(scores @ value)
    return mixed @ model[name + "output"], (x, query, key, value, scores, mixed)


def flat(x):
    return x.reshape(-1, x.shape[-1])


def attend_back(grad, kept, model, grads, name):
    x, query, key, value, scores, mixed = kept
    grads[name + "output"] = flat(mixed).T @ flat(grad)
    mixed_grad = split(grad @ model[name + "output"].T)
    score_grad = mixed_grad @ value.transpose(0, 1, 3, 2)
    score_grad = scores * (score_grad - (score_grad * scores).sum(-1, keepdims=True)) * SCALE
    back = 0
    for part, part_grad in (("query", score_grad @ key),
                            ("key", score_grad.transpose(0, 1, 3, 2) @ query),
                            ("value", scores.transpose(0, 1, 3, 2) @ mixed_grad)):
        part_grad = join(part_grad)
        grads[name + part] = flat(x).T @ flat(part_grad)
        back = back + part_grad @ model[name + part].T
    return back


def step_loss(model, tokens, targets):
    """(loss in nats, gradient of every weight)."""
    grads, kept = {}, []
    x = model["embed"][tokens] + model["position"]
    for layer in range(LAYERS):
        name = "layers.%d." % layer
        inner, first = norm(x, model[name + "attention_norm"])
        out, attention = attend(inner, model, name + "attention.")
        x = x + out
        inner, second = norm(x, model[name + "mlp_norm"])
        hidden = inner @ model[name + "mlp.up"]
        active = np.maximum(hidden, 0)
        x = x + active @ model[name + "mlp.down"]
        kept.append((first, attention, second, inner, hidden, active))
    out, last = norm(x, model["norm"])
    logits = out @ model["embed"].T
    logits -= logits.max(-1, keepdims=True)
    chances = np.exp(logits)
    chances /= chances.sum(-1, keepdims=True)
    picked = np.take_along_axis(chances, targets[..., None], -1)
    loss = -np.log(picked).mean()
    grad = chances
    np.put_along_axis(grad, targets[..., None], picked - 1, -1)
    grad = grad / np.float32(tokens.size)
    grads["embed"] = flat(grad).T @ flat(out)
    grad, grads["norm"] = norm_back(grad @ model["embed"], last)
    for layer in reversed(range(LAYERS)):
        name = "layers.%d." % layer
        first, attention, second, inner, hidden, active = kept[layer]
        grads[name + "mlp.down"] = flat(active).T @ flat(grad)
        hidden_grad = (grad @ model[name + "mlp.down"].T) * (hidden > 0)
        grads[name + "mlp.up"] = flat(inner).T @ flat(hidden_grad)
        back, grads[name + "mlp_norm"] = norm_back(hidden_grad @ model[name + "mlp.up"].T, second)
        grad = grad + back
        back = attend_back(grad, attention, model, grads, name + "attention.")
        back, grads[name + "attention_norm"] = norm_back(back, first)
        grad = grad + back
    np.add.at(grads["embed"], tokens, grad)
    grads["position"] = grad.sum(0)
    return loss, grads


def train(model, language, steps, rate, trained):
    """AdamW over the weights whose names `trained` takes."""
    first = {name: np.zeros_like(w) for name, w in model.items() if trained(name)}
    second = {name: np.zeros_like(w) for name, w in model.items() if trained(name)}
    for step in range(1, steps + 1):
        loss, grads = step_loss(model, *language.batch())
        now = rate * min(1, step / 10)
        for name in first:
            first[name] += 0.1 * (grads[name] - first[name])
            second[name] += 0.05 * (grads[name] ** 2 - second[name])
            move = first[name] / (1 - 0.9 ** step)
            move = move / (np.sqrt(second[name] / (1 - 0.95 ** step)) + 1e-8)
            model[name] -= np.float32(now) * (move + 0.1 * model[name]).astype(np.float32)
        if step % 20 == 0:
            print("  step %d of %d: %.3f nats a byte" % (step, steps, loss), file=sys.stderr)
    return model


# --- Files -------------------------------------------------------------------------------------


def bf16(weights):
    """Rounded to the nearest, half to even."""
    bits = np.ascontiguousarray(weights, "<f4").view("<u4")
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()


def save(path, model):
    header, parts, offset = {}, [], 0
    for name, weights in model.items():
        data = bf16(weights)
        header[name] = {"dtype": "BF16", "shape": list(weights.shape),
                        "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    head = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + b"".join(parts))


def main():
    random = np.random.default_rng(SEED)
    consonants, vowels = "bdfgklmnprstvz", "aeiou"
    syllables = [c + v for c in consonants for v in vowels]
    one, other = Language(random, syllables[::2]), Language(random, syllables[1::2])
    base = train(make_model(random), one, 120, 1e-3, lambda name: True)
    save(sys.argv[1] + "/base.safetensors", base)
    # Fine-tuning starts from the weights as they were published.
    base = {name: np.frombuffer(bf16(w), "<u2").astype("<u4").__lshift__(16).view("<f4")
            .reshape(w.shape).copy() for name, w in base.items()}
    for name, trained in (("attention", lambda n: ".attention." in n), ("full", lambda n: True)):
        tuned = train({n: w.copy() for n, w in base.items()}, other, 40, 1e-4, trained)
        save("%s/%s.safetensors" % (sys.argv[1], name), tuned)


if len(sys.argv) != 2:
    print(__doc__.strip(), file=sys.stderr)
    sys.exit(2)
main()
