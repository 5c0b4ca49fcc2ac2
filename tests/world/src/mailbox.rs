//! A real mail server on a free port, which keeps what it is given. The library speaks SMTP; here are the
//! sockets, and the severity of the mail servers of the world: a mail that one of them would refuse is refused.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use mailin::response::{BAD_HELLO, INVALID_CREDENTIALS, OK, OUT_OF_SPACE};
use mailin::{Action, AuthMechanism, Handler, Response, SessionBuilder};
use reprise::app::settings::Smtp;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::authority;

/// What each mail must have once (RFC 5322, RFC 2045).
const HEADERS: [&str; 6] = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version"];

/// The longest line that may be sent, its end included (RFC 5321).
const LINE: usize = 1_000;

/// The mails of a mail server, as they came over the wire.
#[derive(Clone)]
pub struct Mailbox {
    kept: Arc<Kept>,
    url: String,
}

#[derive(Default)]
struct Kept {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    mails: Vec<String>,
    recipients: Vec<String>,
    refusals: usize,
    /// The passwords that were tried, and by which names clients said hello.
    passwords: Vec<String>,
    greetings: Vec<String>,
    /// What is wrong with what was sent.
    complaints: Vec<String>,
    /// How many mails have to come side by side before any is taken, and how many have come.
    together: usize,
    waiting: usize,
}

/// How TLS begins.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    Plain,
    Tls,
    StartTls,
}

impl Mailbox {
    /// Starts the server; its threads end with the process.
    pub fn open() -> Self {
        Self::over(Transport::Plain)
    }

    /// The same, with a certificate of the authority of all stories.
    pub fn over(transport: Transport) -> Self {
        let mut sessions = SessionBuilder::new("mail.test");
        if matches!(transport, Transport::StartTls) {
            sessions.enable_start_tls();
        }
        Self::start(sessions, transport)
    }

    /// The same, but whoever comes must log in, and no password is good.
    pub fn closed() -> Self {
        let mut sessions = SessionBuilder::new("mail.test");
        sessions.enable_auth(AuthMechanism::Plain).insecure_enable_plaintext_auth();
        Self::start(sessions, Transport::Plain)
    }

    fn start(sessions: SessionBuilder, transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match transport {
            Transport::Plain => format!("smtp://127.0.0.1:{port}"),
            Transport::Tls => format!("smtps://127.0.0.1:{port}"),
            Transport::StartTls => format!("smtp://127.0.0.1:{port}?tls=required"),
        };
        let mailbox = Self { kept: Arc::default(), url };
        let (kept, tls) = (mailbox.kept.clone(), Arc::new(authority().tls()));
        std::thread::spawn(move || {
            for connection in listener.incoming().map(Result::unwrap) {
                let (kept, sessions, tls) = (kept.clone(), sessions.clone(), tls.clone());
                std::thread::spawn(move || {
                    let wire = Wire::Plain(connection);
                    let wire = if matches!(transport, Transport::Tls) { wire.encrypted(&tls) } else { wire };
                    talk(wire, &tls, &sessions, &kept)
                });
            }
        });
        mailbox
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Settings that send mails here.
    pub fn smtp(&self) -> Smtp {
        Smtp { url: self.url().into(), from: "Reprise <reprise@example.com>".to_owned(), ehlo_name: None }
    }

    /// The next so many mails are not taken.
    pub fn refuse(&self, mails: usize) {
        self.kept.state.lock().unwrap().refusals = mails;
    }

    /// No mail is taken before so many have come side by side.
    pub fn wait_for(&self, mails: usize) {
        self.kept.state.lock().unwrap().together = mails;
    }

    /// The passwords that were tried.
    pub fn passwords(&self) -> Vec<String> {
        self.kept.state.lock().unwrap().passwords.clone()
    }

    /// The names by which clients said hello.
    pub fn greetings(&self) -> Vec<String> {
        self.kept.state.lock().unwrap().greetings.clone()
    }

    /// Whom mails were for.
    pub fn recipients(&self) -> Vec<String> {
        self.kept.state.lock().unwrap().recipients.clone()
    }

    /// The mails that were taken. None must have been wrong.
    pub fn mails(&self) -> Vec<String> {
        let state = self.kept.state.lock().unwrap();
        assert_eq!(state.complaints, [] as [String; 0]);
        state.mails.clone()
    }
}

/// A connection, encrypted or not.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn encrypted(self, tls: &Arc<ServerConfig>) -> Self {
        let Self::Plain(connection) = self else { return self };
        Self::Tls(Box::new(StreamOwned::new(ServerConnection::new(tls.clone()).unwrap(), connection)))
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\n") && self.read(&mut byte)? > 0 {
            line.push(byte[0]);
        }
        Ok(line)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn talk(
    mut wire: Wire,
    tls: &Arc<ServerConfig>,
    sessions: &SessionBuilder,
    kept: &Arc<Kept>,
) -> io::Result<()> {
    let handler = Session { kept: kept.clone(), data: Vec::new() };
    let mut session = sessions.build(Ipv4Addr::LOCALHOST.into(), handler);
    session.greeting().write_to(&mut wire)?;
    wire.flush()?;
    loop {
        let line = wire.line()?;
        if line.is_empty() {
            return Ok(());
        }
        if let Some(complaint) = complaint_about_line(&line) {
            kept.state.lock().unwrap().complaints.push(complaint);
            return Response::custom(550, "a malformed line".to_owned()).write_to(&mut wire);
        }
        let response = session.process(&line);
        if response.action != Action::NoReply {
            response.write_to(&mut wire)?;
            wire.flush()?;
        }
        if response.action == Action::UpgradeTls {
            wire = wire.encrypted(tls);
            session.tls_active();
        }
        if response.action == Action::Close {
            return Ok(());
        }
    }
}

