//! `infermeter audit FILE|DIR...`: the checklist on results, whoever measured them.
//!
//! Reads, and writes nothing.

use crate::audit::{Declared, gather};
use crate::cli::tables::AuditArgs;
use crate::page::Delivery;
use crate::{exit, input, output};
use anyhow::{Context, Result, bail};
use infermeter_audit::import::Mapping;
use infermeter_audit::{Audit, Side};
use infermeter_core::finding::Severity;
use infermeter_core::text::inert;
use std::path::Path;

/// Longest line about a file left out, bytes.
const MAX_NOTE: usize = 2_000;

/// Runs the subcommand.
///
/// # Errors
/// When a path cannot be read, holds no result, or the mapping or a `--state` is wrong.
pub(crate) fn audit(args: &AuditArgs, delivery: &Delivery<'_>) -> Result<u8> {
    let declared = Declared::parse(&args.state)?;
    let dash = |path: &Path| path == Path::new(input::DASH);
    if args.map.as_deref().is_some_and(dash) && args.paths.iter().any(|path| dash(path)) {
        bail!("--map and a result are both - (standard input), which is read once");
    }
    let mapping = args.map.as_deref().map(mapping).transpose()?;
    let mut sides: Vec<Side> = Vec::new();
    for path in &input::paths(&args.paths)? {
        let mut gathered = gather(path, mapping.as_ref())?;
        for skipped in &gathered.skipped {
            // Names of files are anybody's.
            output::note(&format!("note: {}", inert(skipped, MAX_NOTE)));
        }
        sides.append(&mut gathered.sides);
    }
    for facts in sides.iter_mut().flat_map(|s| &mut s.results) {
        declared.apply(facts);
    }
    let audited = infermeter_audit::audit(&sides);
    delivery.deliver(None, |_| infermeter_report::of_audit(&audited), || &audited)?;
    Ok(exit_code(&audited, args.strict))
}

pub(super) fn mapping(path: &Path) -> Result<Mapping> {
    let named = || format!("--map {}", path.display());
    let text = std::fs::read_to_string(input::path(path)?).with_context(named)?;
    Mapping::parse(&text).with_context(named)
}

fn exit_code(audit: &Audit, strict: bool) -> u8 {
    let least = if strict {
        Severity::Warning
    } else {
        Severity::Error
    };
    if audit.heaviest().is_some_and(|severity| severity >= least) {
        exit::INVALID
    } else {
        exit::OK
    }
}
