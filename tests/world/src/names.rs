//! A name server that says what it is told.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// What it says of a name. Of others it says that they do not exist.
#[derive(Debug, Clone, Copy)]
pub enum Say {
    Address(Ipv4Addr),
    TryAgain,
}

/// It listens at 127.0.0.53, port 53, as long as this lives.
pub struct Names {
    said: Arc<Mutex<HashMap<String, Say>>>,
    answering: AbortHandle,
}

impl Names {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.53", 53)).await.unwrap();
        let said = Arc::default();
        let answering = tokio::spawn(answer(socket, Arc::clone(&said))).abort_handle();
        Self { said, answering }
    }

    pub fn say(&self, name: &str, say: Say) {
        self.said.lock().unwrap().insert(name.to_owned(), say);
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn answer(socket: UdpSocket, said: Arc<Mutex<HashMap<String, Say>>>) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question).await {
        let (name, end) = name(&question[..length]);
        let say = said.lock().unwrap().get(&name).copied();
        socket.send_to(&reply(&question[..end + 4], say), from).await.ok();
    }
}

const HEAD: usize = 12;

/// The name that is asked for, and where it ends.
fn name(question: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), HEAD);
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), at + 1)
}

/// The question with its answer: an address, if one is asked for (type 1), or nothing.
fn reply(question: &[u8], say: Option<Say>) -> Vec<u8> {
    const SERVER_FAILURE: u8 = 2;
    const NO_SUCH_NAME: u8 = 3;
    let asks_for_address = question[question.len() - 4..][..2] == [0, 1];
    let (code, address) = match say {
        None => (NO_SUCH_NAME, None),
        Some(Say::TryAgain) => (SERVER_FAILURE, None),
        Some(Say::Address(address)) => (0, asks_for_address.then_some(address)),
    };
    let counts = [0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0];
    let mut reply = [&question[..2], &[0x81, 0x80 | code], &counts, &question[HEAD..]].concat();
    if let Some(address) = address {
        // The name of the question (at byte 12), an address of the internet, not to be kept, of four bytes.
        reply.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
