//! Draws of whole classes: their medians and limits, their shares, and how both lengths hang
//! together.

use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;

fn classes(text: &str) -> Classes {
    Classes::new(&text.parse().expect(text)).expect(text)
}

fn draws(text: &str, n: usize) -> Vec<Draw> {
    let classes = classes(text);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..n).map(|_| classes.draw(&mut rng)).collect()
}

fn unzip(draws: &[Draw]) -> (Vec<u32>, Vec<u32>) {
    let pair = |draw: &Draw| (draw.lengths.input, draw.lengths.output);
    draws.iter().map(pair).unzip()
}

fn median(mut values: Vec<u32>) -> f64 {
    values.sort_unstable();
    f64::from(values[values.len() / 2])
}

#[test]
fn medians_and_limits_are_those_of_the_class() {
    for (class, median_in, median_out, limits_in, limits_out) in [
        ("chat", 500.0, 200.0, 50..=4_000, 10..=2_000),
        ("code-generation", 1_500.0, 500.0, 200..=8_000, 50..=4_000),
        (
            "long-context-qa",
            16_000.0,
            300.0,
            2_000..=128_000,
            20..=2_000,
        ),
        ("summarization", 4_000.0, 150.0, 500..=32_000, 50..=500),
    ] {
        let (input, output) = unzip(&draws(class, 20_000));
        assert!(input.iter().all(|n| limits_in.contains(n)), "{class}");
        assert!(output.iter().all(|n| limits_out.contains(n)), "{class}");
        // Standard error of a sample median: 1.2533 sigma / sqrt(n), relative: under 0.75 %.
        assert!((median(input) / median_in - 1.0).abs() < 0.03, "{class}");
        assert!((median(output) / median_out - 1.0).abs() < 0.03, "{class}");
    }
}

fn mean(values: &[u32]) -> f64 {
    values.iter().map(|n| f64::from(*n)).sum::<f64>() / values.len() as f64
}

#[test]
fn the_mean_of_draws_approaches_the_expected_one() {
    for text in [
        "summarization",
        "gamma:220/1.5/16..2000,normal:100/80",
        "zipf:1.2/16..4000,uniform:1..9",
        "lognormal:220/0.8,160/0.8,rho=0.7",
        "mix:chat=3,fixed:1000,5=1",
    ] {
        let expected = classes(text).expected();
        let (input, output) = unzip(&draws(text, 100_000));
        for (drawn, expected) in [(input, expected.input), (output, expected.output)] {
            let drawn = mean(&drawn);
            assert!(
                (drawn / expected - 1.0).abs() < 0.02,
                "{text}: {drawn} {expected}"
            );
        }
    }
}

/// Ranks of values without ties, from 0.
fn ranks(values: &[u32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|i| values[*i]);
    let mut ranks = vec![0.0; values.len()];
    for (rank, i) in order.into_iter().enumerate() {
        ranks[i] = rank as f64;
    }
    ranks
}

/// Spearman's rank correlation; ties are few where lengths are spread widely.
fn rank_correlation(draws: &[Draw]) -> f64 {
    let (input, output) = unzip(draws);
    let (a, b) = (ranks(&input), ranks(&output));
    let n = a.len() as f64;
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
    1.0 - 6.0 * squares / (n * (n * n - 1.0))
}

#[test]
fn lengths_have_the_rank_correlation_of_a_gaussian_copula() {
    for rho in [-0.9_f64, -0.3, 0.0, 0.4, 0.8] {
        for lengths in [
            "lognormal:20000/0.8,10000/0.8",
            "gamma:20000/1.5,uniform:1..900000",
        ] {
            let found = rank_correlation(&draws(&format!("{lengths},rho={rho}"), 20_000));
            // Kruskal 1958: 6 / pi asin(rho / 2). Standard error below 1 / sqrt(n).
            let exact = 6.0 / std::f64::consts::PI * (rho / 2.0).asin();
            let error = 1.0 / 20_000_f64.sqrt();
            assert!(
                (found - exact).abs() < 4.0 * error,
                "{lengths} {rho}: {found} {exact}"
            );
        }
    }
}

#[test]
fn a_correlation_leaves_each_length_as_it_was() {
    let alone = draws("lognormal:220/0.8,160/0.8", 2_000);
    let tied = draws("lognormal:220/0.8,160/0.8,rho=0.6", 2_000);
    assert_eq!(unzip(&alone).0, unzip(&tied).0);
    let (_, output) = unzip(&draws("lognormal:220/0.8,160/0.8,rho=0.6", 20_000));
    assert!((median(output) / 160.0 - 1.0).abs() < 0.03);
}

#[test]
fn classes_have_their_shares() {
    let drawn = draws("mix:chat=6,fixed:16,1=3,fixed:17,2=1", 100_000);
    for (class, share) in [(0, 0.6), (1, 0.3), (2, 0.1)] {
        let n = drawn.iter().filter(|draw| draw.class == class).count() as f64;
        let error = (100_000.0 * share * (1.0_f64 - share)).sqrt();
        assert!((n - 100_000.0 * share).abs() < 4.0 * error, "{class}: {n}");
    }
    let of = |class, lengths| {
        drawn
            .iter()
            .filter(|d| d.class == class)
            .all(|d| d.lengths == lengths)
    };
    assert!(of(
        1,
        LengthPair {
            input: 16,
            output: 1
        }
    ));
    assert!(of(
        2,
        LengthPair {
            input: 17,
            output: 2
        }
    ));
}

#[test]
fn pairs_of_a_file_stay_together() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "input_tokens,output_tokens\n100,1\n200,2\n300,3").expect("written");
    let text = format!("empirical:{}", file.path().display());
    let drawn = draws(&text, 30_000);
    assert!(
        drawn
            .iter()
            .all(|d| d.lengths.input == 100 * d.lengths.output)
    );
    for input in [100, 200, 300] {
        let n = drawn.iter().filter(|d| d.lengths.input == input).count() as f64;
        assert!(
            (n - 10_000.0).abs() < 4.0 * 6_667_f64.sqrt(),
            "{input}: {n}"
        );
    }
    let expected = classes(&text).expected();
    assert_eq!((expected.input, expected.output), (200.0, 2.0));
}
