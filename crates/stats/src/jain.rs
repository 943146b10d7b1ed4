//! Jain's index of fairness.

use crate::error::{StatsError, check_finite};

/// (sum x)^2 / (n sum x^2): 1 where all shares are equal, 1 / n where one has everything (Jain,
/// Chiu and Hawe 1984). `None` where all shares are 0.
///
/// # Errors
/// `Empty`; `NotFinite`; `Negative`.
pub fn jain_index(shares: &[f64]) -> Result<Option<f64>, StatsError> {
    check_finite(shares)?;
    if let Some(index) = shares.iter().position(|share| *share < 0.0) {
        let value = shares[index];
        return Err(StatsError::Negative { index, value });
    }
    // Scaled by the largest, so that no square overflows.
    let largest = shares.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Ok(None);
    }
    let scaled = shares.iter().map(|share| share / largest);
    let (sum, squares) = scaled.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    Ok(Some(sum * sum / (shares.len() as f64 * squares)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_one_taker_to_equal_shares() {
        assert_eq!(jain_index(&[5.0; 4]), Ok(Some(1.0)));
        assert_eq!(jain_index(&[9.0, 0.0, 0.0, 0.0]), Ok(Some(0.25)));
        // 36 / (3 * 14)
        let index = jain_index(&[1.0, 2.0, 3.0]).unwrap().unwrap();
        assert!((index - 36.0 / 42.0).abs() < 1e-15);
        assert_eq!(jain_index(&[1e200, 1e200]), Ok(Some(1.0)));
    }

    #[test]
    fn defined_cases() {
        assert_eq!(jain_index(&[]), Err(StatsError::Empty));
        assert_eq!(jain_index(&[0.0, 0.0]), Ok(None));
        assert_eq!(jain_index(&[3.0]), Ok(Some(1.0)));
        assert!(jain_index(&[1.0, -1.0]).is_err());
        assert!(jain_index(&[f64::INFINITY]).is_err());
    }
}
