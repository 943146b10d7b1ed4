//! The server's own metrics: whether there is a page, and the thread that reads it during a run.
//!
//! A page that is missing or silent is a fact about the server, never an error of the run. Invariant:
//! credentials go to the target's own host and port alone.

use crate::experiment::{Experiment, MetricsSpec, Probing};
use crate::secrets::Secrets;
use crate::ways;
use anyhow::Result;
use infermeter_client::control::Channel;
use infermeter_client::encode::{Headers, Target};
use infermeter_core::clock::Clock;
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    SERVER_METRICS_VERSION, ServerEngine, ServerFigures, ServerReading, ServerWatch,
};
use infermeter_core::units::Span;
use infermeter_probe::metrics_page::MetricsPage;
use infermeter_probe::target::Control;
use infermeter_probe::waits::Waits;
use infermeter_probe::watch::{Notice, Watch};
use infermeter_record::ServerMetricsWriter;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest time for one page: nothing hangs on it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the last reading once the load has ended.
const LAST_READING: Duration = Duration::from_secs(2);

/// A page that can be read during the run.
#[derive(Debug, Clone)]
pub struct KnownPage {
    /// Where it is.
    pub page: MetricsPage,
    /// Whose it is.
    pub engine: ServerEngine,
    /// What it said before the load.
    pub before: ServerFigures,
}

/// How the target itself is asked.
#[derive(Debug)]
pub struct Asking<'a> {
    /// The target.
    pub target: &'a Target,
    /// What goes with every question.
    pub headers: &'a Headers,
    /// The way there.
    pub channel: Channel,
}

/// Looks for the page that the experiment means, asking as the target is asked where it is the target's;
/// else tells why there is none.
pub fn find(
    experiment: &Experiment,
    control: &mut Control,
    asking: Asking<'_>,
) -> Result<KnownPage, String> {
    let spec = &experiment.target;
    let page = match (&spec.metrics, spec.probing) {
        (MetricsSpec::Off, _) => return Err("--server-metrics off".to_owned()),
        (MetricsSpec::Beside { .. }, Probing::Never) => return Err("--no-probe".to_owned()),
        (MetricsSpec::Beside { .. }, Probing::Fields { .. }) => {
            let Asking {
                target,
                headers,
                channel,
            } = asking;
            MetricsPage::of(target.clone(), headers.clone(), quick(channel))
        }
        (MetricsSpec::At { url, .. }, _) => elsewhere(experiment, url, asking)?,
    };
    let found = control.read_page(&page, "before the load");
    let (engine, before) = found.map_err(|error| error.to_string())?;
    Ok(KnownPage {
        page,
        engine,
        before,
    })
}

/// The same with little time.
fn quick(channel: Channel) -> Channel {
    Channel {
        timeout: PAGE_TIMEOUT.min(channel.timeout),
        connect_timeout: PAGE_TIMEOUT.min(channel.connect_timeout),
        ..channel
    }
}

/// The page at a URL of its own.
fn elsewhere(
    experiment: &Experiment,
    url: &str,
    asking: Asking<'_>,
) -> Result<MetricsPage, String> {
    let page = Target::parse(url).map_err(|error| error.to_string())?;
    let channel = quick(asking.channel);
    let own = std::slice::from_ref(&page);
    let found = ways::find(experiment, own, channel.connect_timeout, &Waits::default());
    let way = found.map_err(|error| error.to_string())?.all.swap_remove(0);
    let channel = Channel {
        route: way.route,
        ..channel
    };
    let of = |target: &Target| (target.authority(), target.socket().map(Path::to_owned));
    let same = of(&page) == of(asking.target);
    let mut headers = if same {
        asking.headers.clone()
    } else {
        Headers::default()
    };
    let pages = ways::through_proxy(&experiment.target.server, vec![page], &mut headers);
    let page = pages.map_err(|error| error.to_string())?.swap_remove(0);
    Ok(MetricsPage::at(page, headers, channel))
}

/// What is to be read during a run, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    /// The page.
    pub known: &'a KnownPage,
    /// From one reading to the next.
    pub interval: Span,
    /// The run's id.
    pub run_id: &'a str,
    /// The run's directory, where readings go.
    pub directory: &'a Path,
    /// Cores for the thread; empty: any.
    pub cores: Vec<usize>,
    /// What must not be repeated.
    pub secrets: &'a Secrets,
}

/// The thread that reads.
#[derive(Debug)]
pub(crate) struct Watching {
    notices: Sender<Notice>,
    ended: Receiver<()>,
    /// Gone when the load has ended: the file is sealed then, and a reading that comes later is left out.
    writer: Arc<Mutex<Option<ServerMetricsWriter>>>,
}

impl Watching {
    /// Starts it. It waits for the clock.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start(watched: Watched<'_>) -> Result<Self> {
        let known = watched.known;
        let interval_ns = watched.interval.ns();
        let file = ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            engine: known.engine,
            url: known.page.url(),
            interval_ns,
        };
        let writer = ServerMetricsWriter::create(watched.directory, &file)?;
        let writer = Arc::new(Mutex::new(Some(writer)));
        let into = Arc::clone(&writer);
        let watch = Watch {
            page: known.page.clone(),
            interval_ns,
            request_id: format!("{}-metrics", watched.run_id),
            cores: watched.cores,
        };
        let secrets = watched.secrets.clone();
        let (notices, told) = channel();
        let (end, ended) = channel();
        std::thread::spawn(move || {
            watch.run(&told, &mut |reading: &ServerReading| {
                let mut reading = reading.clone();
                if let Some(error) = &mut reading.error {
                    secrets.scrub(error);
                }
                if let Some(writer) = &mut *into.lock().unwrap_or_else(PoisonError::into_inner) {
                    // A reading that a full disk has no room for is missing, and nothing else.
                    let _ = writer.append(&reading);
                }
            });
            // Nobody listens any more where the last reading took too long.
            let _ = end.send(());
        });
        Ok(Self {
            notices,
            ended,
            writer,
        })
    }

    /// The run's clock is set.
    pub(crate) fn start_at(&self, clock: Clock) {
        self.tell(Notice::Start(clock));
    }

    /// A phase of the load began.
    pub fn phase(&self, phase: Phase) {
        self.tell(Notice::Phase(phase));
    }

    /// The load has ended: waits for a last reading, for a moment.
    pub fn end(self) {
        self.tell(Notice::End);
        let _ = self.ended.recv_timeout(LAST_READING);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.take();
    }

    fn tell(&self, notice: Notice) {
        // The thread goes on as long as it can be told something.
        let _ = self.notices.send(notice);
    }
}
