//! `POST /graphql`: from a request over HTTP to an answer over HTTP.
//!
//! Who asks is known before a byte of the body is read. One request is taken at a
//! time, by POST and as JSON only: whatever a browser would send for a stranger's
//! page is refused (the library's own service would execute it).

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response as Executed, ServerError, Value};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::auth::{Caller, Login};
use crate::error::report;
use crate::graphql::limits::admission::Admission;
use crate::graphql::{self, Schema, codes};
use crate::quota::memory::{Memory, Purpose, Share};
use crate::quota::{RateCharge, RequestClass};
use crate::server::connection::Peer;
use crate::server::document::class;
use crate::server::document::{Documents, Shape};
use crate::server::request::deadline::Deadline;
use crate::server::request::media::{self, Media};
use crate::server::request::{body, client_ip};
use crate::server::response::refusal::{NO_ROOM, Refusal, no_room};
use crate::server::response::request_id::RequestId;
use crate::server::response::{answer, observe, rate_limit};

/// Longer bodies are not parsed on the threads that the delivery engine runs on, and few at a time.
const LONG: usize = 64 * 1_024;
const LONG_AT_A_TIME: usize = 2;

/// How many queries, and how many mutations other than publishing, are executed at a time. The others wait for
/// their turn, as far as there is memory for what they are going to hold. Publishing waits for the writer only.
const AT_A_TIME: usize = 16;

/// How often what is published is held besides, on its way to the database and into the answer.
const COPIES: usize = 3;

/// What a byte of a document takes when it has been parsed.
const DOCUMENT: usize = 32;

struct Endpoint {
    app: App,
    schema: Schema,
    documents: Documents,
    long: Semaphore,
    memory: Arc<Memory>,
    queries: Arc<Semaphore>,
    mutations: Arc<Semaphore>,
}

/// A request whose bearer is known.
struct Admitted {
    caller: Caller,
    charge: RateCharge,
    peer: Peer,
    headers: HeaderMap,
    deadline: Deadline,
    share: Arc<Share>,
}

