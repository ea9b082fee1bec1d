"""Handwritten digits, recognized by three kernels that serve every batch size.

Shows: a Variable for the batch; a matrix product with bias and activation in one kernel; softmax and argmax in one kernel, as reductions
that share their loops; programs that are compiled once and called with 1, 7, 64 or 1797 samples.

scikit-learn trains a network 64-32-10 on its digits (8 × 8 pixels) when this runs; svod computes the inference. Predictions must be those
of scikit-learn's `predict` for every sample; probabilities agree to 1e-4 relative (float32; sums are added in another order).

Run it: python examples/digits_mlp.py
"""
from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from timing import disturbance, medians

from svod import Device, Program, UOp, Variable, dtypes

Array = NDArray[Any]

HIDDEN = 32
BATCHES = (1, 7, 64, 1797)

n = Variable("n", 1, 1 << 20)
"""The batch: the one size that a launch may choose."""


# ---- the kernels -----------------------------------------------------------------------------------------------------------------------


def linear(inputs: int, outputs: int, *, relu: bool) -> UOp:
    """out[i, j] = Σₖ x[i, k] · w[k, j] + b[j], and max(·, 0) of it if `relu`. Bias and activation are part of the store."""
    out, x, w, b = (UOp.param(slot, dtypes.f32, name=name) for slot, name in enumerate(("out", "x", "w", "b")))
    i, j, k = UOp.range(n, 0), UOp.range(outputs, 1), UOp.range(inputs, 2)
    y = (x[i * inputs + k].load() * w[k * outputs + j].load()).sum(k) + b[j].load()
    return UOp.sink(out[i * outputs + j].store(y.maximum(0.0) if relu else y), name=f"linear{'_relu' if relu else ''}_{inputs}x{outputs}")


def decide(classes: int) -> UOp:
    """Softmax of each row of scores, and the first class with the highest score."""
    probability, label = UOp.param(0, dtypes.f32, name="probability"), UOp.param(1, dtypes.i64, name="label")
    scores = UOp.param(2, dtypes.f32, name="scores")
    i, j = UOp.range(n, 0), UOp.range(classes, 1)
    score = scores[i * classes + j].load()
    top = score.max(j)
    e = (score - top).exp()
    first = score.eq(top).where(j.cast(dtypes.i64), classes).min(j)
    return UOp.sink(probability[i * classes + j].store(e / e.sum(j)), label[i].store(first), name="decide")


# ---- the network -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """Two layers and a decision: weights from scikit-learn, programs from svod."""

    layers: tuple[tuple[Program, Array, Array], ...]
    decide: Program
    classes: int

    @staticmethod
    def of(model: MLPClassifier, device: Device) -> Network:
        """The network that `model` has learned, compiled for `device`. The weights are arguments: training on changes no program."""
        layers = []
        for place, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
            program = device.compile(linear(*w.shape, relu=place < len(model.coefs_) - 1))
            layers.append((program, np.ascontiguousarray(w, np.float32), np.ascontiguousarray(b, np.float32)))
        return Network(tuple(layers), device.compile(decide(model.n_outputs_)), model.n_outputs_)

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """(labels, probabilities) of float32 samples, shape (batch, features)."""
        batch = len(x)
        for program, w, b in self.layers:
            y = np.empty((batch, len(b)), np.float32)
            program.execute([y, x, w, b], [batch])
            x = y
        probability, label = np.empty_like(x), np.empty(batch, np.int64)
        self.decide.execute([probability, label, x], [batch])
        return label, probability

    @property
    def programs(self) -> tuple[Program, ...]:
        """All programs, in the order in which they run."""
        return (*(program for program, _, _ in self.layers), self.decide)


def train(x: Array, y: Array) -> MLPClassifier:
    """A network 64-32-10 with relu, from a fixed seed."""
    model = MLPClassifier(hidden_layer_sizes=(HIDDEN,), activation="relu", learning_rate_init=0.005, max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops after 60 rounds on purpose: this is to take a second, not to be best
        return model.fit(x, y)


# ---- checking and measuring ------------------------------------------------------------------------------------------------------------


def check(network: Network, model: MLPClassifier, x: Array) -> None:
    """AssertionError unless svod decides as scikit-learn does, for every sample of every batch."""
    for size in BATCHES:
        for start in range(0, len(x) - size + 1, max(size, len(x) // 20)):
            batch = np.ascontiguousarray(x[start:start + size])
            label, probability = network(batch)
            np.testing.assert_array_equal(model.classes_[label], model.predict(batch))
            np.testing.assert_allclose(probability, model.predict_proba(batch), rtol=1e-4, atol=1e-7)


def numpy_forward(model: MLPClassifier, x: Array) -> Array:
    """The labels in plain NumPy: what remains of scikit-learn without its checks of the input. It skips the softmax."""
    (w0, w1), (b0, b1) = model.coefs_, model.intercepts_
    label: Array = (np.maximum(x @ w0 + b0, 0) @ w1 + b1).argmax(1)
    return label


def measure(network: Network, model: MLPClassifier, x: Array, rounds: int) -> dict[int, dict[str, float]]:
    """Median samples per second for each batch size, printed; scikit-learn, NumPy and svod take turns."""
    print(f"  samples/s{'svod':>14}{'NumPy':>14}{'scikit-learn':>14}")
    rates = {}
    for size in BATCHES:
        batch = np.ascontiguousarray(x[:size])
        forward = partial(numpy_forward, model, batch)
        seconds = medians(rounds, svod=partial(network, batch), numpy=forward, sklearn=partial(model.predict, batch))
        rates[size] = {name: size / s for name, s in seconds.items()}
        print(f"  batch {size:4}" + "".join(f"{rates[size][name]:14,.0f}" for name in ("svod", "numpy", "sklearn")))
    return rates


def main(rounds: int = 50) -> dict[int, dict[str, float]]:
    """Trains, compiles, checks, measures; returns samples/s by batch size and competitor."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.25, random_state=0)
    began = time.perf_counter()
    model = train(train_x, train_y)
    trained = time.perf_counter()
    network = Network.of(model, Device("CPU"))
    compiled = time.perf_counter()
    check(network, model, x)
    ours, theirs = np.mean(model.classes_[network(test_x)[0]] == test_y), model.score(test_x, test_y)
    assert ours == theirs, (ours, theirs)
    ready = f"{len(network.programs)} kernels ready in {(compiled - trained) * 1e3:.0f} ms"
    print(f"  trained in {trained - began:.1f} s by scikit-learn; {ready}")
    print(f"  accuracy on {len(test_y)} digits it has not seen: svod {ours:.1%}, scikit-learn {theirs:.1%}")
    print(f"  the same prediction for all {len(x)} digits, in batches of {', '.join(map(str, BATCHES))}, by the same 3 programs")
    rates = measure(network, model, x, rounds)
    if note := disturbance():
        print(f"  {note}")
    return rates


if __name__ == "__main__":
    main()
