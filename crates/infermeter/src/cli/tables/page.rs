//! The flag that writes a result as a page: the same for every command that only shows one.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Where a result goes beside standard output.
    pub struct PageArgs {
        html: Option<PathBuf> = None, General, "FILE",
            "Write the result as a page of HTML, too; alone as report.html in the directory of the record, or \
             in this one where there is no single record"
            .example("page.html").bare("DIR/report.html");
    }
}
