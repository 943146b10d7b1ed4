//! Values of `capacity`'s flags: rates with commas between, and a share with or without a percent sign.
//!
//! Invariant: what is printed reads back as the same value.

use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::plan::MAX_RATE;
use infermeter_core::text::inert;
use serde::{Deserialize, Serialize};

/// Most rates that are answered side by side.
const MOST: usize = 50;

/// The most that stays free: ten times the load.
const MOST_HEADROOM: f64 = 10.0;

/// Rates, requests per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rates(pub Vec<f64>);

/// A share of the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Headroom(pub f64);

key_values!(ValueKind::Text => Rates, Headroom);

impl TryFrom<String> for Rates {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rate = |piece: &str| {
            let rate = piece.trim().parse::<f64>().ok();
            let found = rate.filter(|rate| *rate > 0.0 && *rate <= MAX_RATE);
            found.ok_or_else(|| {
                let piece = inert(piece.trim(), 40);
                format!("`{piece}` is not a rate: write requests per second above 0, as in 100 or 50,100,200")
            })
        };
        let rates: Vec<f64> = text.split(',').map(rate).collect::<Result<_, _>>()?;
        match rates.len() > MOST {
            true => Err(format!("at most {MOST} rates")),
            false => Ok(Self(rates)),
        }
    }
}

impl From<Rates> for String {
    fn from(rates: Rates) -> Self {
        let texts: Vec<String> = rates.0.iter().map(f64::to_string).collect();
        texts.join(",")
    }
}

impl TryFrom<String> for Headroom {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let trimmed = text.trim();
        let (number, scale) = match trimmed.strip_suffix('%') {
            Some(percent) => (percent.trim(), 100.0),
            None => (trimmed, 1.0),
        };
        let share = number.parse::<f64>().ok().map(|number| number / scale);
        let wrong = |hint: &str| {
            format!(
                "`{}` is not a share of the load: {hint}",
                inert(trimmed, 40)
            )
        };
        match share.filter(|share| *share >= 0.0 && share.is_finite()) {
            Some(share) if share > 1.0 && scale == 1.0 => {
                Err(wrong("write a percentage with its sign, as in 20%"))
            }
            Some(share) if share > MOST_HEADROOM => Err(wrong("at most 1000%")),
            Some(share) => Ok(Self(share)),
            None => Err(wrong("write 20% or 0.2")),
        }
    }
}

impl From<Headroom> for String {
    fn from(headroom: Headroom) -> Self {
        // Rounded: 0.07 * 100 alone is 7.000000000000001.
        format!("{}%", (headroom.0 * 1e11).round() / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str, expect: Result<&[f64], &str>) {
        match (Rates::try_from(text.to_owned()), expect) {
            (Ok(found), Ok(expect)) => {
                assert_eq!(found.0, expect);
                assert_eq!(Rates::try_from(String::from(found.clone())), Ok(found));
            }
            (Err(said), Err(words)) => assert!(said.contains(words), "{said}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn rates_are_above_nothing() {
        rates("100", Ok(&[100.0]));
        rates("50, 100,200.5", Ok(&[50.0, 100.0, 200.5]));
        rates("0", Err("`0` is not a rate"));
        rates("50,,100", Err("`` is not a rate"));
        rates("NaN", Err("not a rate"));
        rates("1e9", Err("not a rate"));
    }

    #[test]
    fn a_share_needs_its_sign_above_one() {
        for (text, expect) in [
            ("20%", 0.2),
            ("0.2", 0.2),
            ("0", 0.0),
            ("7 %", 0.07),
            ("150%", 1.5),
        ] {
            let found = Headroom::try_from(text.to_owned()).expect(text);
            assert_eq!(found.0, expect);
            assert_eq!(Headroom::try_from(String::from(found)), Ok(found));
        }
        for (text, words) in [
            ("20", "as in 20%"),
            ("-5%", "write 20% or 0.2"),
            ("x", "`x` is not a share"),
        ] {
            let said = Headroom::try_from(text.to_owned()).expect_err(text);
            assert!(said.contains(words), "{said}");
        }
    }
}
