//! A real mail server on a free port, which keeps what it is given. The library
//! speaks SMTP; here are the sockets.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use mailin::response::{INVALID_CREDENTIALS, OK, OUT_OF_SPACE};
use mailin::{Action, AuthMechanism, Handler, Response, SessionBuilder};

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
    /// The passwords that were tried.
    passwords: Vec<String>,
}

impl Mailbox {
    /// Starts the server; its threads end with the process.
    pub fn open() -> Self {
        Self::start(SessionBuilder::new("mail.test"))
    }

    /// The same, but whoever comes must log in, and no password is good.
    #[allow(dead_code, reason = "not every program of stories keeps secrets")]
    pub fn closed() -> Self {
        let mut sessions = SessionBuilder::new("mail.test");
        sessions.enable_auth(AuthMechanism::Plain).insecure_enable_plaintext_auth();
        Self::start(sessions)
    }

    fn start(sessions: SessionBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mailbox = Self { kept: Arc::default(), port: listener.local_addr().unwrap().port() };
        let kept = mailbox.kept.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map(Result::unwrap) {
                let session = Session { kept: kept.clone(), data: Vec::new() };
                let sessions = sessions.clone();
                std::thread::spawn(move || talk(connection, &sessions, session));
            }
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

    /// The passwords that were tried.
    #[allow(dead_code, reason = "not every program of stories keeps secrets")]
    pub fn passwords(&self) -> Vec<String> {
        self.kept.lock().unwrap().passwords.clone()
    }

    pub fn mails(&self) -> Vec<String> {
        self.kept.lock().unwrap().mails.clone()
    }
}

fn talk(mut connection: TcpStream, sessions: &SessionBuilder, session: Session) -> io::Result<()> {
    let mut session = sessions.build(Ipv4Addr::LOCALHOST.into(), session);
    session.greeting().write_to(&mut connection)?;
    let mut lines = BufReader::new(connection.try_clone()?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let response = session.process(&line);
        if response.action != Action::NoReply {
            response.write_to(&mut connection)?;
            connection.flush()?;
        }
        if response.action == Action::Close {
            break;
        }
        line.clear();
    }
    Ok(())
}

struct Session {
    kept: Arc<Mutex<Kept>>,
    data: Vec<u8>,
}

impl Handler for Session {
    fn rcpt(&mut self, _: &str) -> Response {
        let mut kept = self.kept.lock().unwrap();
        if kept.refusals > 0 {
            kept.refusals -= 1;
            return OUT_OF_SPACE;
        }
        OK
    }

    fn auth_plain(&mut self, _: &str, _: &str, password: &str) -> Response {
        self.kept.lock().unwrap().passwords.push(password.to_owned());
        INVALID_CREDENTIALS
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mail = String::from_utf8(std::mem::take(&mut self.data)).unwrap();
        self.kept.lock().unwrap().mails.push(mail);
        OK
    }
}
