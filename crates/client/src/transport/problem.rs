//! What breaks a connection.

use crate::http::HttpError;
use crate::tls::explained;
use infermeter_core::text::inert;
use std::io;

/// Why a connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// TLS failed.
    #[error("{}", explained(.0))]
    Tls(#[from] rustls::Error),
    /// The peer has closed its side.
    #[error("closed by the server")]
    Closed,
    /// The same, before TLS was up.
    #[error(
        "closed by the server during the TLS handshake; if the port speaks plain HTTP, write http://"
    )]
    ClosedInHandshake,
    /// The system connected the socket to itself.
    #[error("nobody listens there: the socket met its own port")]
    OwnPort,
    /// A proxy gives no way through.
    #[error("{0}")]
    Tunnel(#[from] TunnelError),
}

/// Why a proxy gives no way to a server.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// It wants credentials, or others.
    #[error(
        "the proxy refuses the credentials (status 407): give them as --proxy \
         http://USER:PASSWORD@HOST:PORT"
    )]
    Credentials,
    /// It answers with another status than 2xx.
    #[error("the proxy gives no way to {authority}: status {status}{}", reason(.said))]
    Refused {
        /// The server asked for.
        authority: String,
        /// The status.
        status: u16,
        /// What the status line adds.
        said: String,
    },
    /// It hangs up.
    #[error("the proxy closed the connection without an answer to CONNECT")]
    Closed,
    /// Its answer is not HTTP.
    #[error("the proxy does not answer CONNECT in HTTP: {0}")]
    Http(#[from] HttpError),
}

fn reason(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(" ({})", inert(said, 100)),
    }
}
