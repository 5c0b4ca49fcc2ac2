//! What was received, and what to answer next, by path.
//!
//! A request is written down with its answer in one step, so the order of the
//! records is the order of the script.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Version};
use tokio::sync::Notify;

use crate::Answer;

/// One request, as it came over the wire, and the answer that it got.
#[derive(Clone, Debug)]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// The path alone.
    pub path: String,
    /// What stood after the question mark.
    pub query: Option<String>,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// What the script said.
    pub answer: Answer,
}

impl Received {
    /// The first header of this name, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Default)]
pub(crate) struct State {
    pages: Mutex<HashMap<String, Page>>,
    written: Notify,
    connections: AtomicUsize,
}

#[derive(Default)]
struct Page {
    script: VecDeque<Answer>,
    received: Vec<Received>,
    taken: usize,
}

impl State {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, SeqCst);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(crate) fn script(&self, path: &str, answers: VecDeque<Answer>) {
        self.pages().entry(path.to_owned()).or_default().script = answers;
    }

    /// Writes the request down and says what to answer.
    pub(crate) fn record(&self, head: Parts, body: Bytes) -> Answer {
        let path = head.uri.path().to_owned();
        let mut pages = self.pages();
        let page = pages.entry(path.clone()).or_default();
        let answer = page.next_answer();
        page.received.push(Received {
            method: head.method,
            path,
            query: head.uri.query().map(str::to_owned),
            version: head.version,
            headers: head.headers,
            body,
            answer: answer.clone(),
        });
        self.written.notify_waiters();
        answer
    }

    pub(crate) fn received(&self, path: &str) -> Vec<Received> {
        self.pages().get(path).map(|page| page.received.clone()).unwrap_or_default()
    }

    /// Forgets what it answers.
    pub(crate) fn take_all(&self, path: &str) -> Vec<Received> {
        let mut pages = self.pages();
        let Some(page) = pages.get_mut(path) else { return Vec::new() };
        page.taken = 0;
        std::mem::take(&mut page.received)
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.pages().get(path).map_or(0, |page| page.received.len())
    }

    pub(crate) async fn next(&self, path: &str) -> Received {
        loop {
            // Made before looking, so that what is written in between wakes it too.
            let written = self.written.notified();
            if let Some(received) = self.take(path) {
                return received;
            }
            written.await;
        }
    }

    fn take(&self, path: &str) -> Option<Received> {
        let mut pages = self.pages();
        let page = pages.get_mut(path)?;
        let received = page.received.get(page.taken)?.clone();
        page.taken += 1;
        Some(received)
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<String, Page>> {
        self.pages.lock().expect("nothing panics while it holds the lock")
    }
}

impl Page {
    /// The last answer of a script is never used up.
    fn next_answer(&mut self) -> Answer {
        if self.script.len() > 1 {
            return self.script.pop_front().expect("there are two");
        }
        self.script.front().cloned().unwrap_or(Answer::Status(200))
    }
}
