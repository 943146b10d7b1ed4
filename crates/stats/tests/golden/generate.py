"""Writes tests/suite/golden.rs: reference values from SciPy and NumPy. See README.md."""

import arch.bootstrap
import diptest
import numpy as np
from scipy import stats

# The random series of the tests: a 64-bit congruential generator (Knuth's MMIX constants).


def uniforms(seed, n):
    out, state = [], seed
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 11) / 2.0**53)
    return out


def ar1(seed, n, phi):
    out, x = [], 0.0
    for u in uniforms(seed, n):
        x = phi * x + u
        out.append(x)
    return np.array(out)


def option(value):
    return "None" if value is None else f"Some({value!r})"


def table(name, kind, doc, rows):
    row_type = "".join(word.capitalize() for word in name.split("_")) + "Row"
    print(f"/// {doc}\npub type {row_type} = {kind};\n")
    print(f"/// Rows of [`{row_type}`].\npub const {name}: &[{row_type}] = &[")
    for row in rows:
        print("    (" + ", ".join(row) + "),")
    print("];\n")


def ranks():
    for n in (1, 2, 5, 6, 36, 72, 100, 367, 368, 1000, 3688, 10_000, 1_000_000):
        for p in (0.1, 0.5, 0.9, 0.95, 0.99, 0.999):
            for level in (0.9, 0.95, 0.99):
                tail = 0.5 * (1.0 - level)
                law = stats.binom(n, p)
                low = int(law.ppf(tail))
                while low > 0 and law.cdf(low - 1) > tail:
                    low -= 1
                while low <= n and law.cdf(low) <= tail:
                    low += 1
                high = int(law.isf(tail)) + 1
                while high <= n + 1 and law.sf(high - 1) > tail:
                    high += 1
                while high > 1 and law.sf(high - 2) <= tail:
                    high -= 1
                yield [str(n), repr(p), repr(level), option(low if low >= 1 else None),
                       option(high if high <= n else None)]


def clopper():
    counts = [(0, 10), (1, 10), (5, 10), (10, 10), (3, 1000), (990, 1000), (2.5, 37.25),
              (0.3, 4.7), (123.4, 9876.5), (999_000, 1_000_000), (9_990_000, 10_000_000)]
    for k, n in counts:
        for level in (0.9, 0.95, 0.999):
            tail = 0.5 * (1.0 - level)
            low = 0.0 if k == 0 else stats.beta.ppf(tail, k, n - k + 1)
            high = 1.0 if k == n else stats.beta.isf(tail, k + 1, n - k)
            yield [repr(float(v)) for v in (k, n, level, low, high)]


def student():
    for level in (0.5, 0.9, 0.95, 0.99, 0.999):
        for df in (1, 1.5, 2, 9, 30, 299.5, 10_000, 900_000):
            yield [repr(float(v)) for v in (level, df, stats.t.isf(0.5 * (1 - level), df))]


def mann_kendall():
    for seed, n, levels in ((1, 2, 0), (2, 5, 0), (3, 10, 0), (4, 30, 0), (5, 50, 0), (6, 200, 0),
                            (7, 10, 3), (8, 40, 6), (9, 12, 2)):
        x = np.array(uniforms(seed, n)) + np.arange(n) * 0.02
        if levels:
            x = np.floor(np.array(uniforms(seed, n)) * levels)
        s = int(sum(np.sign(x[j] - x[i]) for i in range(n) for j in range(i + 1, n)))
        tau = stats.kendalltau(np.arange(n), x).statistic
        ties = [c for c in np.unique(x, return_counts=True)[1] if c > 1]
        if not ties and n <= 50:
            p = stats.kendalltau(np.arange(n), x, method="exact").pvalue
        else:
            var = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
            p = min(1.0, 2 * stats.norm.sf(max(abs(s) - 1, 0) / np.sqrt(var)))
        yield [str(seed), str(n), repr(float(levels)), str(s), repr(float(tau)), repr(float(p))]


def long_run_ratio(x):
    """LRV / variance: the larger of single lags and, from 2,000 on, of 200 batch means."""
    n, size = len(x), len(x) // 200
    if n < 2000:
        return by_lags(x)
    means = x[: 200 * size].reshape(200, size).mean(axis=1)
    if np.ptp(means) == 0.0:
        return by_lags(x)
    return max(by_lags(x), by_lags(means) * np.var(means) * size / np.var(x))


