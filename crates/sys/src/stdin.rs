//! Standard input as a file of one's own. It reads nothing.

use crate::raw;
use std::fs::File;
use std::io;

/// Puts `file` in the place of standard input: `/dev/stdin` opens it from now on.
///
/// # Errors
/// What the system says.
pub fn replace(file: &File) -> io::Result<()> {
    raw::calls::replace_stdin(std::os::fd::AsFd::as_fd(file))
}
