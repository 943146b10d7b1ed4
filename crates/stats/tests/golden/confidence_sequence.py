"""Prints ranks of quantile confidence sequences, by numerical integration of the mixture. Takes
minutes, so its rows stand in ../suite/resampling.rs as they were printed. See README.md."""

import numpy as np
from scipy import integrate, stats


def ranks(n, p, level, tuned):
    bound = np.log(2 / (1 - level))
    weight = max(1, tuned / (2 * bound + np.log1p(2 * bound)))
    a, b = weight * p, weight * (1 - p)

    def log_ratio(s, low, high):
        def log_density(t):
            return stats.beta.logpdf(t, a, b) + s * np.log(t / p) + (n - s) * np.log(
                (1 - t) / (1 - p))

        mode = np.clip((a + s - 1) / (a + b + n - 2), low + 1e-12, high - 1e-12)
        top, sd = log_density(mode), np.sqrt(p * (1 - p) / (n + weight))
        points = [x for x in mode + sd * np.array([-8, -1, 0, 1, 8]) if low < x < high]
        area = integrate.quad(lambda t: np.exp(log_density(t) - top), low, high, points=points,
                              limit=500)[0]
        share = stats.beta.cdf(p, a, b) if low == 0 else stats.beta.sf(p, a, b)
        return top + np.log(area) - np.log(share)

    centre = int(n * p)
    least = next(s for s in range(centre + 1) if log_ratio(s, 0, p) < bound)
    past = next((s for s in range(centre, n + 1) if log_ratio(s, p, 1) >= bound), None)
    most = n if past is None else max(past - 1, centre)
    return least if least >= 1 else None, most + 1 if most < n else None


for row in ((10, .5, .95, 100), (100, .5, .95, 100), (1000, .9, .95, 1000), (500, .99, .95, 10000),
            (2000, .99, .95, 10000), (3000, .99, .9, 1000), (5000, .05, .99, 3000)):
    print(*row, *ranks(*row))
