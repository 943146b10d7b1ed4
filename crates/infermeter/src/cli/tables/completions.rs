//! Arguments of `completions`.

use crate::cli::complete::Shell;
use infermeter_core::key::Form;
use infermeter_core::keys;

keys! {
    /// Arguments of `completions`.
    pub struct CompletionsArgs {
        shell: Option<Shell> = None, General, "SHELL",
            "The shell: bash, zsh, fish, powershell or elvish"
            .form(Form::Required).example("bash");
    }
}
