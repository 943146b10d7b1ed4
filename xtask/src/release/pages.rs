//! Man pages and completions, as the program itself writes them.

use super::{Outcome, Release, files};
use crate::command;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Shells, and what a shell wants its file called.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "infermeter"),
    ("zsh", "_infermeter"),
    ("fish", "infermeter.fish"),
    ("powershell", "_infermeter.ps1"),
    ("elvish", "infermeter.elv"),
];

/// Where in a system each is looked for; of the other two shells nobody says.
const INSTALLED: [(&str, &str); 3] = [
    ("infermeter", "share/bash-completion/completions"),
    ("_infermeter", "share/zsh/vendor-completions"),
    ("infermeter.fish", "share/fish/vendor_completions.d"),
];

/// Folders of the staged files.
pub(super) const MAN: &str = "man";
pub(super) const COMPLETIONS: &str = "completions";

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let Some(program) = release.built.iter().find(|built| built.is_of_this_host()) else {
        return Ok(Outcome::LeftOut("no program was built".to_owned()));
    };
    let man = release.stage(MAN)?;
    command::output(Command::new(&program.path).args(["man", "--dir"]).arg(&man))?;
    let pages = files::listed(&man)?.len();
    if pages < 2 {
        bail!("{pages} man pages came of it");
    }
    let folder = release.stage(COMPLETIONS)?;
    for (shell, file) in SHELLS {
        let script = command::output(Command::new(&program.path).args(["completions", shell]))?;
        if !script.contains("infermeter") {
            bail!("the completions of {shell} do not name the program");
        }
        files::write(&folder.join(file), &format!("{script}\n"))?;
    }
    Ok(Outcome::Done(format!(
        "{pages} man pages, completions of {} shells",
        SHELLS.len()
    )))
}

/// Puts both where programs look for them, below `prefix` (`/usr` of a system); man pages are packed where a system wants
/// that.
pub(super) fn install(release: &Release, prefix: &Path, pack: bool) -> Result<()> {
    if let Some(man) = release.staged_file(MAN) {
        for page in files::listed(&man)? {
            let to = prefix
                .join("share/man/man1")
                .join(page.file_name().unwrap_or_default());
            files::put(&page, &to)?;
            if pack {
                command::output(Command::new("gzip").arg("-9nf").arg(&to))?;
            }
        }
    }
    if let Some(completions) = release.staged_file(COMPLETIONS) {
        for (file, folder) in INSTALLED {
            files::put(&completions.join(file), &prefix.join(folder).join(file))?;
        }
    }
    Ok(())
}
