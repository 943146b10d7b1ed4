//! `infermeter mock`: the engine simulator on its own.

use crate::cli::tables::MockArgs;
use crate::{exit, output, truth_table};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::encode::Target;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_mock::settings::Settings;
use infermeter_mock::{
    ChoiceError, Config, FaultRule, FaultRuleError, Place, Preset, ServeError, Spin, Stats,
    TlsFiles, serve,
};
use infermeter_session::mock_child::READY;
use infermeter_session::mock_settings;
use infermeter_sys::{affinity, signals};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// Signals are looked for this often while it loads.
const LOOK_NS: i64 = 20_000_000;

/// Seed of a simulator that is given none.
const SEED: u64 = 1;

/// Runs the subcommand: serves until a signal.
///
/// # Errors
/// For an unknown preset, parameters that make no engine, a port in use.
pub(crate) fn mock(args: &MockArgs) -> Result<u8> {
    let mut config = config(args)?;
    if args.print_config {
        output::print(&mock_settings::as_file(&config));
        return Ok(exit::OK);
    }
    let table = args
        .truth
        .as_deref()
        .filter(|path| truth_table::is_asked_for(path));
    if let Some(table) = table {
        config.truth = Some(truth_table::lines_beside(table));
    }
    if !args.cores.is_empty() {
        affinity::restrict_to(&args.cores).context("--cores")?;
    }
    signals::count_from_now().context("signal handlers")?;
    let parent = args.exit_with_parent;
    if start_up(&config, parent).is_none() {
        return Ok(exit::OK);
    }
    let stats = serve(
        &config,
        |place| announce(&config, place, parent),
        || signals::count() > 0 || is_orphan(parent),
    )
    .map_err(|error| match error {
        ServeError::Listen { .. } => match &args.listen {
            Some(place) => anyhow!(error).context(format!("--listen {place}")),
            None => anyhow!(error).context(format!("--port {}", args.port)),
        },
        other => other.into(),
    })?;
    if parent.is_none() {
        output::note(&farewell(&stats));
    }
    if let (Some(table), Some(lines)) = (table, &config.truth) {
        truth_table::convert(lines, table).context("--truth")?;
    }
    Ok(exit::OK)
}

/// What comes before the port opens; `None` where a signal ended it.
fn start_up(config: &Config, parent: Option<u32>) -> Option<()> {
    let mut wait = |span: Span| {
        let end_ns = monotonic_ns().saturating_add(span.ns());
        loop {
            let left_ns = end_ns - monotonic_ns();
            if signals::count() > 0 || is_orphan(parent) {
                return None;
            }
            if left_ns <= 0 {
                return Some(());
            }
            let part = left_ns.min(LOOK_NS).unsigned_abs();
            std::thread::sleep(Duration::from_nanos(part));
        }
    };
    config.start_up.run(&mut wait, &mut output::note)
}

fn announce(config: &Config, place: &Place, parent: Option<u32>) {
    if config.start_up.is_anything() {
        output::note("INFO:     Application startup complete.");
    }
    let scheme = match (place, config.tls.is_some()) {
        (Place::Unix(_), _) => "",
        (Place::Tcp(_), true) => "https://",
        (Place::Tcp(_), false) => "http://",
    };
    output::print(&format!("{READY}{scheme}{place}\n"));
    if parent.is_none() {
        output::note(&format!(
            "preset {}, model {}; parameters at /admin/config, figures at /metrics; Ctrl-C ends it",
            config.preset.name,
            config.model_name()
        ));
    }
}

/// Preset, then file, then flags, then `--set`.
fn config(args: &MockArgs) -> Result<Config> {
    let preset = Preset::parse(&args.preset).map_err(|e| anyhow!("{e}"))?;
    let mut config = Config::new(preset);
    config.seed = SEED;
    config.port = args.port;
    config.socket = args.listen.as_deref().map(socket).transpose()?;
    config.truth = args.truth.clone();
    config.spans = args.spans.as_deref().map(receiver).transpose()?;
    config.role_chunk = args
        .role_chunk
        .parse()
        .map_err(|e| anyhow!("--role-chunk: {e}"))?;
    let spin = args.spin.parse().map_err(|e| anyhow!("--spin: {e}"))?;
    config.spin = match spin {
        Spin::Auto if !args.cores.is_empty() => Spin::On,
        other => other,
    };
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        config.tls = Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        });
    }
    if let Some(path) = &args.config {
        let place = || format!("--config {}", path.display());
        let settings = mock_settings::from_file(path).with_context(place)?;
        settings.apply(&mut config).with_context(place)?;
    }
    flags(args)?.apply(&mut config)?;
    mock_settings::from_texts(args.set.iter().map(String::as_str))
        .and_then(|settings| Ok(settings.apply(&mut config)?))
        .context("--set")?;
    Ok(config)
}

