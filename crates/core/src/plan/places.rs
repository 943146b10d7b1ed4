//! Places as one text: a word that stands alone, or places with commas between.
//!
//! What a place is, its caller says. Invariant: no place is there twice, and there is a limit of them.

use crate::text::inert;

/// Places that one run reads.
pub(super) const PLACES_LIMIT: usize = 64;

/// Why a text is no list of places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacesError {
    /// It is none, and what it could be.
    #[error("`{0}` is neither {1}")]
    Unknown(String, &'static str),
    /// A word beside places.
    #[error("`{0}` stands alone and not beside others: leave out one or the other")]
    Beside(&'static str),
    /// It is there already: what it tells would count twice.
    #[error("{0} is given twice: leave one of them out")]
    Twice(String),
    /// More than are read.
    #[error("{0} places are more than the {PLACES_LIMIT} that one run reads: leave some out")]
    Many(usize),
}

/// What a text says.
pub(super) enum Listed {
    /// `auto`.
    Auto,
    /// `off`.
    Off,
    /// At least one place.
    Places(Vec<String>),
}

/// Reads a text whose places are those that `is_place` knows; others are told that it is neither of `expected`.
pub(super) fn listed(
    text: &str,
    is_place: fn(&str) -> bool,
    expected: &'static str,
) -> Result<Listed, PlacesError> {
    match text {
        "auto" => return Ok(Listed::Auto),
        "off" => return Ok(Listed::Off),
        _ => {}
    }
    let parts = || text.split(',').map(str::trim);
    if parts().any(is_place)
        && let Some(word) = parts().find_map(word)
    {
        return Err(PlacesError::Beside(word));
    }
    let mut places: Vec<String> = Vec::new();
    for part in parts() {
        match places.last_mut() {
            _ if is_place(part) => places.push(part.to_owned()),
            // A comma within the URL before it.
            Some(url) if url.contains("://") && !part.is_empty() => {
                url.push(',');
                url.push_str(part);
            }
            _ => return Err(PlacesError::Unknown(inert(text, 80), expected)),
        }
    }
    if places.len() > PLACES_LIMIT {
        return Err(PlacesError::Many(places.len()));
    }
    for (index, place) in places.iter().enumerate() {
        if places[..index].contains(place) {
            return Err(PlacesError::Twice(inert(place, 80)));
        }
    }
    Ok(Listed::Places(places))
}

/// The word that a part is, where it is one.
fn word(part: &str) -> Option<&'static str> {
    ["auto", "off"].into_iter().find(|word| *word == part)
}
