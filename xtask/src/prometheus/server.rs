//! A Prometheus of our own: its configuration, its process, and what can be asked of it.
//!
//! Invariant: it listens on the loopback alone, and ends with its handle.

use super::web;
use crate::running::Running;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::monotonic_ns;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// From one scrape to the next.
const INTERVAL: &str = "1s";
/// From one instant of a query over time to the next, seconds.
const STEP_S: f64 = 0.5;
/// Longest wait for it to be ready, nanoseconds.
const START_NS: i64 = 60_000_000_000;

/// A Prometheus that scrapes.
pub(super) struct Server {
    address: String,
    process: Running,
}

/// A page that is scraped.
pub(super) struct Job<'a> {
    /// What its series are labelled with.
    pub name: &'static str,
    /// Host and port.
    pub target: &'a str,
    /// The page.
    pub path: &'static str,
}

/// One series of an answer.
pub(super) struct Series {
    /// Its labels.
    pub labels: Value,
    /// Its value.
    pub value: f64,
}

impl Server {
    /// Has a Prometheus scrape these jobs, with its files in `directory`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(program: &Path, directory: &Path, jobs: &[Job<'_>]) -> Result<Self> {
        let jobs = jobs.iter().map(|job| {
            json!({
                "job_name": job.name,
                "metrics_path": job.path,
                "static_configs": [{"targets": [job.target]}],
            })
        });
        let config = json!({
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
            "scrape_configs": jobs.collect::<Vec<_>>(),
        });
        let file = directory.join("prometheus.yml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string())?;
        // Free at this moment: Prometheus takes no port of its own choice.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut prometheus = Command::new(program);
        prometheus
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.join("prometheus.log"))?);
        let process = Running(prometheus.spawn().context("cannot start prometheus")?);
        let mut server = Self { address, process };
        server.wait(directory)?;
        Ok(server)
    }

    fn wait(&mut self, directory: &Path) -> Result<()> {
        let until = monotonic_ns() + START_NS;
        while web::get(&self.address, "/-/ready").is_err() {
            let ended = self.process.0.try_wait()?;
            if ended.is_some() || monotonic_ns() > until {
                let log = std::fs::read_to_string(directory.join("prometheus.log"));
                bail!("prometheus did not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(web::PAUSE);
        }
        Ok(())
    }

    /// What a query says at this moment.
    ///
    /// # Errors
    /// When it is no query.
    pub fn instant(&self, query: &str) -> Result<Vec<Series>> {
        let path = web::path("/api/v1/query", &[("query", query)]);
        let mut data = web::data(&self.address, &path)?;
        let all = data["result"].as_array_mut().context("no list of series")?;
        let series = all.iter_mut().map(|series| {
            let value = series["value"][1]
                .as_str()
                .and_then(|text| text.parse().ok());
            Ok(Series {
                labels: series["metric"].take(),
                value: value.context("a series without a value")?,
            })
        });
        series.collect()
    }

    /// How many series a query says anything in between two instants, Unix seconds.
    ///
    /// Asked at steps that are shorter than a scrape's interval and end with the last instant: what was scraped once,
    /// just before it, is found.
    ///
    /// # Errors
    /// When it is no query.
    pub fn over_time(&self, query: &str, from_s: f64, to_s: f64) -> Result<usize> {
        let steps = ((to_s - from_s) / STEP_S).ceil();
        let (from, to) = ((to_s - steps * STEP_S).to_string(), to_s.to_string());
        let step = STEP_S.to_string();
        let values = [
            ("query", query),
            ("start", &from),
            ("end", &to),
            ("step", &step),
        ];
        let data = web::data(&self.address, &web::path("/api/v1/query_range", &values))?;
        let series = data["result"].as_array().context("no list of series")?;
        Ok(series.len())
    }
}
