//! Series with and without changes, whose places are known.

use super::*;

/// A series of noise of standard deviation 1 around levels, each for so many values.
fn series(levels: &[(f64, usize)], seed: u64) -> Vec<f64> {
    let mut random = SplitMix(seed);
    let all = levels
        .iter()
        .flat_map(|(level, n)| std::iter::repeat_n(*level, *n));
    all.map(|level| level + random.normal()).collect()
}

fn places(values: &[f64]) -> Vec<usize> {
    let found = change_points(values, 0.05).expect("finite");
    found.changes.iter().map(|change| change.at).collect()
}

#[test]
fn a_step_is_found_where_it_is() {
    let values = series(&[(0.0, 20), (8.0, 20)], 1);
    let found = change_points(&values, 0.01).expect("finite");
    let [change] = found.changes[..] else {
        panic!("{found:?}");
    };
    assert_eq!(change.at, 20);
    assert!(change.earliest <= 20 && change.latest >= 20 && change.latest - change.earliest <= 4);
    assert!(change.p_value <= 0.001, "{change:?}");
    let back = series(&[(0.0, 15), (8.0, 15), (0.0, 15)], 2);
    let found = places(&back);
    // Where levels are of unequal length, ranks may take the last value of one for the first of the next.
    let near = found
        .iter()
        .zip([15, 30])
        .all(|(at, expect)| at.abs_diff(expect) <= 1);
    assert!(found.len() == 2 && near, "{found:?}");
}

#[test]
fn nothing_is_found_where_nothing_changes() {
    assert_eq!(places(&[7.0; 40]), [0; 0]);
    assert_eq!(places(&[1.0, 2.0, 3.0, 9.0, 9.5, 9.7]), [0; 0]);
    let alarms = (0..60).filter(|seed| !places(&series(&[(0.0, 30)], *seed)).is_empty());
    assert!(alarms.count() <= 8);
}

/// The weight of a split is the z-score of SciPy's rank-sum test without a correction for continuity:
/// `scipy.stats.mannwhitneyu(x[:k], x[k:], use_continuity=False, method='asymptotic')` gives the p-value
/// whose z-score this is, for each k; greatest at k = 5 for this series (SciPy 1.17.1).
#[test]
fn weights_are_z_scores_of_rank_sums() {
    let values = [3.1, 2.7, 3.0, 2.9, 3.3, 4.1, 4.4, 3.9, 4.0, 4.4];
    let whole = intervals(values.len());
    assert_eq!(whole, [Interval { from: 0, to: 10 }]);
    let split = best_split(&ranks(&values), &whole).expect("a split");
    assert_eq!(split.at, 5);
    assert!((split.weight - WEIGHT).abs() < 1e-12, "{split:?}");
}
const WEIGHT: f64 = 2.619_113_609_135_918;

#[test]
fn neighbours_that_resemble_each_other_raise_the_bar() {
    let mut random = SplitMix(3);
    let drifting = autoregression(80, 0.8, &mut random);
    let found = change_points(&drifting, 0.05).expect("finite");
    assert!(found.correlation > 0.4, "{found:?}");
    let independent = autoregression(80, 0.0, &mut random);
    let found = change_points(&independent, 0.05).expect("finite");
    assert!(found.correlation < 0.3, "{found:?}");
}

/// Steps are no correlation. The estimate of series without a change finds 0.2 and more here on average.
#[test]
fn levels_that_are_known_are_no_correlation() {
    let check = |levels: &[(f64, usize)], most: f64| {
        let found: Vec<f64> = (0..5)
            .map(|seed| {
                let found = change_points(&series(levels, seed), 0.05).expect("finite");
                assert!(!found.changes.is_empty(), "{levels:?} {found:?}");
                found.correlation
            })
            .collect();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        assert!(mean < most, "{levels:?}: {mean} of {found:?}");
    };
    check(&[(0.0, 30), (6.0, 30)], 0.15);
    check(&[(0.0, 20), (6.0, 20), (0.0, 20), (6.0, 20)], 0.15);
}

/// Up and down again: over the whole series these cancel out.
#[test]
fn changes_that_mask_each_other_are_found() {
    let check = |levels: &[(f64, usize)], expect: &[usize]| {
        let found = (0..6).filter(|seed| {
            let found = places(&series(levels, *seed));
            found.len() == expect.len()
                && found
                    .iter()
                    .zip(expect)
                    .all(|(at, expect)| at.abs_diff(*expect) <= 2)
        });
        let found = found.count();
        assert!(found >= 4, "{levels:?}: {found} of 6");
    };
    check(&[(0.0, 30), (3.0, 15), (0.0, 30)], &[30, 45]);
    check(&[(0.0, 15), (4.0, 15), (0.0, 15), (4.0, 15)], &[15, 30, 45]);
    check(
        &[(0.0, 40), (4.0, 16), (0.0, 16), (4.0, 16), (0.0, 40)],
        &[40, 56, 72, 88],
    );
}

/// The weak one alone is left out.
#[test]
fn a_weak_change_does_not_take_a_strong_one_with_it() {
    let strong = series(&[(0.0, 20), (8.0, 20)], 4);
    let test = Test::of(&strong, 0.0, 0.01);
    for weak in [14, 17, 23, 26] {
        let mut places = vec![20, weak];
        places.sort_unstable();
        let found = test.settled(places);
        let [change] = found[..] else {
            panic!("{weak}: {found:?}");
        };
        assert_eq!(change.at, 20, "{weak}");
    }
    assert_eq!(test.settled(Vec::new()), []);
}

/// Layers as the paper has them: of n / 2^(k/2) values, each begun before the last has ended.
#[test]
fn seeded_intervals_cover_the_series() {
    for n in [1, 9, 10, 14, 15, 40, 100, 500] {
        let all = intervals(n);
        assert_eq!(all[0], Interval { from: 0, to: n });
        assert!(all.iter().all(|seed| seed.to <= n));
        for pair in all.windows(2).skip(1) {
            assert!(pair[1].from <= pair[0].to, "{n}: {pair:?}");
        }
        let total: usize = all.iter().map(|seed| seed.to - seed.from).sum();
        assert!(total <= n * 3 * (1 + n.ilog2() as usize), "{n}: {total}");
    }
}

#[test]
fn power_grows_with_effect_and_values() {
    let power = |before, after, effect| change_power(before, after, effect, 0.0, 0.05);
    assert!(power(20, 3, 1.0) < power(20, 10, 1.0));
    assert!(power(20, 10, 1.0) < power(20, 10, 2.0));
    assert!(power(20, 20, 3.0) > 0.99);
    assert_eq!(power(2, 2, 9.0), 0.0);
    assert!(change_power(20, 10, 0.0, 0.0, 0.05) < 0.1);
}

#[test]
fn defined_cases() {
    assert!(change_points(&[], 0.05).is_err());
    assert!(change_points(&[f64::NAN], 0.05).is_err());
    assert!(change_points(&[1.0], 0.0).is_err());
    assert!(change_points(&[1.0; CHANGE_POINTS_LIMIT + 1], 0.05).is_err());
    assert_eq!(
        (least_for_a_change(0.05), least_for_a_change(0.05 / 6.0)),
        (8, 12)
    );
    // The most extreme order of eight values is found, and one of seven is not looked at.
    let eight = [1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0];
    assert_eq!(
        change_points(&eight[..7], 0.05).expect("finite").changes,
        []
    );
}
