//! A real mail server on a free port, which keeps what it is given.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};

use mailin_embedded::response::{BAD_HELLO, OK, Response};
use mailin_embedded::{Handler, Server, SslConfig};

/// The letters of a mail server, as they came over the wire.
#[derive(Clone, Default)]
pub struct Mailbox {
    kept: Arc<Mutex<Kept>>,
    port: u16,
}

#[derive(Default)]
struct Kept {
    mails: Vec<String>,
    refusals: usize,
}

impl Mailbox {
    /// Starts the server; its thread ends with the process.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mailbox = Self { kept: Arc::default(), port: listener.local_addr().unwrap().port() };
        let session = Session { mailbox: mailbox.clone(), data: Vec::new() };
        std::thread::spawn(move || {
            let mut server = Server::new(session);
            server.with_name("mail.test").with_ssl(SslConfig::None).unwrap();
            server.with_tcp_listener(listener).serve().unwrap();
        });
        mailbox
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The next so many mails are not taken.
    pub fn refuse(&self, mails: usize) {
        self.kept.lock().unwrap().refusals = mails;
    }

    pub fn mails(&self) -> Vec<String> {
        self.kept.lock().unwrap().mails.clone()
    }
}

#[derive(Clone)]
struct Session {
    mailbox: Mailbox,
    data: Vec<u8>,
}

impl Handler for Session {
    fn helo(&mut self, _: IpAddr, _: &str) -> Response {
        OK
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mut kept = self.mailbox.kept.lock().unwrap();
        let mail = String::from_utf8(std::mem::take(&mut self.data)).unwrap();
        if kept.refusals > 0 {
            kept.refusals -= 1;
            return BAD_HELLO;
        }
        kept.mails.push(mail);
        OK
    }
}
