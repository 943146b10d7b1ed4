//! The truth log's file, written by a thread of its own at the lowest priority: neither rendering
//! lines nor a slow disk holds up a step.

use super::{TruthChange, TruthLine, TruthRequest, TruthSummary};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The file is flushed at least this often while there is something to flush.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The event loop's end of the log.
#[derive(Debug)]
pub(crate) struct TruthWriter {
    batch: Vec<TruthLine>,
    lines: Sender<Vec<TruthLine>>,
    thread: JoinHandle<io::Result<()>>,
}

impl TruthWriter {
    /// Creates (or replaces) the file and writes its first line.
    pub fn create(path: &Path, header: TruthLine) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(256 << 10, File::create(path)?);
        write_lines(&mut file, vec![header])?;
        file.flush()?;
        let (lines, received) = channel();
        let thread = std::thread::Builder::new()
            .name("mock-truth".to_owned())
            .spawn(move || {
                infermeter_sys::affinity::yield_to_others();
                write_until_closed(&mut file, &received)
            })?;
        Ok(Self {
            batch: Vec::new(),
            lines,
            thread,
        })
    }

    /// Takes a request that has ended.
    pub fn push(&mut self, request: TruthRequest) {
        self.batch.push(TruthLine::Request(request));
    }

    /// Takes a change of parameters.
    pub fn change(&mut self, change: TruthChange) {
        self.batch.push(TruthLine::Change(change));
    }

    /// Hands what has ended since the last call to the writing thread. For the end of a turn of
    /// the loop, when no write is due.
    pub fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            // A thread that has failed says why in `finish`.
            let _ = self.lines.send(batch);
        }
    }

    /// Writes the rest and the last line, and waits for the file. The first error of all writes.
    pub fn finish(mut self, summary: TruthSummary) -> io::Result<()> {
        self.hand_over();
        let _ = self.lines.send(vec![TruthLine::Summary(summary)]);
        drop(self.lines);
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => Err(io::Error::other("the truth log's thread panicked")),
        }
    }
}

fn write_until_closed(
    file: &mut BufWriter<File>,
    received: &Receiver<Vec<TruthLine>>,
) -> io::Result<()> {
    let mut is_dirty = false;
    loop {
        let next = if is_dirty {
            received.recv_timeout(FLUSH_EVERY)
        } else {
            received.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match next {
            Ok(lines) => {
                write_lines(file, lines)?;
                is_dirty = true;
            }
            Err(RecvTimeoutError::Timeout) => {
                file.flush()?;
                is_dirty = false;
            }
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
    }
}

fn write_lines(file: &mut BufWriter<File>, lines: Vec<TruthLine>) -> io::Result<()> {
    for line in lines {
        serde_json::to_writer(&mut *file, &line)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}
