//! Ids and default names of runs.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Random bytes.
///
/// # Errors
/// When the system has no randomness.
pub fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("/dev/urandom cannot be read")?;
    Ok(bytes)
}

/// 128 random bits, hex.
///
/// # Errors
/// When the system has no randomness.
pub fn random_run_id() -> Result<String> {
    let bytes: [u8; 16] = random()?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// What is fresh for every run: its id, and the salt of its prompts unless the plan fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    /// 128-bit id, hex; the prefix of every `x-request-id`.
    pub id: String,
    /// Mixed into every prompt.
    pub salt: u64,
}

impl RunIdentity {
    /// A new one, with the plan's salt where it has one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn fresh(salt: Option<u64>) -> Result<Self> {
        let id = random_run_id()?;
        Ok(Self {
            salt: salt.unwrap_or_else(|| salt_of(&id)),
            id,
        })
    }
}

/// A fresh salt: the first 52 bits of a run id, a number that every JSON reader keeps exactly.
pub(crate) fn salt_of(run_id: &str) -> u64 {
    u64::from_str_radix(run_id.get(..13).unwrap_or("0"), 16).unwrap_or(0)
}

/// `runs/20261122-133000-1a2b3c4d` (UTC).
pub fn default_directory(realtime_ns: i64, run_id: &str) -> PathBuf {
    let (date, time) = utc(realtime_ns / 1_000_000_000);
    PathBuf::from("runs").join(format!("{date}-{time}-{}", crate::history::short(run_id)))
}

/// `2026-11-22T13:30:00Z`.
pub fn timestamp(realtime_ns: i64) -> String {
    let (date, time) = utc(realtime_ns / 1_000_000_000);
    let part = |text: &str, from: usize, to: usize| text.get(from..to).unwrap_or("").to_owned();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(&date, 0, 4),
        part(&date, 4, 6),
        part(&date, 6, 8),
        part(&time, 0, 2),
        part(&time, 2, 4),
        part(&time, 4, 6)
    )
}

/// Civil date and time of Unix seconds (the days-to-civil algorithm of H. Hinnant).
fn utc(seconds: i64) -> (String, String) {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let date = format!("{year:04}{month:02}{day:02}");
    (
        date,
        format!(
            "{:02}{:02}{:02}",
            second / 3_600,
            second / 60 % 60,
            second % 60
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_sort_by_time() {
        let id = "00112233445566778899aabbccddeeff";
        let path = default_directory(951_827_696_000_000_000, id);
        assert_eq!(path, PathBuf::from("runs/20000229-123456-00112233"));
        assert_eq!(timestamp(951_827_696_000_000_000), "2000-02-29T12:34:56Z");
        assert_eq!(salt_of(id), 0x0_0112_2334_4556);
    }
}
