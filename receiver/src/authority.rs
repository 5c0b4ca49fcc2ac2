//! A throw-away certificate authority.
//!
//! Its key never leaves the process. A client that is given the certificate
//! trusts every receiver started with this authority, and no other.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Signs the certificates of receivers.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "A throw-away authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("the parameters are constant");
        let pem = issuer.pem();
        Self { issuer, pem }
    }
}

impl Authority {
    /// Makes a new key and a certificate for it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The authority's own certificate, which a client must trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS with a fresh certificate for this machine's local names.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let key = new_key();
        let certificate = CertificateParams::new(NAMES.map(String::from))
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("the names are constant");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("the certificate was made for this key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("ring makes P-256 keys as long as the system has randomness")
}
