//! The server's own metrics: whether there are pages, and the threads that read them during a run, and its GPUs
//! ([`crate::gpu_metrics`]) beside them.
//!
//! A page that is missing or silent is a fact about the server, never an error of the run. Invariant:
//! credentials go to the target's own host and port alone.

use crate::experiment::{Experiment, MetricsSpec, Probing};
use crate::redact::redact_url;
use crate::secrets::Secrets;
use crate::ways;
use anyhow::Result;
use infermeter_client::control::Channel;
use infermeter_client::encode::{Headers, Target};
use infermeter_core::clock::{Clock, monotonic_ns};
use infermeter_core::environment::{MetricsPlace, UnreadPage};
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    SERVER_METRICS_VERSION, ServerEngine, ServerFigures, ServerReading, ServerWatch, WatchedPage,
};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_probe::PageFigures;
use infermeter_probe::metrics_page::{MetricsPage, PageError};
use infermeter_probe::replicas::ReplicaCount;
use infermeter_probe::target::Control;
use infermeter_probe::waits::Waits;
use infermeter_probe::watch::{Expected, Notice, Source, Watch};
use infermeter_record::ServerMetricsWriter;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest time for one page: nothing hangs on it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the last reading once the load has ended.
const LAST_READING: Duration = Duration::from_secs(2);

/// A command is run no more often than this, whatever the interval of pages.
const COMMAND_INTERVAL: Duration = Duration::from_secs(5);

/// What can be read during the run: a page, or the GPUs of this host.
#[derive(Debug, Clone)]
pub(crate) struct Readable {
    /// From where.
    pub source: Source,
    /// Whose series it has.
    pub engines: Vec<ServerEngine>,
}

impl Readable {
    /// Its engines, as the file has them.
    pub fn watched(&self) -> impl Iterator<Item = WatchedPage> {
        let url = self.source.place();
        self.engines.iter().map(move |engine| WatchedPage {
            engine: *engine,
            url: url.clone(),
        })
    }
}

/// For the record: the first that is an engine's and no front end is the main one.
///
/// # Panics
/// Never of what was found: that has one at least.
pub(crate) fn place_of(mut all: Vec<WatchedPage>, unread: Vec<UnreadPage>) -> MetricsPlace {
    let is_main = |page: &WatchedPage| !page.engine.is_front_end() && !page.engine.is_device();
    let main = all.iter().position(is_main);
    let main = all.remove(main.unwrap_or(0));
    MetricsPlace::Known {
        engine: main.engine,
        url: main.url,
        more: all,
        unread,
    }
}

/// A page that can be read during the run.
#[derive(Debug, Clone)]
struct KnownPage {
    /// Where it is.
    page: MetricsPage,
    /// Whose series stand on it, and what they said before the load.
    engines: Vec<PageFigures>,
}

/// The pages that can be read during the run: at least one.
#[derive(Debug, Clone)]
pub struct KnownPages {
    pages: Vec<KnownPage>,
    unread: Vec<UnreadPage>,
}

impl KnownPages {
    /// What is read during the run, in the order of the file.
    pub(crate) fn readable(&self) -> Vec<Readable> {
        let readable = |known: &KnownPage| Readable {
            source: Source::Page(known.page.clone()),
            engines: known.engines.iter().map(|own| own.engine).collect(),
        };
        self.pages.iter().map(readable).collect()
    }

    /// For the record.
    pub fn place(&self) -> MetricsPlace {
        let readable = self.readable();
        let watched = readable.iter().flat_map(Readable::watched);
        place_of(watched.collect(), self.unread.clone())
    }

    /// What the server's page said before the load.
    pub fn before(&self) -> &ServerFigures {
        let (page, engine) = self.main();
        &self.pages[page].engines[engine].figures
    }

    /// The page that is the server's, and which of its engines.
    fn main(&self) -> (usize, usize) {
        let places = self.pages.iter().enumerate().flat_map(|(page, known)| {
            let engines = known.engines.iter().enumerate();
            engines.map(move |(index, own)| ((page, index), own.engine))
        });
        let is_main = |engine: ServerEngine| !engine.is_front_end() && !engine.is_device();
        let mut behind = places.filter(|(_, engine)| is_main(*engine));
        behind.next().map_or((0, 0), |(place, _)| place)
    }

    /// Reads the server's page once more, before a further run.
    pub(crate) fn read_again(&mut self, control: &mut Control) {
        if let Some(now) = self.now(control, "before the load") {
            let (page, engine) = self.main();
            self.pages[page].engines[engine].figures = now;
        }
    }

    /// What the server's page says after the load.
    pub fn after(&self, control: &mut Control) -> Option<ServerFigures> {
        self.now(control, "after the load")
    }

    fn now(&self, control: &mut Control, when: &str) -> Option<ServerFigures> {
        let (page, engine) = self.main();
        let known = &self.pages[page];
        let wanted = known.engines[engine].engine;
        let found = control.read_page(&known.page, when).ok()?;
        let mut own = found.into_iter().filter(|own| own.engine == wanted);
        own.next().map(|own| own.figures)
    }
}

/// How the target itself is asked.
#[derive(Debug, Clone)]
pub struct Asking<'a> {
    /// The target.
    pub target: &'a Target,
    /// What goes with every question.
    pub headers: &'a Headers,
    /// The way there.
    pub channel: Channel,
}

