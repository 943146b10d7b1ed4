//! TLS settings: rustls with the platform's trust, with certificates the user adds, or with none.
//!
//! Session resumption stays on: reconnects behave as a client's do. Invariant: a certificate is taken
//! unseen only where the user asked for that.

mod verifier;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use std::path::Path;
use std::sync::Arc;

/// Whom to believe that it is the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Who has a certificate of an authority of the platform.
    Platform,
    /// Also those of this file (PEM), and a server whose own certificate stands in it.
    And(&'a Path),
    /// Anyone: nothing but the handshake's signature is verified.
    Anyone,
}

/// How to speak TLS to a target.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Shared settings and session cache.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must carry.
    pub name: ServerName<'static>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read.
    #[error("--tls-ca {path}: {problem}")]
    Certificates {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The host is no name that a certificate can carry.
    #[error("`{0}` is not a host name that TLS can verify")]
    Name(String),
    /// rustls refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[from] rustls::Error),
}

/// What an error of a session means to who asked for https.
pub(crate) fn explained(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => {
            format!("{error}: the port does not speak TLS; if it speaks plain HTTP, write http://")
        }
        other => other.to_string(),
    }
}

/// Settings for `host` under this trust.
///
/// # Errors
/// When the file of certificates cannot be read, or the host is no name.
pub fn tls_for(host: &str, trust: Trust<'_>) -> Result<Tls, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier::verifier(trust, &provider)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| TlsError::Name(infermeter_core::text::inert(host, 200)))?;
    Ok(Tls {
        config: Arc::new(config),
        name,
    })
}
