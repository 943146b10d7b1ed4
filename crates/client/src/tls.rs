//! TLS settings: rustls with the platform's trust (and certificates the user adds).
//!
//! Verification cannot be turned off. Session resumption stays on: reconnects behave as a
//! client's do.

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use std::path::Path;
use std::sync::Arc;

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

/// Settings for `host`, trusting the platform's certificates and those of `extra_ca` (PEM).
pub fn tls_for(host: &str, extra_ca: Option<&Path>) -> Result<Tls, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier(extra_ca, Arc::clone(&provider))?;
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

/// The platform's verifier, with extra roots where given. (rustls calls every custom verifier
/// dangerous; this one verifies chain, name and validity.)
fn verifier(
    extra_ca: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let Some(path) = extra_ca else {
        return Ok(Arc::new(Verifier::new(provider)?));
    };
    let bad = |problem: String| TlsError::Certificates {
        path: path.display().to_string(),
        problem,
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() {
        return Err(bad("no certificate in this file (PEM expected)".to_owned()));
    }
    Ok(Arc::new(Verifier::new_with_extra_roots(
        certificates,
        provider,
    )?))
}
