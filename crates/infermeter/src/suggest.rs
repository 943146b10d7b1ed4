//! "Did you mean": the nearest known name, where one is near enough.

/// The known name nearest to `name`, if it is likely to be meant.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["rate", "duration", "concurrency"];
        assert_eq!(
            closest("concurency", known.into_iter()),
            Some("concurrency")
        );
        assert_eq!(closest("zzz", known.into_iter()), None);
    }
}
