//! Levels of load as they are written: `1,2,5,10`, `2..64:x2`, `10..50:+10`.
//!
//! Invariant: ascending, distinct, above 0, and at most [`MOST`].

use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::plan::MAX_RATE;
use infermeter_core::text::inert;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most levels.
const MOST: usize = 200;

/// Levels of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Levels {
    text: String,
    values: Vec<f64>,
}

key_values!(ValueKind::Text => Levels);

/// Why a text names no levels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {why}; write 1,2,5,10, or 2..64:x2 (doubling), or 10..50:+10")]
pub struct LevelsError {
    text: String,
    why: String,
}

impl Levels {
    /// Ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Levels> for String {
    fn from(levels: Levels) -> Self {
        levels.text
    }
}

impl TryFrom<String> for Levels {
    type Error = LevelsError;

    fn try_from(text: String) -> Result<Self, LevelsError> {
        text.parse()
    }
}

impl FromStr for Levels {
    type Err = LevelsError;

    fn from_str(text: &str) -> Result<Self, LevelsError> {
        let wrong = |why: String| LevelsError {
            text: inert(text, 80),
            why,
        };
        let values = match text.split_once("..") {
            Some((from, rest)) => range(from, rest),
            None => text.split(',').map(number).collect(),
        };
        let mut values = values.map_err(wrong)?;
        values.sort_by(f64::total_cmp);
        if let Some(twice) = values.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(wrong(format!("{} stands there twice", twice[0])));
        }
        match values.len() {
            0..=MOST => Ok(Self {
                text: text.to_owned(),
                values,
            }),
            n => Err(wrong(format!("{n} levels are more than {MOST}"))),
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let value: f64 = text
        .parse()
        .map_err(|_| format!("`{}` is not a number", inert(text, 40)))?;
    match value {
        _ if !value.is_finite() || value <= 0.0 => {
            Err(format!("{value} is not a load: a level is above 0"))
        }
        _ if value > MAX_RATE => Err(format!(
            "{value} is too much: a level is at most {MAX_RATE}"
        )),
        _ => Ok(value),
    }
}

/// What follows a level.
#[derive(Debug, Clone, Copy)]
enum Stride {
    Times(f64),
    Plus(f64),
}

/// `FROM..TO:xFACTOR` and `FROM..TO:+STEP`, the last within a billionth.
fn range(from: &str, rest: &str) -> Result<Vec<f64>, String> {
    let Some((to, by)) = rest.split_once(':') else {
        return Err("a range needs a step".to_owned());
    };
    let (from, to) = (number(from)?, number(to)?);
    let stride = match (by.strip_prefix('x'), by.strip_prefix('+')) {
        (Some(by), _) => Stride::Times(number(by)?),
        (None, Some(by)) => Stride::Plus(number(by)?),
        (None, None) => return Err(format!("`{}` is not a step", inert(by, 40))),
    };
    if matches!(stride, Stride::Times(by) if by <= 1.0) {
        return Err("a factor is above 1".to_owned());
    }
    if from > to {
        return Err(format!("{from} is above {to}"));
    }
    let at = |step: i32| match stride {
        Stride::Times(by) => from * by.powi(step),
        Stride::Plus(by) => from + by * f64::from(step),
    };
    let values = (0..).map(at).take(MOST + 1);
    let values = values.take_while(|value| *value <= to * (1.0 + 1e-9));
    // 0.1 + 0.2 is not 0.3: the noise of the sum is no part of a level.
    Ok(values.map(|value| (value * 1e9).round() / 1e9).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[f64]) {
        let levels: Levels = text.parse().expect(text);
        assert_eq!(levels.values(), expect, "{text}");
        let json = serde_json::to_string(&levels).expect("JSON");
        assert_eq!(serde_json::from_str::<Levels>(&json).expect(&json), levels);
    }

    fn refused(text: &str, word: &str) {
        let error = text.parse::<Levels>().expect_err(text).to_string();
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn lists_and_ranges_are_levels() {
        check("1,2,5,10,20", &[1.0, 2.0, 5.0, 10.0, 20.0]);
        check("5, 1", &[1.0, 5.0]);
        check("2..64:x2", &[2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
        check("2..60:x2", &[2.0, 4.0, 8.0, 16.0, 32.0]);
        check("10..50:+10", &[10.0, 20.0, 30.0, 40.0, 50.0]);
        check("0.1..0.3:+0.1", &[0.1, 0.2, 0.3]);
        check("3", &[3.0]);
    }

    #[test]
    fn nonsense_is_named() {
        refused("", "is not a number");
        refused("1,fast", "`fast` is not a number");
        refused("1,,2", "`` is not a number");
        refused("0,1", "above 0");
        refused("-1", "above 0");
        refused("inf", "above 0");
        refused("nan", "above 0");
        refused("1,1e9", "at most 10000000");
        refused("2,2.0", "2 stands there twice");
        refused("2..64", "needs a step");
        refused("2..64:2", "`2` is not a step");
        refused("2..64:x1", "above 1");
        refused("64..2:x2", "64 is above 2");
        refused("1..1000000:+1", "more than 200");
    }
}
