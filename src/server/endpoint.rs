//! `POST /graphql`: from a request over HTTP to an answer over HTTP.
//!
//! Who asks is known before a byte of the body is read. One request is taken at a
//! time, by POST and as JSON only: whatever a browser would send for a stranger's
//! page is refused (the library's own service would execute it).

use std::sync::Arc;

use async_graphql::{Request, Response as Executed, Value};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::{App, Caller, Lane, Login, Toll};
use crate::error::report;
use crate::graphql::{self, Schema, codes};
use crate::server::connection::Peer;
use crate::server::document::{Blanks, Documents};
use crate::server::media::{self, Media};
use crate::server::memory::{Memory, Share};
use crate::server::patience::Patience;
use crate::server::refusal::Refusal;
use crate::server::request::RequestId;
use crate::server::{answer, body, forwarded, lane, rates};

/// Longer bodies are not parsed on the threads that the delivery engine runs on, and few at a time.
const LONG: usize = 64 * 1_024;
const LONG_AT_A_TIME: usize = 2;

struct Endpoint {
    app: App,
    schema: Schema,
    documents: Documents,
    long: Semaphore,
    memory: Arc<Memory>,
}

/// A request whose bearer is known.
struct Admitted {
    caller: Caller,
    toll: Toll,
    peer: Peer,
    headers: HeaderMap,
    patience: Patience,
    share: Share,
}

/// `/graphql`.
pub fn routes(app: App) -> Router {
    let schema = graphql::schema(app.clone());
    let (long, memory) = (Semaphore::new(LONG_AT_A_TIME), Memory::new(app.settings.door.memory));
    let documents = Documents::default();
    let endpoint = Arc::new(Endpoint { app, schema, documents, long, memory });
    Router::new().route("/graphql", post(serve)).with_state(endpoint)
}

async fn serve(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let media = media::negotiate(&headers).unwrap_or(Media::Json);
    let mut patience = Patience::full();
    let caller = match endpoint.admit(&headers, &peer, &mut patience).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::drain(&headers, body).await;
            return refusal.answer(media, &id);
        }
    };
    let toll = Toll::of(&endpoint.app, &caller.scope);
    let share = endpoint.memory.share(caller.scope.organization.clone());
    let mut admitted = Admitted { caller, toll, peer, headers, patience, share };
    let outcome = endpoint.respond(&mut admitted, body).await;
    let rate_limit = admitted.toll.standing().as_ref().map(rates::extension);
    match outcome {
        Ok(executed) => answer::executed(executed, rate_limit, media, &id, admitted.share).await,
        Err(refusal) => {
            let mut extensions = json!({ "requestId": id.to_string() });
            if let Some(rate_limit) = rate_limit {
                extensions["rateLimit"] = rate_limit;
            }
            refusal.answer_with(&extensions, media)
        }
    }
}

impl Endpoint {
    /// Who asks. Strangers learn nothing but that they are strangers.
    async fn admit(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        patience: &mut Patience,
    ) -> Result<Caller, Refusal> {
        let login = match authorization(headers) {
            Some(authorization) => {
                let from = forwarded::client(peer.address, headers, &self.app.settings.door.proxies);
                let login = patience.wait(self.app.authenticate(authorization, from)).await?;
                login.map_err(|cause| {
                    report("a key could not be looked up", &cause);
                    Refusal::internal()
                })?
            }
            None => Login::Unknown,
        };
        match login {
            Login::Caller(caller) => Ok(caller),
            Login::Unknown => {
                let message =
                    "Give a valid API key as the user name of Basic authentication, with an empty password.";
                Err(Refusal::new(StatusCode::UNAUTHORIZED, codes::UNAUTHENTICATED, message))
            }
            Login::TooMany(wait) => {
                Err(Refusal::for_now("Too many logins have failed. Try again later.", wait))
            }
        }
    }

    async fn respond(&self, admitted: &mut Admitted, body: Body) -> Result<Executed, Refusal> {
        let read = self.read(admitted, body).await;
        let Admitted { caller, toll, patience, .. } = admitted;
        let (mut request, length) = match read {
            Ok(read) => read,
            Err(refusal) => {
                toll.enter(Lane::Api).map_err(rates::refusal)?;
                return Err(refusal);
            }
        };
        let blanks = self.check(&mut request, length, caller.may_publish(), toll)?;
        let request = graphql::prepare(request, &self.app, caller.clone()).data(toll.clone());
        let mut executed = patience.wait(self.schema.execute(request)).await?;
        if !is_refused(&executed) {
            blanks.remove_from(&mut executed.data);
            return Ok(executed);
        }
        match toll.standing().and_then(|standing| standing.refused) {
            Some(refused) => Err(rates::refusal(refused)),
            None => Err(Refusal::of_document(executed.errors, codes::VALIDATION_FAILED)),
        }
    }

    /// The request in a body, and how long the body was.
    async fn read(&self, admitted: &mut Admitted, body: Body) -> Result<(Request, usize), Refusal> {
        let Admitted { caller, peer, headers, share, .. } = admitted;
        if let Err(refusal) = check_media(headers) {
            body::drain(headers, body).await;
            return Err(refusal);
        }
        let limit = if caller.may_publish() { body::PUBLISHING_LIMIT } else { body::LIMIT };
        let waiting = peer.wait();
        let bytes = body::read(headers, body, limit, self.app.settings.door.patience.body, share).await?;
        drop(waiting);
        let length = bytes.len();
        body::check_values(&bytes, share)?;
        if length <= LONG {
            return Ok((body::parse(&bytes)?, length));
        }
        let _turn = self.long.acquire().await;
        let parsed = tokio::task::spawn_blocking(move || body::parse(&bytes)).await;
        Ok((parsed.map_err(|_| Refusal::internal())??, length))
    }

    /// Checks document and variables, and says what is to be taken out of the answer. The request is counted
    /// before, in the lane that its text suggests, and once more if it turns out to be in the other.
    fn check(
        &self,
        request: &mut Request,
        length: usize,
        may_publish: bool,
        toll: &Toll,
    ) -> Result<Blanks, Refusal> {
        let enter = |lane| toll.enter(lane).map_err(rates::refusal);
        let may_publish = may_publish && request.query.contains(lane::PUBLISH);
        enter(if may_publish { Lane::Publishing } else { Lane::Api })?;
        let prepared = self.documents.prepare(request)?;
        if may_publish && prepared.lane == Lane::Api {
            enter(Lane::Api)?;
        }
        if length > body::LIMIT && prepared.lane == Lane::Api {
            return Err(body::too_large(body::LIMIT));
        }
        toll.add_events(prepared.events);
        Ok(prepared.blanks)
    }
}

/// The one `Authorization` header. Of several, a proxy might have believed another than we do.
fn authorization(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn check_media(headers: &HeaderMap) -> Result<(), Refusal> {
    if media::negotiate(headers).is_none() {
        let message = "Accept application/graphql-response+json or application/json.";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, codes::NOT_ACCEPTABLE, message));
    }
    if !media::is_json(headers) || !media::is_plain(headers) {
        let message = "Send the body as application/json in UTF-8, and not compressed.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::new(status, codes::UNSUPPORTED_MEDIA_TYPE, message));
    }
    Ok(())
}

/// Whether nothing was executed: errors of execution have a path.
fn is_refused(response: &Executed) -> bool {
    let is_without_path = response.errors.iter().all(|error| error.path.is_empty());
    response.data == Value::Null && !response.errors.is_empty() && is_without_path
}
