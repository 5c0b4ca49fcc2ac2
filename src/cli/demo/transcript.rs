//! Prints what happens: each request, and each notification with its
//! signatures verified.

use anyhow::ensure;
use receiver::{Answer, Received};
use serde_json::Value;

use crate::cli::output::say;
use crate::rules::signature;

/// Numbers the steps as it prints them.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    steps: usize,
}

impl Transcript {
    /// The beginning of a step.
    pub(super) fn step(&mut self, title: &str) -> anyhow::Result<()> {
        self.steps += 1;
        say(&format!("\n{}. {title}", self.steps))
    }

    /// A request and its answer.
    pub(super) fn request(query: &str, variables: &Value, data: &Value) -> anyhow::Result<()> {
        say(&format!("   > {query}\n     {variables}\n   < {data}"))
    }

    /// A notification, as it arrived.
    ///
    /// # Errors
    /// When not every signature is by one of the secrets, in their order.
    pub(super) fn webhook(received: &Received, secrets: &[&str]) -> anyhow::Result<()> {
        let header = received.header(signature::HEADER).unwrap_or_default();
        let signatures: Vec<&str> = header.split(',').collect();
        let is_signed = signatures.len() == secrets.len()
            && signatures
                .iter()
                .zip(secrets)
                .all(|(one, secret)| signature::is_valid(one, &received.body, secret));
        ensure!(is_signed, "a notification was not signed by the keys of its target");
        let replay = received.header("highnote-replay").map(|value| format!("   highnote-replay: {value}\n"));
        say(&format!(
            "   POST {}\n{}   highnote-signature: {} ({} verified)\n   {}\n   answered {}",
            received.path,
            replay.unwrap_or_default(),
            signatures.iter().map(|one| format!("{}…", &one[..12])).collect::<Vec<_>>().join(","),
            signatures.len(),
            String::from_utf8_lossy(&received.body),
            status(&received.answer),
        ))
    }
}

fn status(answer: &Answer) -> u16 {
    match answer {
        Answer::Status(status) => *status,
        _ => 200,
    }
}
