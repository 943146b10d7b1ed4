//! TLS towards users: a certificate and its key from files.
//!
//! No client certificates, HTTP/1.1 only.

use crate::proxy::ProxyError;
use infermeter_core::text::inert;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// Settings from the files, both PEM.
///
/// # Errors
/// When a file cannot be read, or they do not belong together.
pub fn server_tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, ProxyError> {
    let bad = |path: &Path, problem: String| ProxyError::TlsFile {
        path: path.to_owned(),
        problem: inert(&problem, 200),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| bad(certificate, error.to_string()))?;
    if chain.is_empty() {
        let problem = "no certificate in this file (PEM expected)".to_owned();
        return Err(bad(certificate, problem));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
