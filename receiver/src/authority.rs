//! A throw-away certificate authority.
//!
//! Its key never leaves the process. A client that is given the certificate
//! trusts every receiver started with this authority, and no other.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What a receiver shows of itself.
#[derive(Clone, Copy, Debug)]
pub enum Certificate {
    /// A certificate for this machine's local names, as it should be.
    Valid,
    /// The same, but its time is over.
    Expired,
    /// The same, but its time has not come.
    Premature,
    /// A certificate for another name.
    Misnamed,
}

/// Which protocols a receiver offers.
#[derive(Clone, Copy, Debug)]
pub enum Protocols {
    /// HTTP/2, or else HTTP/1.1.
    Both,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

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

    /// A fresh certificate for these names, and its key, both as PEM: for another server.
    ///
    /// # Panics
    /// When a name is none.
    pub fn identity(&self, names: &[&str]) -> (String, String) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let (params, key) =
            (CertificateParams::new(names).expect("certificates can have these names"), new_key());
        let certificate = params.signed_by(&key, &self.issuer).expect("the parameters are constant");
        (certificate.pem(), key.serialize_pem())
    }

    /// TLS with a fresh certificate, for what does not speak HTTP.
    pub fn tls(&self) -> ServerConfig {
        let mut config = self.server_config(Certificate::Valid, Protocols::Both);
        config.alpn_protocols.clear();
        config
    }

    /// TLS with a fresh certificate.
    pub(crate) fn server_config(&self, certificate: Certificate, protocols: Protocols) -> ServerConfig {
        let key = new_key();
        let certificate =
            certificate.params().signed_by(&key, &self.issuer).expect("the parameters are constant");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("the certificate was made for this key");
        config.alpn_protocols = protocols.names().iter().map(|name| name.to_vec()).collect();
        config
    }
}

impl Certificate {
    fn params(self) -> CertificateParams {
        let names =
            if matches!(self, Self::Misnamed) { vec!["another.test".to_owned()] } else { own_names() };
        let mut params = CertificateParams::new(names).expect("the names are constant");
        match self {
            Self::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Self::Premature => params.not_before = date_time_ymd(3000, 1, 1),
            Self::Valid | Self::Misnamed => {}
        }
        params
    }
}

impl Protocols {
    fn names(self) -> &'static [&'static [u8]] {
        match self {
            Self::Both => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
        }
    }
}

fn own_names() -> Vec<String> {
    NAMES.map(String::from).into()
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("ring makes P-256 keys as long as the system has randomness")
}
