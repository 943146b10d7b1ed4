//! Rows kept and left out.

use infermeter_schedule::thin;

#[test]
fn each_row_is_kept_with_the_probability_asked_for() {
    let kept = thin(200_000, 0.3, 5).expect("rows");
    let error = (200_000.0 * 0.3 * 0.7_f64).sqrt();
    assert!(
        (kept.len() as f64 - 60_000.0).abs() < 4.0 * error,
        "{}",
        kept.len()
    );
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
    // Independent of each other: the next row of a kept one is kept as often as any.
    let pairs = kept
        .windows(2)
        .filter(|pair| pair[1] == pair[0] + 1)
        .count();
    assert!(
        (pairs as f64 - 18_000.0).abs() < 4.0 * 18_000_f64.sqrt(),
        "{pairs}"
    );
}

#[test]
fn a_smaller_share_keeps_a_part_of_a_greater_one() {
    let few = thin(10_000, 0.2, 9).expect("rows");
    let many = thin(10_000, 0.7, 9).expect("rows");
    assert!(few.iter().all(|row| many.binary_search(row).is_ok()));
    assert_eq!(thin(10_000, 1.0, 9), Ok((0..10_000).collect()));
}

#[test]
fn rows_are_kept_whatever_follows_them() {
    let short = thin(100, 0.5, 3).expect("rows");
    let long = thin(1_000, 0.5, 3).expect("rows");
    assert_eq!(short[..], long[..short.len()]);
    assert_ne!(thin(100, 0.5, 4), Ok(short));
}
