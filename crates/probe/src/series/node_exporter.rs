//! Series of Prometheus' node exporter: a host's CPU time by mode, over all of its cores, and its memory.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::NodeExporter,
    apart: Apart::Host,
    series: &SERIES,
};

static SERIES: [Series; 3] = [
    series(Q::HostCpuTime, &["node_cpu_seconds"]).by("mode"),
    series(Q::HostMemoryTotal, &["node_memory_MemTotal_bytes"]),
    series(Q::HostMemoryAvailable, &["node_memory_MemAvailable_bytes"]),
];