def by_lags(x):
    """LRV / variance by Geyer's initial monotone sequence, from the full autocovariance."""
    n, d = len(x), x - np.mean(x)
    gamma = np.correlate(d, d, mode="full")[n - 1:] / n
    total, previous = -gamma[0], np.inf
    for m in range(0, n // 2, 2):
        pair = gamma[m] + gamma[m + 1]
        if pair <= 0:
            break
        previous = min(pair, previous)
        total += 2 * previous
    return total / gamma[0]


def effective():
    for seed, n, phi in ((11, 500, 0.0), (12, 2000, 0.5), (13, 4000, 0.9), (14, 3000, -0.6),
                         (15, 5000, 0.98)):
        x = ar1(seed, n, phi)
        row = [n / max(1.0, long_run_ratio(x))]
        for p in (0.5, 0.9, 0.99):
            q = np.quantile(x, p, method="inverted_cdf")
            row += [q, n / max(1.0, long_run_ratio((x <= q).astype(float)))]
        yield [str(seed), str(n), repr(phi)] + [repr(float(v)) for v in row]


def blocks():
    """Values share the level of their block of 50 ms * 20 = 1 s; every third value is missing."""
    for seed, seconds, p in ((21, 60, 0.5), (22, 300, 0.9), (23, 300, 0.99), (24, 40, 0.1)):
        level = uniforms(seed, seconds)
        noise = uniforms(seed + 100, seconds * 20)
        x, at = [], []
        for i in range(seconds * 20):
            if i % 3 != seed % 3:
                x.append(level[i // 20] + noise[i])
                at.append(i * 50_000_000)
        x, block = np.array(x), (np.array(at) - at[0]) // 1_000_000_000
        n, q = len(x), np.quantile(x, p, method="inverted_cdf")
        ids = np.unique(block)
        size = np.array([np.sum(block == b) for b in ids])
        count = np.array([np.sum(x[block == b] <= q) for b in ids])
        m, k = count.sum() / n, len(ids)
        residual = count - m * size
        var = k / (k - 1) * np.sum(residual**2) / n**2 * max(1.0, long_run_ratio(residual))
        ess = min(n, m * (1 - m) / var)
        half = stats.t.isf(0.025, k - 1) * np.sqrt(p * (1 - p) / ess)
        ordered = np.sort(x)
        low, high = int(np.floor(n * (p - half))), int(np.floor(n * (p + half))) + 1
        tail = len(np.unique(block[x > q] if p >= 0.5 else block[x < q]))
        yield [str(seed), str(seconds), repr(p), repr(float(q)), repr(float(ess)), str(tail),
               str(k), option(float(ordered[low - 1]) if low >= 1 else None),
               option(float(ordered[high - 1]) if high <= n else None)]


def mser():
    for seed, n, cold, shift in ((31, 100, 20, 5.0), (32, 300, 37, 3.0), (33, 500, 0, 0.0),
                                 (34, 303, 100, 1.0), (35, 400, 300, 5.0)):
        x = ar1(seed, n, 0.5) + np.where(np.arange(n) < cold, shift, 0.0)
        y = x[: n // 5 * 5].reshape(-1, 5).mean(axis=1)
        k = len(y)
        z = [np.sum((y[d:] - y[d:].mean()) ** 2) / (k - d) ** 2 for d in range(k - 4)]
        yield [str(seed), str(n), str(cold), repr(shift), str(int(np.argmin(z)) * 5)]


def theil_sen():
    for seed in (41, 42, 43):
        x = np.array(uniforms(seed, 10))
        yield [str(seed), repr(float(stats.theilslopes(x, np.arange(10)).slope))]


def block_lengths():
    """arch divides a correlation by the norms of its own two pieces, the paper and the crate by the
    variance: series in which that moves no lag across its bound."""
    for seed, n, phi in ((51, 50, 0.0), (52, 400, 0.5), (53, 2000, 0.9), (54, 1000, -0.5)):
        found = arch.bootstrap.optimal_block_length(ar1(seed, n, phi))
        row = found["stationary"].iloc[0], found["circular"].iloc[0]
        yield [str(seed), str(n), repr(phi)] + [repr(float(max(1.0, v))) for v in row]


def splitmix(seed):
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def bca():
    """Ratios of sums: the same resamples as the crate's, SciPy's normal law, Efron's formula."""
    for seed, n, level in ((61, 12, 0.95), (62, 40, 0.9), (63, 100, 0.99)):
        top = -np.log(1.0 - np.array(uniforms(seed, n)))
        bottom = 0.5 + np.array(uniforms(seed + 100, n))
        draws, ratios = splitmix(seed), []
        for _ in range(999):
            at = [(next(draws) * n) >> 64 for _ in range(n)]
            ratios.append(np.sum(top[at]) / np.sum(bottom[at]))
        ratios, whole = np.sort(ratios), np.sum(top) / np.sum(bottom)
        bias = stats.norm.ppf(np.mean(ratios < whole))
        left = (np.sum(top) - top) / (np.sum(bottom) - bottom)
        d = np.mean(left) - left
        a = np.sum(d**3) / (6 * np.sum(d**2) ** 1.5)
        ends = []
        for tail in (0.5 * (1 - level), 1 - 0.5 * (1 - level)):
            z = bias + stats.norm.ppf(tail)
            rank = int(np.floor(stats.norm.cdf(bias + z / (1 - a * z)) * 1000 + 0.5))
            ends.append(ratios[min(max(rank, 1), 999) - 1])
        result = stats.bootstrap((top,), np.mean, confidence_level=level, n_resamples=99_999,
                                 method="BCa", random_state=np.random.default_rng(seed))
        mean = result.confidence_interval
        yield [str(seed), str(n), repr(level)] + [
            repr(float(v)) for v in (*ends, mean.low, mean.high)]


def dips():
    for seed, n, apart in ((71, 10, 0.0), (72, 100, 0.0), (73, 100, 1.5), (74, 1000, 0.4),
                           (75, 1000, 3.0), (76, 501, 1.1)):
        x = np.array(uniforms(seed, n)) + apart * (np.arange(n) % 2)
        yield [str(seed), str(n), repr(apart), repr(float(diptest.dipstat(np.sort(x))))]


print("//! Reference values; written by `tests/golden/generate.py` with SciPy, not by hand.\n")
table("RANKS", "(usize, f64, f64, Option<usize>, Option<usize>)",
      "n, p, level, low rank, high rank: `scipy.stats.binom`.", ranks())
table("CLOPPER_PEARSON", "(f64, f64, f64, f64, f64)",
      "Successes, trials, level, low, high: `scipy.stats.beta`.", clopper())
table("STUDENT", "(f64, f64, f64)", "Level, degrees of freedom, t: `scipy.stats.t`.", student())
table("MANN_KENDALL", "(u64, usize, f64, i64, f64, f64)",
      "Seed, n, tie levels (0: none), S, tau-b, p: `scipy.stats.kendalltau` and `norm`.",
      mann_kendall())
table("EFFECTIVE", "(u64, usize, f64, [f64; 7])",
      "AR(1) seed, n, coefficient; ESS of the mean; value and indicator ESS at p50, p90, p99.",
      ([*row[:3], "[" + ", ".join(row[3:]) + "]"] for row in effective()))
table("BLOCKS", "(u64, usize, f64, f64, f64, usize, usize, Option<f64>, Option<f64>)",
      "Seed, seconds, p; value, effective n, tail blocks, blocks, 95 % low and high.", blocks())
table("MSER", "(u64, usize, usize, f64, usize)",
      "AR(1) seed, n, cold observations, shift, observations to drop (brute force).", mser())
table("THEIL_SEN", "(u64, f64)", "Seed of ten uniforms, slope: `scipy.stats.theilslopes`.",
      theil_sen())
table("BLOCK_LENGTH", "(u64, usize, f64, f64, f64)",
      "AR(1) seed, n, coefficient; stationary and circular: `arch.bootstrap.optimal_block_length`.",
      block_lengths())
table("BCA", "(u64, usize, f64, f64, f64, f64, f64)",
      "Seed, n, level; low and high of a ratio, and of the mean by `scipy.stats.bootstrap`.", bca())
table("DIP", "(u64, usize, f64, f64)",
      "Seed of uniforms, n, distance of every second; dip: `diptest.dipstat`.", dips())
