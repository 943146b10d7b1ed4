//! Thinning: each row of a trace is kept or left out at random.
//!
//! It moves nothing in time: that is the time scale, a different operation. Scaling time keeps each
//! pattern and changes its speed; thinning keeps the clock and thins the pattern out.
//!
//! Invariant: whether a row is kept depends on the seed, its number and the share alone, not on the
//! other rows, and rows kept at a smaller share are kept at each greater one.

use crate::error::ScheduleError;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Keeps thinning apart from what else the schedule's seed feeds.
const THIN_TAG: u64 = 0x7468_696e_7468_696e;

/// Numbers of the rows kept, ascending: each of `rows` rows with probability `share`, independently
/// of each other.
///
/// # Errors
/// When the share is not above 0 and at most 1, or no row is kept.
pub fn thin(rows: usize, share: f64, seed: u64) -> Result<Vec<usize>, ScheduleError> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(ScheduleError::Thin(share));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ THIN_TAG);
    let kept: Vec<usize> = (0..rows).filter(|_| rng.random::<f64>() < share).collect();
    if kept.is_empty() {
        return Err(ScheduleError::ThinnedAway { rows, share });
    }
    Ok(kept)
}
