//! What a meeting place is called, taken apart.
//!
//! It opens nothing.

use super::StoreError;
use infermeter_core::text::{inert, not_one_of};
use std::path::PathBuf;

/// Most bytes of a place that a message repeats.
const SHOWN_BYTES: usize = 200;

/// How the places of object stores begin.
const SCHEMES: [&str; 3] = ["s3://", "gs://", "az://"];

/// A meeting place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder of the file system.
    Folder(PathBuf),
    /// The URL of a prefix in an object store, without a slash at its end.
    Objects(String),
}

impl Place {
    /// # Errors
    /// When it is no place.
    pub(super) fn of(text: &str) -> Result<Self, StoreError> {
        let wrong = |why: &str| StoreError::Place {
            place: inert(text, SHOWN_BYTES),
            why: why.to_owned(),
        };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if let Some(rest) = text.strip_prefix("file://") {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            return match path.starts_with('/') {
                true => Ok(Self::Folder(PathBuf::from(path))),
                false => Err(wrong(
                    "write the whole path behind file://, as in file:///shared/run-7",
                )),
            };
        }
        if let Some(scheme) = SCHEMES.iter().find(|scheme| text.starts_with(**scheme)) {
            let whole = text.trim_end_matches('/');
            let bucket = whole[scheme.len().min(whole.len())..].split('/').next();
            return match bucket.unwrap_or("") {
                "" => Err(wrong("it names no bucket, as in s3://bucket/run-7")),
                _ if text.contains(['?', '#']) => Err(wrong("it has a `?` or a `#`")),
                _ => Ok(Self::Objects(whole.to_owned())),
            };
        }
        match text.split_once("://") {
            Some((scheme, _)) => Err(wrong(&not_one_of(
                &format!("{scheme}://"),
                &["s3://", "gs://", "az://", "file://"],
            ))),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let folder = |text: &str, path: &str| {
            assert_eq!(
                Place::of(text).ok(),
                Some(Place::Folder(path.into())),
                "{text}"
            );
        };
        folder("runs/7", "runs/7");
        folder("/shared/run 7", "/shared/run 7");
        folder("file:///shared/7", "/shared/7");
        folder("file://localhost/shared/7", "/shared/7");
        let objects = |text: &str, url: &str| {
            assert_eq!(
                Place::of(text).ok(),
                Some(Place::Objects(url.to_owned())),
                "{text}"
            );
        };
        objects("s3://bucket/run-7/", "s3://bucket/run-7");
        objects("gs://bucket", "gs://bucket");
        objects("az://container/a/b", "az://container/a/b");
    }

    #[test]
    fn what_is_no_place_is_told_what_would_be() {
        let fails = |text: &str, expect: &str| {
            let error = Place::of(text).expect_err("no place").to_string();
            assert!(error.contains(expect), "{error}");
        };
        fails("", "empty");
        fails("file://host/shared", "file:///shared/run-7");
        fails("file://run", "file:///shared/run-7");
        fails("s3://", "no bucket");
        fails("s3:///key", "no bucket");
        fails("s3://bucket/a?versionId=1", "`?`");
        fails("s4://bucket", "s3://");
        fails("http://host/\u{1b}", "http://host/\u{fffd}");
    }
}
