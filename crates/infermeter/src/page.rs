//! Where a result goes beside standard output: a page of HTML (`--html`), or one of its charts (`plot`).
//!
//! Invariants: a file that is there already is never written over, unless it is the page of the same record; no
//! file is ever half written under its own name.

use crate::cli::Given;
use crate::output;
use crate::show::Shown;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_report::{Document, Format, Screen};
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What stands for the file where `--html` stands alone.
pub(crate) const BESIDE: &str = "DIR/report.html";
/// The form of a page.
pub(crate) const PAGE: Shown = Shown::Document(Format::Html);
/// The name of the page beside a record.
const NAME: &str = "report.html";

/// What is done with a result that is on disk.
pub(crate) enum Delivery<'a> {
    /// It is printed, and written as a page where that is asked.
    Printed {
        /// In which form.
        shown: Shown,
        /// The page's file.
        page: Option<PathBuf>,
    },
    /// Something is made of the document.
    Used(&'a dyn Fn(&Document) -> Result<()>),
    /// Something is made of the typed values.
    Valued(&'a dyn Fn(Value)),
}

impl Delivery<'_> {
    /// What a command line asks for.
    pub(crate) fn printed(shown: Shown, given: &Given) -> Self {
        Self::Printed {
            shown,
            page: asked(given),
        }
    }

    /// Whether charts are drawn.
    pub(crate) fn draws(&self) -> bool {
        match self {
            Self::Printed { shown, page } => *shown == PAGE || page.is_some(),
            Self::Used(_) => true,
            Self::Valued(_) => false,
        }
    }

    /// Whether it is printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Self::Printed { shown, .. } if *shown == Shown::Json)
    }

    /// Delivers a result: of the record in `directory`, or of no single one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn deliver<T: Serialize>(
        &self,
        directory: Option<&Path>,
        document: impl Fn(Shown) -> Document,
        json: impl FnOnce() -> T,
    ) -> Result<()> {
        match self {
            Self::Printed { shown, page } => {
                check(page.as_deref())?;
                shown.print(|| document(*shown), json);
                write(page.as_deref(), directory, || document(PAGE))
            }
            Self::Used(with) => with(&document(PAGE)),
            Self::Valued(with) => {
                with(serde_json::to_value(json())?);
                Ok(())
            }
        }
    }
}

/// The file that `--html` names.
pub(crate) fn asked(given: &Given) -> Option<PathBuf> {
    let flag = given.flags.iter().find(|flag| flag.key == "html")?;
    flag.value.as_str().map(PathBuf::from)
}

/// Refuses a page that could not be written, before anything is measured.
///
/// # Errors
/// Where the file is there already, or its folder is not.
pub(crate) fn check(asked: Option<&Path>) -> Result<()> {
    match asked.filter(|path| *path != Path::new(BESIDE)) {
        Some(path) => check_file(path).context("--html"),
        None => Ok(()),
    }
}

/// Refuses a file that is there already, and one in a folder that is not.
///
/// # Errors
/// Saying which, and what to do.
pub(crate) fn check_file(path: &Path) -> Result<()> {
    let shown = path.display();
    if path.is_dir() {
        bail!("{shown} is a directory: name a file in it");
    }
    if path.symlink_metadata().is_ok() {
        bail!("{shown} exists: name another file, or remove it first");
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            bail!("there is no folder {}: make it first", folder.display())
        }
        _ => Ok(()),
    }
}

/// Writes the page where one is asked, and says where it is. Alone, `--html` is a file beside the record, which
/// a later page of it replaces; without a record it is a new file in the current folder.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(
    asked: Option<&Path>,
    directory: Option<&Path>,
    document: impl FnOnce() -> Document,
) -> Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    let path = match (asked == Path::new(BESIDE), directory) {
        (true, Some(directory)) => directory.join(NAME),
        (true, None) => PathBuf::from(NAME),
        (false, _) => asked.to_owned(),
    };
    if directory.is_none() || asked != Path::new(BESIDE) {
        check_file(&path).context("--html")?;
    }
    let page = Format::Html.render(&document(), Screen::default());
    put(&path, page.as_bytes())?;
    output::note(&format!("Page in {}", path.display()));
    Ok(())
}

/// Writes a whole file, or none.
///
/// # Errors
/// When it cannot be written, as where the disk is full.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().context("it names no file")?;
    let mut part = std::ffi::OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(part);
    let written = std::fs::File::create_new(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&part);
        return Err(anyhow!("cannot write {}: {error}", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path, word: &str) {
        let error = format!("{:#}", check(Some(path)).expect_err(word));
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = folder.path().join("there.html");
        std::fs::write(&there, "mine").expect("a file");
        refused(&there, "exists: name another file");
        refused(folder.path(), "is a directory: name a file in it");
        refused(&folder.path().join("none/page.html"), "there is no folder");
        assert!(check(Some(&folder.path().join("new.html"))).is_ok());
        assert!(check(Some(Path::new(BESIDE))).is_ok() && check(None).is_ok());
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let error = put(Path::new("/dev/full/x"), b"").expect_err("no folder");
        assert!(format!("{error}").contains("cannot write /dev/full/x"));
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("page.html");
        write(Some(&page), None, || Document::titled("T")).expect("written");
        let names = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(names, 1);
        let again = write(Some(&page), None, Document::default);
        assert!(again.is_err(), "written over");
    }
}
