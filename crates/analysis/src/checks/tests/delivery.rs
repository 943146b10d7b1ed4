//! What lies, freezes, comes twice or in bursts: a run of each that has its finding and no other.

use super::{every, found, thread};
use infermeter_core::clock::Offset;
use infermeter_core::gap::{Gap, GapCause};
use infermeter_core::record::{RequestRecord, TokenSource};
use infermeter_metrics::fixture::{Run, ms};

/// 660 requests in 66 s, 60 tokens each.
fn quiet() -> Run {
    Run::steady(660, 10.0, 60)
}

/// Warnings and errors.
fn check(change: impl FnOnce(&mut Run), expect: &[&str]) {
    let mut run = quiet();
    change(&mut run);
    let mut codes = found(&run.build());
    codes.retain(|code| !code.starts_with("note"));
    assert_eq!(codes, expect);
}

fn moved(record: &mut RequestRecord, later: impl Fn(Offset) -> Offset) {
    for chunk in &mut record.chunks {
        for at in [&mut chunk.at, &mut chunk.seen, &mut chunk.lower] {
            *at = later(*at);
        }
    }
    for at in [
        &mut record.first_byte,
        &mut record.finished,
        &mut record.closed,
    ] {
        *at = at.map(&later);
    }
}

fn freeze(run: &mut Run, length_ms: i64) {
    let from = run
        .manifest()
        .window
        .expect("a window")
        .start
        .plus(ms(20_000));
    for record in run.records() {
        let wait = from.plus(ms(length_ms)).since(record.intended);
        let wait = wait.clamp(0, ms(length_ms));
        moved(record, |at| if at > from { at.plus(wait) } else { at });
    }
}

#[test]
fn a_quiet_run_has_none_of_them() {
    check(|_| {}, &[]);
}

#[test]
fn a_server_that_freezes() {
    check(|run| freeze(run, 2_000), &["warning server-froze"]);
    check(|run| freeze(run, 300), &["warning server-froze"]);
    check(|run| freeze(run, 150), &[]);
}

#[test]
fn what_a_client_read_late_is_no_freeze_of_the_server() {
    check(
        |run| {
            freeze(run, 2_000);
            let at = run.manifest().window.expect("a window").start;
            let (at, ns) = (at.plus(ms(20_100)), ms(1_900));
            let cause = GapCause::Stopped;
            thread(|health| health.gaps.push(Gap { at, ns, cause }))(run);
        },
        &["error client-stood-still"],
    );
}

#[test]
fn streams_that_hang_while_others_go_on() {
    let hang = |nth: usize| {
        move |run: &mut Run| {
            for record in every(run, nth) {
                let from = record.chunks[30].at;
                moved(record, |at| if at >= from { at.plus(ms(800)) } else { at });
            }
        }
    };
    check(hang(20), &["warning streams-hang"]);
    // One or two are an accident.
    check(hang(301), &[]);
}

/// As a record of today has it: usage of `claimed` tokens for the sixty chunks that came.
fn claim(run: &mut Run, claimed: u32) {
    for record in every(run, 1) {
        record.text_tokens = Some(60);
        record.repeated_chunks = Some(0);
        record.output_tokens = Some(claimed);
        record.token_source = Some(TokenSource::Unknown);
        record.chunks.iter_mut().for_each(|c| c.tokens = u32::MAX);
    }
}

#[test]
fn usage_that_the_text_contradicts() {
    for claimed in [120, 30] {
        let mut run = quiet();
        claim(&mut run, claimed);
        let codes = found(&run.build());
        assert!(
            codes.contains(&"warning usage-implausible".to_owned()),
            "{codes:?}"
        );
        // Nobody knows how long the answers are.
        assert!(
            codes.iter().all(|c| !c.contains("length-not-obeyed")),
            "{codes:?}"
        );
    }
    // Another tokenizer than the server's.
    for claimed in [44, 80] {
        let mut run = quiet();
        claim(&mut run, claimed);
        let codes = found(&run.build());
        assert!(
            codes.iter().all(|c| !c.contains("usage-implausible")),
            "{codes:?}"
        );
    }
}