/// Looks for the pages that the experiment means, asking as the target is asked where it is the target's;
/// else tells why there is none.
pub fn find(
    experiment: &Experiment,
    control: &mut Control,
    asking: Asking<'_>,
) -> Result<KnownPages, String> {
    let spec = &experiment.target;
    let places: Vec<Result<MetricsPage, UnreadPage>> = match (&spec.metrics, spec.probing) {
        (MetricsSpec::Off, _) => return Err("--server-metrics off".to_owned()),
        (MetricsSpec::Beside { .. }, Probing::Never) => return Err("--no-probe".to_owned()),
        (MetricsSpec::Beside { .. }, Probing::Fields { .. }) => {
            let Asking {
                target,
                headers,
                channel,
            } = asking;
            let page = MetricsPage::of(target.clone(), headers.clone(), quick(channel));
            vec![Ok(page)]
        }
        (MetricsSpec::At { urls, .. }, _) => {
            let place = |url: &String| {
                elsewhere(experiment, url, &asking).map_err(|why| UnreadPage {
                    url: redact_url(url),
                    why,
                })
            };
            urls.iter().map(place).collect()
        }
    };
    let (mut pages, mut unread) = (Vec::new(), Vec::new());
    for place in places {
        let read = place.and_then(|page| {
            let found = control.read_page(&page, "before the load");
            let (url, why) = (page.url(), |error: PageError| {
                inert(&error.to_string(), 300)
            });
            let engines = found.map_err(|error| UnreadPage {
                url,
                why: why(error),
            })?;
            Ok(KnownPage { page, engines })
        });
        match read {
            Ok(known) => pages.push(known),
            Err(page) => unread.push(page),
        }
    }
    if pages.is_empty() {
        let why = unread.first().map(|page| page.why.clone());
        return Err(why.unwrap_or_else(|| "no page is named".to_owned()));
    }
    Ok(KnownPages { pages, unread })
}

/// The same with little time.
pub(crate) fn quick(channel: Channel) -> Channel {
    Channel {
        timeout: PAGE_TIMEOUT.min(channel.timeout),
        connect_timeout: PAGE_TIMEOUT.min(channel.connect_timeout),
        ..channel
    }
}

/// The page at a URL of its own.
pub(crate) fn elsewhere(
    experiment: &Experiment,
    url: &str,
    asking: &Asking<'_>,
) -> Result<MetricsPage, String> {
    let page = Target::parse(url).map_err(|error| error.to_string())?;
    let channel = quick(asking.channel.clone());
    let own = std::slice::from_ref(&page);
    let found = ways::find(experiment, own, channel.connect_timeout, &Waits::default());
    // Below the reason stands what to do about a target, which a page is not.
    let reason = |error: String| error.lines().next().unwrap_or_default().to_owned();
    let found = found.map_err(|error| reason(error.to_string()));
    let way = found?.all.swap_remove(0);
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
    /// What is read, at least one, in the order of the file.
    pub readable: Vec<Readable>,
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

/// The threads that read, one for each page: a server that hangs delays no other's reading.
#[derive(Debug)]
pub(crate) struct Watching {
    notices: Vec<Sender<Notice>>,
    ended: Receiver<()>,
    /// Gone when the load has ended: the file is sealed then, and a reading that comes later is left out.
    writer: Writer,
}

/// Where all of them write.
type Writer = Arc<Mutex<Option<ServerMetricsWriter>>>;

impl Watching {
    /// Starts them. They wait for the clock.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start(watched: Watched<'_>) -> Result<Self> {
        let readable = watched.readable;
        let interval_ns = watched.interval.ns();
        let file = ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: readable.iter().flat_map(Readable::watched).collect(),
            interval_ns,
        };
        let writer = ServerMetricsWriter::create(watched.directory, &file)?;
        let writer = Arc::new(Mutex::new(Some(writer)));
        let (end, ended) = channel();
        let mut place = 0;
        let mut notices = Vec::new();
        for known in readable {
            let engines = known.engines.len();
            let expected = known.engines.iter().enumerate();
            let expected = expected.map(|(index, engine)| Expected {
                engine: *engine,
                page: place + index,
            });
            let watch = Watch {
                expected: expected.collect(),
                interval_ns: interval_ns.max(least_interval_ns(&known.source)),
                source: known.source,
                request_id: format!("{}-metrics", watched.run_id),
                cores: watched.cores.clone(),
            };
            place += engines;
            notices.push(spawn(watch, watched.secrets, &writer, end.clone()));
        }
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

    /// The load has ended: waits for the last readings, for a moment.
    pub fn end(self) {
        self.tell(Notice::End);
        let until = monotonic_ns() + LAST_READING.as_nanos() as i64;
        for _ in &self.notices {
            let left = (until - monotonic_ns()).max(0) as u64;
            let _ = self.ended.recv_timeout(Duration::from_nanos(left));
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.take();
    }

    fn tell(&self, notice: Notice) {
        for thread in &self.notices {
            // It goes on as long as it can be told something.
            let _ = thread.send(notice);
        }
    }
}

fn least_interval_ns(source: &Source) -> i64 {
    match source {
        Source::Replicas(ReplicaCount::Command(_)) => COMMAND_INTERVAL.as_nanos() as i64,
        Source::Replicas(ReplicaCount::Page { .. }) | Source::Page(_) | Source::Nvml(_) => 0,
    }
}

/// Starts the thread of one page, which says on `end` when it has read for the last time.
fn spawn(watch: Watch, secrets: &Secrets, writer: &Writer, end: Sender<()>) -> Sender<Notice> {
    let (secrets, writer) = (secrets.clone(), Arc::clone(writer));
    let (notices, told) = channel();
    std::thread::spawn(move || {
        watch.run(&told, &mut |reading: &ServerReading| {
            let mut reading = reading.clone();
            reading.each_text(&mut |text| secrets.scrub(text));
            if let Some(writer) = &mut *writer.lock().unwrap_or_else(PoisonError::into_inner) {
                // A reading that a full disk has no room for is missing, and nothing else.
                let _ = writer.append(&reading);
            }
        });
        // Nobody listens any more where the last reading took too long.
        let _ = end.send(());
    });
    notices
}
