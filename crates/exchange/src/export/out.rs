//! Where the files of an export go.

use std::io::{self, Write};

/// A place for files.
pub trait Out {
    /// The file of this name, begun where it is not, else behind what it holds.
    ///
    /// # Errors
    /// When it cannot be made.
    fn file(&mut self, name: &'static str) -> io::Result<&mut dyn Write>;
}
