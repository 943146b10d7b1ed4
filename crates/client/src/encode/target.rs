//! Where requests go: a server's base URL, or its socket on this host, parsed once.
//!
//! It resolves no name. User info is kept as the header it means, and never shown.

use infermeter_core::plan::Endpoint;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is no `http://` or `https://`.
    #[error("`{0}` has no http:// or https:// in front: write http://host:port")]
    NoScheme(String),
    /// Another scheme.
    #[error("`{0}://` is not supported: write http://host:port or https://host:port")]
    Scheme(String),
    /// There is no host.
    #[error("the host is missing: write http://host:port")]
    NoHost,
    /// The host is not a name or an address.
    #[error(
        "`{0}` is not a host name or address (IPv6 addresses stand in brackets: http://[::1]:8000)"
    )]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("`{0}` is not a port: write a number from 1 to 65535")]
    Port(String),
    /// There is a query or a fragment.
    #[error("a target has no `{0}`: write http://host:port, with the server's base path at most")]
    QueryOrFragment(char),
    /// The path cannot stand in a request line.
    #[error("the path `{0}` has a space, control or non-ASCII character: percent-encode it")]
    Path(String),
    /// No path of a socket stands behind `unix:`.
    #[error(
        "`unix:{0}` is not the path of a socket: write unix:/run/engine.sock, or \
         unix:/run/engine.sock:/base where the server has a base path"
    )]
    Socket(String),
    /// The path is that of one endpoint.
    #[error("give the server's base URL: leave `{0}` out")]
    EndpointPath(&'static str),
}

/// A server. `Display` is its URL with user info as `***@`; `Debug` shows no secret either.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    https: bool,
    host: String,
    port: u16,
    base: String,
    authorization: Option<String>,
    /// The server's socket, where it is not reached over the network.
    socket: Option<PathBuf>,
    /// A proxy is asked to forward the requests.
    forwarded: bool,
}

impl Target {
    /// Parses `http[s]://[user:password@]host[:port][/base[/v1]]` or `unix:/path[:/base[/v1]]`.
    ///
    /// # Errors
    /// The text is no such URL; messages show no user info.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let url = url.trim();
        if let Some(place) = url.strip_prefix("unix:") {
            return Self::of_socket(place);
        }
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| TargetError::NoScheme(shown(without_user_info(url))))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetError::Scheme(shown(scheme))),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user_info, host_port)) => (Some(user_info), host_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        let port = match port {
            None => [80, 443][usize::from(https)],
            Some(text) => parse_port(text)?,
        };
        Ok(Self {
            https,
            host: parse_host(host)?,
            port,
            base: parse_base(path)?,
            authorization: user_info.map(basic_authorization),
            socket: None,
            forwarded: false,
        })
    }

    /// A base path begins behind the socket's, at `:/`.
    fn of_socket(place: &str) -> Result<Self, TargetError> {
        let (socket, base) = match place.split_once(":/") {
            Some((socket, _)) => (socket, &place[socket.len() + 1..]),
            None => (place, ""),
        };
        let plain = !socket.contains(|c: char| c.is_control());
        if !socket.starts_with('/') || socket.starts_with("//") || socket.ends_with('/') || !plain {
            return Err(TargetError::Socket(shown(place)));
        }
        Ok(Self {
            https: false,
            host: "localhost".to_owned(),
            port: 80,
            base: parse_base(base)?,
            authorization: None,
            socket: Some(PathBuf::from(socket)),
            forwarded: false,
        })
    }

    /// The same with its requests in the form in which a proxy forwards them.
    pub fn forwarded(self) -> Self {
        Self {
            forwarded: true,
            ..self
        }
    }

    /// The server's socket, where it is not reached over the network.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Host and port, as `CONNECT` names them.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// What stands in the request line for `path`: the whole URL where a proxy forwards it (RFC 9112, 3.2.2).
    pub(super) fn request_target(&self, path: &str) -> String {
        match self.forwarded {
            true => format!("http://{}{path}", self.host_header()),
            false => path.to_owned(),
        }
    }

    /// TLS is spoken.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host name or address, IPv6 without brackets: for resolving and for TLS.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Value of the `authorization` header that the URL's user info means. A secret.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Value of the `host` header.
    pub fn host_header(&self) -> String {
        let host = self.bracketed_host();
        if self.port == [80, 443][usize::from(self.https)] {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The path of a request for `path` (with a leading slash) below the target's base.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(socket) = &self.socket {
            let colon = if self.base.is_empty() { "" } else { ":" };
            return write!(f, "unix:{}{colon}{}", socket.display(), self.base);
        }
        let scheme = if self.https { "https" } else { "http" };
        let user = if self.authorization.is_some() {
            "***@"
        } else {
            ""
        };
        write!(f, "{scheme}://{user}{}{}", self.host_header(), self.base)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

fn shown(text: &str) -> String {
    infermeter_core::text::inert(text, 120)
}

fn without_user_info(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}

/// Host (IPv6 without brackets, checked) and port text.
fn split_port(host_port: &str) -> Result<(&str, Option<&str>), TargetError> {
    if host_port.is_empty() {
        return Err(TargetError::NoHost);
    }
    let bad = || TargetError::Host(shown(host_port));
    if let Some(rest) = host_port.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or_else(bad)?;
        address.parse::<Ipv6Addr>().map_err(|_| bad())?;
        return match rest {
            "" => Ok((address, None)),
            rest => Ok((address, Some(rest.strip_prefix(':').ok_or_else(bad)?))),
        };
    }
    match host_port.split_once(':') {
        None => Ok((host_port, None)),
        Some((_, port)) if port.contains(':') => Err(bad()),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| TargetError::Port(shown(text)))
}

fn parse_host(host: &str) -> Result<String, TargetError> {
    if host.is_empty() {
        return Err(TargetError::NoHost);
    }
    let name_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.parse::<Ipv6Addr>().is_err() && !host.bytes().all(name_byte) {
        return Err(TargetError::Host(shown(host)));
    }
    Ok(host.to_ascii_lowercase())
}

/// The base path without trailing slashes and without the API's own `/v1`.
fn parse_base(path: &str) -> Result<String, TargetError> {
    if let Some(sign) = path.chars().find(|c| matches!(c, '?' | '#')) {
        return Err(TargetError::QueryOrFragment(sign));
    }
    if !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TargetError::Path(shown(path)));
    }
    let path = path.trim_end_matches('/');
    let endpoints = Endpoint::ALL.map(|endpoint| endpoint.api().path);
    let below = endpoints.map(|path| path.strip_prefix("/v1").unwrap_or(path));
    for endpoint in below.into_iter().chain(["/models"]) {
        if path.ends_with(endpoint) {
            return Err(TargetError::EndpointPath(endpoint));
        }
    }
    let base = path.strip_suffix("/v1").unwrap_or(path);
    Ok(base.trim_end_matches('/').to_owned())
}

/// `Basic` credentials (RFC 7617) of percent-encoded user info.
fn basic_authorization(user_info: &str) -> String {
    let mut credentials = percent_decoded(user_info);
    if !user_info.contains(':') {
        credentials.push(b':');
    }
    format!("Basic {}", base64(&credentials))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escape = tail.get(..2).filter(|_| byte == b'%');
        let decoded = escape
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    out
}

/// Base64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, b| bits << 8 | u32::from(*b));
        let bits = bits << (8 * (3 - group.len()));
        for i in 0..4 {
            let index = (bits >> (18 - 6 * i)) & 63;
            out.push(if i <= group.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    out
}