/// `/graphql`.
pub fn routes(app: App) -> Router {
    let schema = graphql::schema(app.clone());
    let (long, memory) = (Semaphore::new(LONG_AT_A_TIME), Memory::new(app.settings.limits.memory));
    let documents = Documents::default();
    let [queries, mutations] = [AT_A_TIME; 2].map(|turns| Arc::new(Semaphore::new(turns)));
    let endpoint = Arc::new(Endpoint { app, schema, documents, long, memory, queries, mutations });
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
    let mut deadline = Deadline::full(endpoint.app.settings.limits.waits);
    let caller = match endpoint.admit(&headers, &peer, &mut deadline).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::drain(&headers, body).await;
            return refusal.answer(media, &id);
        }
    };
    observe::name_caller(&caller);
    let charge = RateCharge::of(&endpoint.app.ledger, &caller.scope);
    // Until it is known what is asked, the platform's services are taken to publish.
    let purpose = if caller.is_platform() { Purpose::Publishing } else { Purpose::Reading };
    let share = Arc::new(endpoint.memory.share(caller.scope.organization.clone(), purpose));
    let mut admitted = Admitted { caller, charge, peer, headers, deadline, share };
    let outcome = endpoint.respond(&mut admitted, body).await;
    let rate_limit = admitted.charge.standing().as_ref().map(rate_limit::extension);
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
        deadline: &mut Deadline,
    ) -> Result<Caller, Refusal> {
        let login = match authorization(headers) {
            Some(authorization) => {
                let from = client_ip::client(peer.address, headers, &self.app.settings.limits.proxies);
                let login =
                    deadline.wait(self.app.logins.authenticate(authorization, from, self.app.now())).await;
                login.map_err(|_| Refusal::busy(NO_ROOM))?.map_err(|cause| {
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
        let Admitted { caller, charge, deadline, share, .. } = admitted;
        let (mut request, length) = match read {
            Ok(read) => read,
            Err(refusal) => {
                charge.enter(RequestClass::Api).map_err(rate_limit::refusal)?;
                return Err(refusal);
            }
        };
        let shape = self.check(&mut request, length, caller.may_publish(), charge)?;
        let work = self.admission(&mut request, length, charge.class(), share)?;
        let request = graphql::prepare(request, &self.app, caller.clone(), share).data(charge.clone());
        let request = request.data(Arc::clone(&work.admission));
        if charge.class() == RequestClass::Publishing {
            deadline.leave_to_publisher(self.app.settings.limits.waits);
        }
        let Ok(mut executed) = deadline.wait(self.schema.execute(request)).await else {
            let may_be_done = work.changes && work.admission.has_begun();
            return Err(if may_be_done { Refusal::unknown() } else { Refusal::busy(NO_ROOM) });
        };
        if let Some(refusal) = not_done(&executed, work.changes, share) {
            return Err(refusal);
        }
        if !is_refused(&executed) {
            shape.give(&mut executed.data);
            return Ok(executed);
        }
        match charge.standing().and_then(|standing| standing.refused) {
            Some(refused) => Err(rate_limit::refusal(refused)),
            None => Err(Refusal::of_document(executed.errors, codes::VALIDATION_FAILED)),
        }
    }

    /// What the operation needs before it is executed. Memory is taken for its document at once, and counted
    /// from now on for what the operation turned out to be.
    fn admission(
        &self,
        request: &mut Request,
        length: usize,
        class: RequestClass,
        share: &Arc<Share>,
    ) -> Result<Work, Refusal> {
        let (purpose, copies) = match class {
            RequestClass::Publishing => (Purpose::Publishing, COPIES),
            RequestClass::Api => (Purpose::Reading, 0),
        };
        share.turn_to(purpose).map_err(no_room)?;
        share.grow(request.query.len() * DOCUMENT + length * copies).map_err(no_room)?;
        let document = request.parsed_query().map_err(|_| Refusal::internal())?;
        // It is the only one that is left.
        let operation = document.operations.iter().next().map(|(_, operation)| &operation.node);
        let changes = operation.is_some_and(|operation| operation.ty == OperationType::Mutation);
        let turns = match (class, changes) {
            (RequestClass::Publishing, _) => None,
            (RequestClass::Api, true) => Some(Arc::clone(&self.mutations)),
            (RequestClass::Api, false) => Some(Arc::clone(&self.queries)),
        };
        let selections = operation.map(|operation| &operation.selection_set.node);
        let admission = Arc::new(Admission::new(Arc::clone(share), document, selections, turns));
        Ok(Work { changes, admission })
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
        let bytes = body::read(headers, body, limit, self.app.settings.limits.timeouts.body, share).await?;
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

    /// Checks document and variables, and says what the answer is to look like. The request is counted
    /// before, in the class that its text suggests, and once more if it turns out to be in the other.
    fn check(
        &self,
        request: &mut Request,
        length: usize,
        may_publish: bool,
        charge: &RateCharge,
    ) -> Result<Shape, Refusal> {
        let enter = |class| charge.enter(class).map_err(rate_limit::refusal);
        let may_publish = may_publish && request.query.contains(class::PUBLISH);
        enter(if may_publish { RequestClass::Publishing } else { RequestClass::Api })?;
        let prepared = self.documents.prepare(request)?;
        if may_publish && prepared.class == RequestClass::Api {
            enter(RequestClass::Api)?;
        }
        if length > body::LIMIT && prepared.class == RequestClass::Api {
            return Err(body::too_large(body::LIMIT));
        }
        charge.add_events(prepared.events);
        Ok(prepared.shape)
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

/// An operation before it is executed.
struct Work {
    /// Whether it may change something.
    changes: bool,
    admission: Arc<Admission>,
}

/// Why the operation as a whole was not carried out, if there was no room for it or no time. What was changed
/// is answered as far as there is room for the answer.
fn not_done(executed: &Executed, changes: bool, share: &Share) -> Option<Refusal> {
    let is_unavailable = |error: &ServerError| {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        code == Some(&Value::from(codes::UNAVAILABLE))
    };
    let mut errors = executed.errors.iter();
    let is_not_done = if changes {
        errors.len() > 0 && errors.all(is_unavailable) && is_nothing(&executed.data)
    } else {
        errors.any(is_unavailable)
    };
    is_not_done.then(|| share.refused().map_or_else(|| Refusal::busy(NO_ROOM), no_room))
}

/// Whether no field of an operation has a value.
fn is_nothing(data: &Value) -> bool {
    match data {
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        data => *data == Value::Null,
    }
}

/// Whether nothing was executed: errors of execution have a path.
fn is_refused(response: &Executed) -> bool {
    let is_without_path = response.errors.iter().all(|error| error.path.is_empty());
    response.data == Value::Null && !response.errors.is_empty() && is_without_path
}
