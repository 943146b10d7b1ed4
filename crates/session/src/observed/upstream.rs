//! A server's URL as an upstream of a proxy.
//!
//! Names are resolved once. Invariant: what a user wrote wrongly names its flag and says what to write.

use crate::redact::redact_url;
use anyhow::{Context, Result, bail};
use infermeter_client::encode::Target;
use infermeter_client::tls::{Trust, tls_for};
use infermeter_proxy::{Upstream, UpstreamTls};

/// The upstream of a URL given with `flag`.
///
/// # Errors
/// When it is no URL, its name has no address, or TLS cannot be set up.
pub fn upstream(flag: &str, url: &str, trust: Trust<'_>) -> Result<Upstream> {
    let target = Target::parse(url).with_context(|| flag.to_owned())?;
    if target.socket().is_some() {
        bail!("{flag}: a proxy serves from a host and a port: write http://host:port");
    }
    if target.authorization().is_some() {
        bail!(
            "{flag}: leave user and password out of the URL: users bring their own keys, and a shadow gets its \
             own by --shadow-header"
        );
    }
    let mut upstream = Upstream::resolve(target.host(), target.port())
        .with_context(|| format!("{flag} {}", named_upstream(url)))?;
    upstream.base = target.path("");
    upstream.host = target.host_header();
    if target.is_https() {
        let tls = tls_for(target.host(), trust).with_context(|| flag.to_owned())?;
        upstream.tls = Some(UpstreamTls {
            config: tls.config,
            name: tls.name,
        });
    }
    Ok(upstream)
}

/// The URL as it is written down.
pub fn named_upstream(url: &str) -> String {
    redact_url(url)
}