/// The socket to listen on.
fn socket(place: &str) -> Result<PathBuf> {
    let target = Target::parse(place).map_err(|e| anyhow!("--listen: {e}"))?;
    match target.socket() {
        Some(socket) if target.path("").is_empty() => Ok(socket.to_owned()),
        _ => bail!("--listen: write unix:/path/to.sock; a port is given with --port"),
    }
}

/// Where spans are sent.
fn receiver(place: &str) -> Result<SocketAddr> {
    let addresses = place.to_socket_addrs();
    let mut addresses =
        addresses.with_context(|| format!("--spans {}: write HOST:PORT", inert(place, 80)))?;
    addresses.next().context("--spans: the name has no address")
}

/// The parameters that have flags of their own.
fn flags(args: &MockArgs) -> Result<Settings> {
    let field = args.reasoning_field.as_deref().map(str::parse).transpose();
    let usage = args.usage.as_deref().map(str::parse).transpose();
    let rules = args.fault.iter().map(|rule| rule.parse());
    let faults: Vec<FaultRule> = rules
        .collect::<Result<_, _>>()
        .map_err(|e: FaultRuleError| anyhow!("--fault: {e}"))?;
    Ok(Settings {
        ttft: args.ttft,
        step: args.step,
        max_num_seqs: args.max_num_seqs,
        replicas: args.replicas,
        model: args.model.clone(),
        seed: args.seed,
        stream_interval: args.stream_interval,
        reasoning_tokens: args.reasoning_tokens,
        reasoning_share: args.reasoning_share,
        reasoning_field: field.map_err(|e: ChoiceError| anyhow!("--reasoning-field: {e}"))?,
        tool_call_share: args.tool_call_share,
        usage: usage.map_err(|e: ChoiceError| anyhow!("--usage: {e}"))?,
        adapters: (!args.adapter.is_empty()).then(|| args.adapter.clone()),
        faults: (!faults.is_empty()).then_some(faults),
        ..Settings::default()
    })
}

/// The process that asked to be followed is no longer the parent.
fn is_orphan(parent: Option<u32>) -> bool {
    let Some(parent) = parent else { return false };
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    now.is_none_or(|pid| u32::try_from(pid) != Ok(parent))
}

fn farewell(stats: &Stats) -> String {
    let us = |ns: u64| ns as f64 / 1e3;
    let mut text = format!(
        "served {} requests ({} generations: {} finished, {} refused, {} cut by faults, {} \
         disconnected, {} too slow), {} tokens in {} steps, at most {} in flight",
        stats.requests,
        stats.generations,
        stats.finished,
        stats.refused,
        stats.faulted,
        stats.disconnects,
        stats.slow_readers,
        stats.tokens,
        stats.steps,
        stats.max_in_flight
    );
    let (late, burst) = (&stats.step_lateness_ns, &stats.burst_ns);
    if late.count > 0 {
        text.push_str(&format!(
            "\nsteps' first writes came {:.0} us late at the median, {:.0} us at p99, {:.0} us at \
             most; bursts lasted {:.0} us at the median, {:.0} us at p99",
            us(late.p50),
            us(late.p99),
            us(late.max),
            us(burst.p50),
            us(burst.p99),
        ));
    }
    if stats.spans_sent + stats.spans_lost > 0 {
        text.push_str(&format!(
            "\n{} spans were taken by their receiver, {} were lost",
            stats.spans_sent, stats.spans_lost
        ));
    }
    if stats.lost_ns > 0 {
        text.push_str(&format!(
            "\nthis host was too slow: the engine gave {:.3} s up, so it was slower than its law",
            stats.lost_ns as f64 / 1e9
        ));
    }
    text
}
