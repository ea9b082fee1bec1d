"""Prices of European call and put options (Black and Scholes 1973), one option for each work item.

Shows: a formula written as it stands in the book; helper functions, which are traced in place; log, exp, sqrt and erf in f32.
"""
from __future__ import annotations

import numpy as np
from gallery import Array, Bench, agree, random

import svod.lang as sl

ROOT_HALF = 0.5 ** 0.5


def normal(x):
    """The cumulative normal distribution."""
    return 0.5 * sl.erfc(-x * ROOT_HALF)


@sl.kernel
def black_scholes(spot: sl.Array[sl.f32], strike: sl.Array[sl.f32], years: sl.Array[sl.f32], prices: sl.Array[sl.f32, 2], rate: sl.f32,
                  volatility: sl.f32) -> None:
    """One option."""
    i = sl.global_id()
    s, k, t = spot[i], strike[i], years[i]
    spread = volatility * sl.sqrt(t)
    d1 = (sl.log(s / k) + (rate + volatility * volatility / 2) * t) / spread
    d2 = d1 - spread
    discounted = k * sl.exp(-rate * t)
    prices[0, i] = s * normal(d1) - discounted * normal(d2)
    prices[1, i] = discounted * normal(-d2) - s * normal(-d1)


def numpy_normal(x: Array) -> Array:
    """The same with the series 26.2.17 of Abramowitz and Stegun, whose error is below 7.5e-8: NumPy has no erf."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-x * x / 2) * np.float32((2 * np.pi) ** -0.5) * series
    return np.where(x > 0, 1 - tail, tail)


def reference(spot: Array, strike: Array, years: Array, rate: float, volatility: float) -> Array:
    """The same in NumPy: a row of calls, a row of puts."""
    spread = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + volatility * volatility / 2) * years) / spread
    d2 = d1 - spread
    discounted = strike * np.exp(-rate * years)
    call = spot * numpy_normal(d1) - discounted * numpy_normal(d2)
    return np.stack([call, discounted * numpy_normal(-d2) - spot * numpy_normal(-d1)])


def options(n: int) -> tuple[Array, Array, Array]:
    """Spot prices, strikes, years to go."""
    return random(n, low=5, high=30), random(n, low=1, high=100, seed=1), random(n, low=0.25, high=10, seed=2)


def check(device: str) -> None:
    """AssertionError unless `device` and NumPy agree, and calls and puts obey their parity."""
    for n in (1, 1000):
        spot, strike, years = options(n)
        prices = np.zeros((2, n), np.float32)
        black_scholes.on(device).launch(spot, strike, years, prices, 0.02, 0.3, threads=n)
        exact = reference(*(x.astype(np.float64) for x in (spot, strike, years)), 0.02, 0.3)
        agree(prices, exact.astype(np.float32), f"n = {n}")
        agree(prices[0] - prices[1], spot - strike * np.exp(-0.02 * years, dtype=np.float32), f"parity, n = {n}")


def bench(device: str = "CPU") -> Bench:
    """4 M options."""
    n = 1 << 22
    spot, strike, years = options(n)
    prices, k = np.zeros((2, n), np.float32), black_scholes.on(device)
    return Bench(lambda: k.launch(spot, strike, years, prices, 0.02, 0.3, threads=n), prices,
                 lambda: reference(spot, strike, years, np.float32(0.02), np.float32(0.3)), n, "G/s",
                 inputs={"spot": spot, "strike": strike, "years": years, "rate": 0.02, "volatility": 0.3})
