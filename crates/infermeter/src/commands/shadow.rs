//! `infermeter shadow`: users are served by a primary, a share of their requests goes to a shadow as well, and what
//! both made of them is compared while it goes on.
//!
//! The proxy and the comparison are the library's. Invariant: the proxy begins to listen after every flag was
//! checked, and both records begun.

use super::observe::{self, Progress, Watching};
use crate::cli::Given;
use crate::cli::tables::{Awaited, ObserveArgs, ProxyArgs, ShadowArgs};
use crate::page::Delivery;
use crate::{exit, output};
use anyhow::{Context, Result, bail};
use infermeter_analysis::ShadowComparison;
use infermeter_client::tls::Trust;
use infermeter_core::clock::Clock;
use infermeter_core::finding::Verdict;
use infermeter_core::text::inert;
use infermeter_proxy::{Counts, Seen, SetHeader, Settings, ShadowSettings, Upstream, UserKeys};
use infermeter_report::{of_shadow, shadow_line};
use infermeter_session::observed::shadowing::{ShadowAsk, ShadowUntil, Shadowed, Shadowing};
use infermeter_session::observed::watch::{Onward, Takes, Until};
use infermeter_session::observed::{HowEnded, ShadowPage, SideAbout, named_upstream, upstream};
use std::path::Path;

/// The file with what was found.
const FILE: &str = "shadow.json";
/// Seed of the share: the same requests by number in every run.
const SHARE_SEED: u64 = 1;

/// Runs the subcommand.
///
/// # Errors
/// When a flag is wrong, nothing can listen, or a record cannot be written.
pub(crate) fn shadow(given: &Given, delivery: &Delivery<'_>) -> Result<u8> {
    let (args, observing): (ShadowArgs, ObserveArgs) = (given.read()?, given.read()?);
    let proxy: ProxyArgs = given.read()?;
    if args.primary.trim_end_matches('/') == args.shadow.trim_end_matches('/')
        && args.shadow_header.is_empty()
        && args.shadow_model.is_none()
    {
        output::note("note: --primary and --shadow are the same server: an A/A comparison");
    }
    let clock = Clock::starting_in(0);
    let base = |primary: Upstream| observe::settings(&proxy, primary, clock);
    let settings = settings(&args, observe::trust(&observing), base)?;
    let ask = ShadowAsk {
        primary: about(&args.primary, None),
        shadow: about(&args.shadow, args.shadow_model.clone()),
        margin: args.margin.0,
        until: match args.until {
            Some(Awaited::Decided) => ShadowUntil::Decided,
            None => ShadowUntil::Told,
        },
    };
    let page = args.expose.map(ShadowPage::start).transpose()?;
    let create = || Shadowing::create(&args.out, &ask, clock);
    let (handle, seen, shadowing) = observe::start(settings, &args.out, create)?;
    let mut comparing = Comparing {
        shadowing,
        directory: &args.out,
        progress: Progress::new(args.quiet),
        found: None,
        looked_at: 0,
        clock,
        page,
    };
    observe::announce(&handle, &proxy, &named_upstream(&args.primary));
    if let Some(page) = &comparing.page {
        output::note(&format!("live metrics at {}", page.url()));
    }
    let until = Until {
        duration: args.duration,
        requests: args.requests,
        drain: observing.drain_timeout,
    };
    let observed = observe::watch(Watching {
        handle,
        seen: &seen,
        until,
        takes: &mut comparing,
    });
    comparing.progress.end();
    let ended = observed.ended;
    let shadowed = comparing.shadowing.finish(&observed.counts)?;
    tell(&shadowed, &args.out, delivery)?;
    Ok(exit_code(&shadowed, &args, ended))
}

fn about(url: &str, model: Option<String>) -> SideAbout {
    SideAbout {
        target: named_upstream(url),
        model,
    }
}

fn settings(
    args: &ShadowArgs,
    trust: Trust<'_>,
    base: impl FnOnce(Upstream) -> Result<Settings>,
) -> Result<Settings> {
    let shadow = ShadowSettings {
        upstream: upstream("--shadow", &args.shadow, trust)?,
        share: args.share.0,
        seed: SHARE_SEED,
        max_rate: args.max_rate,
        max_in_flight: args.max_in_flight as usize,
        max_bytes: SHADOW_BYTES,
        headers: headers(&args.shadow_header)?,
        keys: match args.pass_keys {
            true => UserKeys::Passed,
            false => UserKeys::Removed,
        },
        model: args.shadow_model.clone(),
        breaker: Default::default(),
    };
    let primary = upstream("--primary", &args.primary, trust)?;
    Ok(Settings {
        shadow: Some(shadow),
        ..base(primary)?
    })
}

