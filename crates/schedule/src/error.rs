//! Why no schedule can be made. Each message names the flag to change.
//!
//! Invariant: every variant is the fault of a plan, never of this crate.

use infermeter_core::units::Span;

/// Why no schedule can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// The rate is no rate.
    #[error("--rate {0}: a number of requests per second above 0 is needed")]
    Rate(f64),
    /// The coefficient of variation is none.
    #[error("--cv {0}: a number from 0.001 to 100 is needed (1 makes gaps exponential)")]
    Cv(f64),
    /// Gamma or Weibull gaps without their coefficient of variation.
    #[error("--arrival {0} needs --cv: the coefficient of variation of the gaps, as in --cv 2")]
    CvMissing(&'static str),
    /// A coefficient of variation that nothing uses.
    #[error(
        "--cv is for --arrival gamma and weibull: other gaps have their own (poisson 1, constant 0)"
    )]
    CvUnused,
    /// The profile stays at 0 and only a count would end the window.
    #[error(
        "--rate-profile ends at 0 requests/s: after it nothing arrives, so --requests may never \
         be reached; give --duration, or a last rate above 0"
    )]
    ProfileEnds,
    /// All clients stop in the end, and only a count would end the window.
    #[error(
        "--clients: all rates end at 0, so --requests may never be reached; give --duration, or a \
         curve whose last rate is above 0"
    )]
    SourcesEnd,
    /// Nobody sends at the start, and the warm-up waits for requests.
    #[error(
        "--clients: no client sends at its time 0, so the requests of --warmup never come: give \
         --warmup a time only"
    )]
    SilentWarmup,
    /// The profile repeats too often.
    #[error(
        "--rate-profile would repeat about {laps:.0} times, more than 100,000,000: lower \
         --duration or --requests, or make it longer"
    )]
    TooManyLaps {
        /// Repetitions expected in the window.
        laps: f64,
    },
    /// The window has no length.
    #[error("--duration {0}: more than 0 is needed")]
    Duration(Span),
    /// No request is to be measured.
    #[error("--requests 0: at least 1 is needed")]
    Requests,
    /// Nothing ends the window.
    #[error("nothing ends the run: give --duration or --requests")]
    Endless,
    /// No slot.
    #[error("--concurrency {0}: from 1 to 1,000,000 is needed")]
    Slots(u32),
    /// The warm-up is negative.
    #[error("--warmup {0}: a time of 0 or more is needed")]
    Warmup(Span),
    /// Too many arrivals.
    #[error(
        "about {expected:.0} arrivals before the drain, more than 50,000,000: lower --rate, \
         --duration, --requests or --warmup"
    )]
    TooMany {
        /// Arrivals expected in warm-up and window.
        expected: f64,
    },
    /// The run would take years.
    #[error(
        "the run would take about {seconds:.0} s, more than a year: raise --rate, or lower \
         --duration, --requests, --warmup or --time-scale"
    )]
    TooLong {
        /// Length of warm-up and window, seconds.
        seconds: f64,
    },
    /// The window is empty.
    #[error(
        "no request arrives inside the measured window: raise --rate (or the rates of \
         --rate-profile) or --duration, or give --requests"
    )]
    NothingMeasured,
    /// The time scale is none.
    #[error("--time-scale {0}: a number above 0 is needed")]
    TimeScale(f64),
    /// The share of rows to keep is none.
    #[error("--thin {0}: a share above 0 and at most 1 is needed, as in --thin 0.5")]
    Thin(f64),
    /// Thinning has left nothing.
    #[error("--thin {share}: none of the trace's {rows} rows is left: raise it")]
    ThinnedAway {
        /// Rows of the trace.
        rows: usize,
        /// The share asked for.
        share: f64,
    },
    /// The trace has no row.
    #[error("--trace: no rows to replay")]
    EmptyTrace,
    /// Rows run backwards or start before 0.
    #[error("--trace: row {row} lies before its predecessor")]
    Unsorted {
        /// The row, from 0.
        row: usize,
    },
    /// The trace ends inside the warm-up.
    #[error(
        "the trace ends inside the warm-up: its {rows} rows last {length} and the warm-up \
         ({warmup}) leaves none to measure; give --warmup 0 or a shorter one, or a greater \
         --trace-limit"
    )]
    TraceTooShort {
        /// Rows given.
        rows: usize,
        /// Scaled time from the first to the last row.
        length: Span,
        /// The warm-up in force.
        warmup: infermeter_core::plan::Warmup,
    },
    /// A gap of the trace swallows the whole window.
    #[error(
        "no row of the trace lies inside the measured window: raise --duration, or give \
         --requests"
    )]
    NoRowMeasured,
}
