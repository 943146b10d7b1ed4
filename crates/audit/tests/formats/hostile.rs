//! Damaged and hostile files: an answer or an error, never a panic, never NaN.

use super::checks;
use super::samples::SAMPLES;
use infermeter_audit::import::read;
use proptest::prelude::*;

fn nothing_is_nan(bytes: &[u8]) {
    let Ok(results) = read(bytes) else {
        return;
    };
    for outcome in checks(results) {
        let evidence = outcome.evidence.unwrap_or_default();
        assert!(
            !evidence.contains("NaN") && !evidence.contains("inf"),
            "{evidence}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_sample_panics(
        sample in 0..SAMPLES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = SAMPLES[sample].0.as_bytes().to_vec();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        nothing_is_nan(&bytes);
    }

    #[test]
    fn no_odd_number_panics(
        sample in 0..SAMPLES.len(),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..9usize), 1..12),
    ) {
        const ODD: [&str; 9] =
            ["null", "-1", "0", "1e308", "NaN", "-Infinity", "[]", "\"x\"", "1e-320"];
        let text = SAMPLES[sample].0;
        let between = ["\":", ","].into_iter().find(|b| text.contains(b)).unwrap_or(":");
        let mut parts: Vec<String> = text.split(between).map(str::to_owned).collect();
        for (index, odd) in picks {
            let at = index.index(parts.len() - 1) + 1;
            let rest = parts[at].find([',', '}', '\n']).map_or("", |i| &parts[at][i..]).to_owned();
            parts[at] = format!("{}{rest}", ODD[odd]);
        }
        nothing_is_nan(parts.join(between).as_bytes());
    }
}