/// Bytes of requests that wait for the shadow, or are in flight there.
const SHADOW_BYTES: usize = 64 << 20;

fn headers(given: &[String]) -> Result<Vec<SetHeader>> {
    let header = |text: &String| {
        let Some((name, value)) = text.split_once(':') else {
            // The value may be a key: it is not repeated.
            bail!("--shadow-header: a header is written 'NAME: VALUE', with a colon between them");
        };
        let name = name.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            bail!(
                "--shadow-header: `{}` is not the name of a header",
                inert(name, 80)
            );
        }
        if value.chars().any(char::is_control) {
            bail!("--shadow-header {name}: the value holds a control character");
        }
        Ok(SetHeader {
            name: name.to_owned(),
            value: value.trim().to_owned(),
        })
    };
    given.iter().map(header).collect()
}

/// Pairs as they come, and what is shown of them.
struct Comparing<'a> {
    shadowing: Shadowing,
    directory: &'a Path,
    progress: Progress,
    /// What the pairs said when they were looked at.
    found: Option<ShadowComparison>,
    /// How many there were then.
    looked_at: usize,
    clock: Clock,
    page: Option<ShadowPage>,
}

impl Takes for Comparing<'_> {
    fn take(&mut self, seen: Seen) -> u64 {
        self.shadowing.take(&seen);
        self.shadowing.pairs() as u64
    }

    fn tick(&mut self, counts: &Counts) -> Onward {
        self.shadowing.flush(self.clock.now());
        // The more pairs there are, the longer it takes to look, and the less a few more change.
        let due = self.looked_at + self.looked_at / 20;
        if self.found.is_none() || self.shadowing.pairs() > due {
            self.looked_at = self.shadowing.pairs();
            let found = self.shadowing.compared(counts);
            // What a kill leaves. Where it cannot be written users are served on, and the end says so.
            let _ = write(&found, self.directory);
            self.found = Some(found);
        }
        if let Some(found) = &self.found {
            let line = format!("{}; {}", observe::line(counts), shadow_line(found));
            self.progress.show(&line);
            if let Some(page) = &self.page {
                page.show(counts, found);
            }
        }
        match self.shadowing.is_over(counts) {
            true => Onward::End,
            false => Onward::GoOn,
        }
    }
}

/// Says what was found, and keeps it beside the records.
fn tell(shadowed: &Shadowed, directory: &Path, delivery: &Delivery<'_>) -> Result<()> {
    let found = &shadowed.comparison;
    // Shown first: what was found is not lost with a disk that is full.
    delivery.deliver(Some(directory), |_| of_shadow(found), || found)?;
    write(found, directory)?;
    output::note(&format!(
        "Records in {0}/primary and {0}/shadow: infermeter report reads them",
        directory.display()
    ));
    Ok(())
}

/// Whole or not at all: a comparison is in the file from the first second on.
fn write(found: &ShadowComparison, directory: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(found)? + "\n";
    crate::page::put(&directory.join(FILE), text.as_bytes()).context(FILE)
}

/// What was waited for and did not come is undecided; users' answers are nobody's failure here.
fn exit_code(shadowed: &Shadowed, args: &ShadowArgs, ended: HowEnded) -> u8 {
    let found = &shadowed.comparison;
    // Without a time, a number or a question, Ctrl-C is how it ends.
    let has_end = args.duration.is_some() || args.requests.is_some() || args.until.is_some();
    exit::gravest(&exit::of_what_is_so([
        (ended == HowEnded::Stopped && has_end, exit::INTERRUPTED),
        (found.verdict == Verdict::Invalid, exit::INVALID),
        (args.until.is_some() && !found.is_decided(), exit::UNDECIDED),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_keys_are_not_repeated() {
        let read = |text: &str| headers(&[text.to_owned()]);
        let header = read("authorization:  Bearer s3cret ").expect("a header");
        assert_eq!(
            (header[0].name.as_str(), header[0].value.as_str()),
            ("authorization", "Bearer s3cret")
        );
        for (text, expect) in [
            ("Bearer s3cret", "with a colon"),
            ("a b: s3cret", "is not the name"),
            ("x: s3cret\n", "control character"),
        ] {
            let said = format!("{:#}", read(text).expect_err(text));
            assert!(said.contains(expect) && !said.contains("s3cret"), "{said}");
        }
    }
}