#[test]
fn chunks_that_come_twice() {
    let twice = |run: &mut Run| {
        for record in every(run, 1) {
            record.repeated_chunks = Some(60);
            record.token_source = Some(TokenSource::ContinuousUsage);
            let once = std::mem::take(&mut record.chunks);
            let again = |mut chunk: infermeter_core::record::Chunk| {
                let first = chunk;
                chunk.tokens = 0;
                [first, chunk]
            };
            record.chunks = once.into_iter().flat_map(again).collect();
        }
    };
    check(twice, &["warning duplicate-chunks"]);
}

#[test]
fn chunks_held_back_by_a_clock() {
    let grid = |run: &mut Run| {
        let held = |at: Offset| Offset((at.0 + ms(100) - 1).div_euclid(ms(100)) * ms(100));
        run.records().iter_mut().for_each(|r| moved(r, held));
    };
    let mut run = quiet();
    grid(&mut run);
    let codes = found(&run.build());
    assert!(
        codes.contains(&"warning bursty-delivery".to_owned()),
        "{codes:?}"
    );
    assert!(codes.iter().all(|c| !c.starts_with("error")), "{codes:?}");
    // Drafts: as many chunks at once as were accepted, a step apart.
    let mut drafts = quiet();
    for record in drafts.records().iter_mut() {
        let first = record.chunks[0].at;
        let mut step = 0;
        let mut left = 0_u64;
        for (i, chunk) in record.chunks.iter_mut().enumerate() {
            if left == 0 {
                left = 1 + infermeter_core::seed::splitmix64(record.id ^ (i as u64) << 20) % 5;
                step += 1;
            }
            left -= 1;
            chunk.at = first.plus(step * ms(20));
        }
    }
    let codes = found(&drafts.build());
    assert!(codes.iter().all(|c| !c.contains("bursty")), "{codes:?}");
}

#[test]
fn answers_held_back_to_their_end() {
    let mut run = quiet();
    for record in run.records().iter_mut() {
        let end = record.chunks[59].at;
        moved(record, |at| at.max(end));
    }
    let codes = found(&run.build());
    assert!(
        codes.contains(&"warning bursty-delivery".to_owned()),
        "{codes:?}"
    );
    assert!(
        codes.iter().all(|c| !c.contains("cache-suspected")),
        "{codes:?}"
    );
}

#[test]
fn a_freeze_that_is_the_clients_own_is_not_the_servers() {
    let still = |run: &mut Run| {
        freeze(run, 2_000);
        let from = run
            .manifest()
            .window
            .expect("a window")
            .start
            .plus(ms(20_000));
        let health = run.manifest().client_health.as_mut().expect("a health");
        let gaps = &mut health.threads[0].gaps;
        (gaps.count, gaps.total_ns, gaps.longest_ns) = (1, ms(2_000), ms(2_000));
        gaps.listed.push(Gap {
            at: from,
            ns: ms(2_000),
            cause: GapCause::Stopped,
        });
    };
    let mut run = quiet();
    still(&mut run);
    let codes = found(&run.build());
    assert!(
        codes.contains(&"error client-stood-still".to_owned()),
        "{codes:?}"
    );
    assert!(
        codes.iter().all(|c| !c.contains("server-froze")),
        "{codes:?}"
    );
}

#[test]
fn answers_from_a_cache() {
    let soon = |record: &mut RequestRecord| {
        let ahead = record.chunks[0].at.since(record.intended);
        moved(record, |at| at.plus(ms(2) - ahead));
    };
    check(
        |run| run.records().iter_mut().for_each(soon),
        &["warning cache-suspected"],
    );
    // Where usage tells of the cache, its share is the finding.
    let mut told = quiet();
    for record in told.records() {
        soon(record);
        record.cached_tokens = record.prompt_tokens;
    }
    let codes = found(&told.build());
    assert!(
        codes.iter().all(|c| !c.contains("cache-suspected")),
        "{codes:?}"
    );
    // All of it at once, as it was the last time.
    let mut replayed = quiet();
    for record in replayed.records() {
        let sent = record.intended;
        let first = record.chunks[0].at;
        moved(record, |at| sent.plus(ms(1) + at.since(first) / 1_000));
    }
    let codes = found(&replayed.build());
    assert!(
        codes.contains(&"warning cache-suspected".to_owned()),
        "{codes:?}"
    );
}
