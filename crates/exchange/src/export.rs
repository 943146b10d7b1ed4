//! A run as another tool's files: one file of the code for each format.
//!
//! Judges nothing. Invariant: a figure is written under another tool's name only with that tool's definition,
//! computed from the record; else it is left out, and what is left out is named.

mod aiperf;
mod bencher;
mod csv;
mod figures;
mod foreign;
mod format;
mod inferencex;
mod junit;
mod llmd;
mod loss;
mod out;
mod run;
mod setup;
mod spread;
mod vllm;

pub use format::{ExportFormat, Runs};
pub use out::Out;
pub use run::{ExportedRun, Records};

use infermeter_analysis::Gated;
use std::io;

/// What a format leaves out of a run, or has to change: a sentence without its full stop each.
pub type Losses = Vec<String>;

/// Files in the making.
pub struct Export<'a> {
    writer: Box<dyn Writer + 'a>,
    losses: Losses,
}

/// What a format does with each run, and at the end.
pub(crate) trait Writer {
    /// Adds a run.
    fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<Losses>;

    /// Writes what is written once all runs are known.
    fn end(&mut self, _out: &mut dyn Out) -> io::Result<()> {
        Ok(())
    }
}

/// What is asked of an export beside its format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// A gate over the runs, judged; for formats that carry answers.
    pub gated: Option<&'a Gated>,
    /// Warnings count as failures.
    pub strict: bool,
}

impl<'a> Export<'a> {
    /// Begins files of a format.
    pub fn begin(format: ExportFormat, asked: Asked<'a>) -> Self {
        let writer: Box<dyn Writer + 'a> = match format {
            ExportFormat::Vllm => Box::new(vllm::Result),
            ExportFormat::VllmSweep => Box::<vllm::Sweep>::default(),
            ExportFormat::Aiperf => Box::new(aiperf::Aiperf),
            ExportFormat::Llmd => Box::new(llmd::Report),
            ExportFormat::InferenceX => Box::new(inferencex::Row),
            ExportFormat::Csv => Box::<csv::Tables>::default(),
            ExportFormat::Bencher => Box::<bencher::Metrics>::default(),
            ExportFormat::Junit => Box::new(junit::Suites::of(asked)),
        };
        Self {
            writer,
            losses: format.losses().iter().map(|l| (*l).to_owned()).collect(),
        }
    }

    /// Adds a run.
    ///
    /// # Errors
    /// When its record cannot be read, or a file cannot be written.
    pub fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<()> {
        for loss in self.writer.run(run, out)? {
            if !self.losses.contains(&loss) {
                self.losses.push(loss);
            }
        }
        Ok(())
    }

    /// Completes the files; what they do not carry.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn end(mut self, out: &mut dyn Out) -> io::Result<Losses> {
        self.writer.end(out)?;
        Ok(self.losses)
    }
}
