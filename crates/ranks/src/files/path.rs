//! What a file at a meeting place may be called.
//!
//! Invariant: a name that passes leads to a place below the one that it is joined to, on every file system and in every
//! store, and is not one that a store uses for itself (those begin with a dot).

/// Most bytes of a name.
const NAME_BYTES: usize = 300;
/// Most bytes between two slashes: file systems have 255.
const PART_BYTES: usize = 200;
/// Most parts: a record has two.
const MOST_PARTS: usize = 6;

/// Whether a file may have this name.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the name.
pub(crate) fn checked_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > NAME_BYTES || name.split('/').count() > MOST_PARTS {
        return Err("is empty, too long or too deep for a name");
    }
    match name.split('/').all(is_part) {
        true => Ok(()),
        false => Err(
            "is not made of letters, digits, `.`, `-` and `_`, with single slashes between parts that do not begin \
             with a dot",
        ),
    }
}

fn is_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !part.is_empty()
        && !part.starts_with('.')
        && part.len() <= PART_BYTES
        && part.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "launch.json",
            "result-00003/requests.parquet",
            "a/b/c/d/e/f",
            "a..b",
        ] {
            assert_eq!(checked_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.b",
            "a\\b",
            "C:a",
            "a b",
            "a\0b",
            "a\nb",
            "\u{e9}",
            "a/b/c/d/e/f/g",
        ] {
            assert!(checked_name(name).is_err(), "{name}");
        }
        assert!(checked_name(&"x".repeat(PART_BYTES + 1)).is_err());
        assert!(checked_name(&["x".repeat(PART_BYTES), "y".repeat(PART_BYTES)].join("/")).is_err());
    }

    proptest! {
        #[test]
        fn a_name_that_passes_stays_below(name in "[a-c./\\\\\\-~ ]{0,12}") {
            if checked_name(&name).is_ok() {
                let parts: Vec<Component<'_>> = Path::new(&name).components().collect();
                prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(parts.len(), name.split('/').count());
            }
        }
    }
}
