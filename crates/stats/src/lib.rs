//! Mathematics only: exact quantiles, intervals, effective sample size.
