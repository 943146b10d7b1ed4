//! Flags of `bundle` and of `verify`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `bundle`.
    pub struct BundleArgs {
        run_dir: PathBuf = PathBuf::new(), General, "DIR",
            "Directory of a run, or of an experiment of several"
            .form(Form::Required).example("runs/one");
        out: Option<PathBuf> = None, General, "FILE",
            "The archive; without it NAME.tar.gz in this folder, by the name of the directory"
            .example("one.tar.gz");
        texts: bool = false, General, "",
            "Keep texts, too: saved answers, and what the server said of failed requests. They may hold prompts";
    }
}

keys! {
    /// Flags of `verify`.
    pub struct VerifyArgs {
        record: PathBuf = PathBuf::new(), General, "BUNDLE|DIR",
            "A bundle, or the directory of a run or of an experiment"
            .form(Form::Required).example("one.tar.gz");
    }
}