fn complaint_about_line(line: &[u8]) -> Option<String> {
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Some(format!("it ends in a bare line feed: {}", String::from_utf8_lossy(line)));
    };
    let is_wrong = text.iter().any(|byte| *byte == b'\r' || *byte == 0) || line.len() > LINE;
    is_wrong.then(|| format!("a malformed line: {}", String::from_utf8_lossy(line)))
}

fn complaint_about_mail(mail: &str) -> Option<String> {
    let (head, _) = mail.split_once("\r\n\r\n")?;
    if !head.is_ascii() {
        return Some(format!("the header is not in ASCII: {head}"));
    }
    let times = |name: &str| {
        head.split("\r\n").filter(|line| line.split_once(':').is_some_and(|(own, _)| own == name)).count()
    };
    let wrong = HEADERS.into_iter().find(|name| times(name) != 1)?;
    Some(format!("{wrong} stands there {} times: {head}", times(wrong)))
}

struct Session {
    kept: Arc<Kept>,
    data: Vec<u8>,
}

impl Handler for Session {
    /// The full name of the client, or its address.
    fn helo(&mut self, _: IpAddr, domain: &str) -> Response {
        let mut state = self.kept.state.lock().unwrap();
        state.greetings.push(domain.to_owned());
        if domain.contains('.') || domain.starts_with('[') {
            return OK;
        }
        state.complaints.push(format!("the name in its hello is bare: {domain}"));
        BAD_HELLO
    }

    fn rcpt(&mut self, recipient: &str) -> Response {
        let mut state = self.kept.state.lock().unwrap();
        state.recipients.push(recipient.to_owned());
        if state.refusals > 0 {
            state.refusals -= 1;
            return OUT_OF_SPACE;
        }
        OK
    }

    fn auth_plain(&mut self, _: &str, _: &str, password: &str) -> Response {
        self.kept.state.lock().unwrap().passwords.push(password.to_owned());
        INVALID_CREDENTIALS
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mail = String::from_utf8(std::mem::take(&mut self.data)).unwrap();
        let mut state = self.kept.state.lock().unwrap();
        if let Some(complaint) = complaint_about_mail(&mail) {
            state.complaints.push(complaint);
            return Response::custom(550, "a malformed mail".to_owned());
        }
        state.waiting += 1;
        self.kept.arrived.notify_all();
        let mut state = self.kept.arrived.wait_while(state, |state| state.waiting < state.together).unwrap();
        state.mails.push(mail);
        OK
    }
}
