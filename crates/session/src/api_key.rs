//! Where the API key comes from: the file, the URL, or the environment.
//!
//! It never shows the key.

use crate::experiment::Experiment;
use anyhow::{Context, Result, bail};
use infermeter_analysis::raised;
use infermeter_client::dialect::Dialect;
use infermeter_client::encode::Target;
use infermeter_core::finding::Finding;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The key of the file, else the variable's; what the URL says goes before the variable.
///
/// # Errors
/// When the file cannot be read, or is empty.
pub fn api_key(experiment: &Experiment, target: &Target) -> Result<Option<String>> {
    let form = &experiment.requests.form;
    if let Some(path) = &form.key_file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("--api-key-file {} cannot be read", path.display()))?;
        let key = text.trim().to_owned();
        if key.is_empty() {
            bail!("--api-key-file {} is empty", path.display());
        }
        return Ok(Some(key));
    }
    // A key is not sent to the simulator: nothing there needs it.
    let key = if experiment.is_simulated() || target.authorization().is_some() {
        None
    } else {
        std::env::var(Dialect::of(form.endpoint).key_variable()).ok()
    };
    Ok(key.map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()))
}

/// That others than its owner can get at the file.
pub(crate) fn key_file_readable(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return None;
    }
    let shown = infermeter_core::text::inert(&path.display().to_string(), 200);
    Some(raised::KEY_FILE_READABLE.found(
        "Users other than its owner can read the file with the API key.",
        format!("{shown} has mode {mode:04o}."),
        format!("Restrict it: chmod 600 {shown}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_noted() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let check = |mode: u32, noted: bool| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), permissions).expect("changed");
            let found = key_file_readable(file.path());
            assert_eq!(found.is_some(), noted, "{mode:o}");
            found
        };
        check(0o600, false);
        check(0o400, false);
        check(0o640, true);
        let found = check(0o644, true).expect("a note");
        assert!(found.evidence.ends_with("has mode 0644."), "{found:?}");
    }
}
