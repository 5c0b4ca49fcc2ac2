//! What callers may ask for and how long they are waited for (G12), and that nobody who asks for
//! too much keeps others out.

mod connections;
mod frames;
mod logins;
mod memory;
mod rates;
mod sizes;

use std::net::SocketAddr;
use std::time::Duration;

use reprise::app::Settings;
use reprise::quota::limits::{ApiLimits, Timeouts};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use world::Api;

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const PING: &str = "{ ping }";

/// The limits of the contract.
fn limited(settings: &mut Settings) {
    settings.limits = ApiLimits {
        timeouts: settings.limits.timeouts,
        waits: settings.limits.waits,
        ..ApiLimits::default()
    };
}

/// Status, `retry-after` and body of the answer to a POST.
async fn post(api: &Api, media_type: &str, body: String) -> (u16, Option<String>, Value) {
    let request = api.client().post(api.at("/graphql")).header(AUTHORIZATION, api.authorization());
    let response = request.header(CONTENT_TYPE, media_type).body(body).send().await.unwrap();
    let wait = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, wait, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

/// How long a story waits for a client that does not do what it should.
const SHORT: Duration = Duration::from_millis(300);
/// Long enough for a client that does, however slow the machine is.
const ENOUGH: Duration = Duration::from_secs(3);

/// A story's own timeouts in one respect; in all others there is no end to it.
fn waiting(change: fn(&mut Timeouts)) -> impl FnOnce(&mut Settings) {
    move |settings| change(&mut settings.limits.timeouts)
}

fn address(api: &Api) -> SocketAddr {
    api.at("").strip_prefix("http://").unwrap().parse().unwrap()
}

pub(crate) async fn connect(api: &Api, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address(api)).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

/// The header of a request with a key.
fn header(api: &Api, more: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\n{more}\r\n",
        api.authorization()
    )
}

/// What still comes until the server closes the connection.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off is at its end, too.
    stream.read_to_end(&mut bytes).await.ok();
    String::from_utf8_lossy(&bytes).into_owned()
}
