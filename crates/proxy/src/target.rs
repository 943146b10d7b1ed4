//! A fixed upstream in the forms in which requests name it.
//!
//! Invariant: whatever a user asks for, host and beginning of the path are the upstream's.

use crate::settings::Upstream;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;

/// An upstream that requests can be sent to.
#[derive(Debug)]
pub(crate) struct Aim {
    upstream: Upstream,
    host: HeaderValue,
}

impl Aim {
    /// `None` where its name or its base path cannot stand in a request.
    pub(crate) fn new(upstream: Upstream) -> Option<Self> {
        let host = HeaderValue::from_str(&upstream.host).ok()?;
        let aim = Self { upstream, host };
        aim.target(Some(&PathAndQuery::from_static("/")))?;
        Some(aim)
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The upstream's target for what a user asked for.
    pub(crate) fn target(&self, asked: Option<&PathAndQuery>) -> Option<Uri> {
        let asked = asked.filter(|asked| asked.as_str().starts_with('/'))?;
        if self.upstream.base.is_empty() {
            return Some(Uri::from(asked.clone()));
        }
        let path = format!("{}{asked}", self.upstream.base);
        let path = PathAndQuery::try_from(path).ok()?;
        path.as_str().starts_with('/').then(|| Uri::from(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, asked: &'static str, expect: Option<&str>) {
        let upstream = Upstream {
            addresses: Vec::new(),
            host: "h:1".to_owned(),
            base: base.to_owned(),
            tls: None,
        };
        let target = Aim::new(upstream).and_then(|aim| {
            let target = aim.target(Some(&PathAndQuery::from_static(asked)))?;
            assert_eq!(target.host(), None);
            Some(target.to_string())
        });
        assert_eq!(target.as_deref(), expect);
    }

    #[test]
    fn paths_stand_behind_the_base() {
        check("", "/v1/x?y=z", Some("/v1/x?y=z"));
        check("/base", "/v1/x?y=z", Some("/base/v1/x?y=z"));
        check("", "//other/x", Some("//other/x"));
        check("no slash", "/", None);
    }
}
