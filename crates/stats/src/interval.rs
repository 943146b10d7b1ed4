//! A confidence interval whose sides may be open.

/// A confidence interval. `None` on a side means open: the sample gives no bound there.
///
/// `Some(f64::INFINITY)` differs from `None`: it is an order statistic that happens to be an
/// infinite observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound, in the unit of the estimate; `None` when open below.
    pub low: Option<f64>,
    /// Upper bound, in the unit of the estimate; `None` when open above.
    pub high: Option<f64>,
    /// Nominal two-sided coverage, in (0, 1).
    pub level: f64,
}

impl Interval {
    /// The interval that says nothing: open on both sides.
    #[must_use]
    pub fn open(level: f64) -> Self {
        Self {
            low: None,
            high: None,
            level,
        }
    }

    /// The interval `centre` plus or minus `half_width`.
    pub(crate) fn around(centre: f64, half_width: f64, level: f64) -> Self {
        Self {
            low: Some(centre - half_width),
            high: Some(centre + half_width),
            level,
        }
    }

    /// The interval of the mean `centre` of values that are never below 0, with `half_width` at the
    /// centre: symmetric on the logarithmic scale (delta method), so that it stays above 0 and reaches
    /// further up than down, as the error of a skewed mean does.
    pub(crate) fn above_zero(centre: f64, half_width: f64, level: f64) -> Self {
        if centre <= 0.0 {
            return Self::around(centre, half_width, level);
        }
        let factor = (half_width / centre).exp();
        Self {
            low: Some(centre / factor),
            high: Some(centre * factor).filter(|high| high.is_finite()),
            level,
        }
    }

    /// Whether `x` lies inside; an open side bounds nothing.
    #[must_use]
    pub fn contains(&self, x: f64) -> bool {
        self.low.is_none_or(|low| low <= x) && self.high.is_none_or(|high| x <= high)
    }

    /// Whether both sides are bounded.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.low.is_some() && self.high.is_some()
    }

    /// High minus low, when both sides are bounded by finite values.
    #[must_use]
    pub fn width(&self) -> Option<f64> {
        let width = self.high? - self.low?;
        width.is_finite().then_some(width)
    }
}
