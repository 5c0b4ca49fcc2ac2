//! `POST /graphql`: from a request over HTTP to an answer over HTTP.
//!
//! A request is identified, read, classified, charged and executed, in this order. Who asks is known before a
//! byte of the body is read, the request is counted before its document is parsed, and all that it needs is
//! taken before anything of it is done. One request is taken at a time, by POST and as JSON only: whatever a
//! browser would send for a stranger's page is refused (the library's own service would execute it).

use std::sync::Arc;

use async_graphql::{Request, Response as Executed, ServerError, Value};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::app::App;
use crate::auth::{Caller, Login};
use crate::error::report;
use crate::graphql::{self, Schema, codes};
use crate::quota::memory::{Memory, Purpose, Share};
use crate::quota::{RateCharge, RequestClass};
use crate::server::connection::Peer;
use crate::server::document::{Documents, Prepared, class, cost};
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
    queries: Semaphore,
    mutations: Semaphore,
}

/// A request whose bearer is known.
struct Identified {
    caller: Caller,
    peer: Peer,
    headers: HeaderMap,
    share: Arc<Share>,
}

/// A request whose body is read, and how long that was.
struct Read {
    request: Request,
    length: usize,
}

/// A request that is valid and counted in its class.
struct Classified {
    request: Request,
    length: usize,
    class: RequestClass,
    prepared: Prepared,
}

/// A request that has all that it needs but its turn.
struct Charged(Classified);

/// `/graphql`.
pub(crate) fn routes(app: App) -> Router {
    let schema = graphql::schema(app.clone());
    let (long, memory) = (Semaphore::new(LONG_AT_A_TIME), Memory::new(app.settings.limits.memory));
    let documents = Documents::default();
    let [queries, mutations] = [AT_A_TIME; 2].map(Semaphore::new);
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
    let caller = match endpoint.identify(&headers, &peer, &mut deadline).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::drain(&headers, body).await;
            return refusal.answer(media, &id);
        }
    };
    observe::name_caller(&caller);
    let mut rate = RateCharge::of(&endpoint.app.ledger, &caller.scope);
    // Until it is known what is asked, the platform's services are taken to publish.
    let purpose = if caller.is_platform() { Purpose::Publishing } else { Purpose::Reading };
    let share = Arc::new(endpoint.memory.share(caller.scope.organization.clone(), purpose));
    let identified = Identified { caller, peer, headers, share };
    let outcome = endpoint.respond(&identified, body, &mut rate, deadline).await;
    let used_up = outcome.as_ref().err().and_then(Refusal::rate);
    let rate_limit = rate.standing().map(|standing| rate_limit::extension(&standing, used_up));
    match outcome {
        Ok(executed) => answer::executed(executed, rate_limit, media, &id, identified.share).await,
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
    async fn identify(
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

    async fn respond(
        &self,
        identified: &Identified,
        body: Body,
        rate: &mut RateCharge,
        deadline: Deadline,
    ) -> Result<Executed, Refusal> {
        let read = self.read(identified, body).await;
        let classified = self.classify(read, identified.caller.may_publish(), rate)?;
        let charged = charge(classified, &identified.share, rate)?;
        self.execute(charged, identified, deadline).await
    }

    /// The request in a body.
    async fn read(&self, identified: &Identified, body: Body) -> Result<Read, Refusal> {
        let Identified { caller, peer, headers, share } = identified;
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
            return Ok(Read { request: body::parse(&bytes)?, length });
        }
        let _turn = self.long.acquire().await;
        let parsed = tokio::task::spawn_blocking(move || body::parse(&bytes)).await;
        Ok(Read { request: parsed.map_err(|_| Refusal::internal())??, length })
    }

    /// Counts the request in the class that its text suggests, whether it could be read or not. Then its document
    /// and variables are checked; if it turns out to be in the other class, it is counted there as well.
    fn classify(
        &self,
        read: Result<Read, Refusal>,
        may_publish: bool,
        rate: &mut RateCharge,
    ) -> Result<Classified, Refusal> {
        let mut enter = |class| rate.enter(class).map_err(rate_limit::refusal);
        let suggested = match &read {
            Ok(read) if may_publish => class::suggested_by(&read.request.query),
            _ => RequestClass::Api,
        };
        enter(suggested)?;
        let Read { mut request, length } = read?;
        let prepared = self.documents.prepare(&mut request)?;
        let class = if may_publish { prepared.class } else { RequestClass::Api };
        enter(class)?;
        if length > body::LIMIT && class == RequestClass::Api {
            return Err(body::too_large(body::LIMIT));
        }
        Ok(Classified { request, length, class, prepared })
    }

    /// Executes the operation when its turn has come. Before that nothing of it is done.
    async fn execute(
        &self,
        Charged(operation): Charged,
        identified: &Identified,
        mut deadline: Deadline,
    ) -> Result<Executed, Refusal> {
        let (Identified { caller, share, .. }, changes) = (identified, operation.prepared.changes);
        let Ok(_turn) = deadline.wait(self.turn(operation.class, changes)).await else {
            return Err(Refusal::busy(NO_ROOM));
        };
        if operation.class == RequestClass::Publishing {
            deadline.leave_to_publisher(self.app.settings.limits.waits);
        }
        let request = graphql::prepare(operation.request, &self.app, caller.clone(), share);
        let Ok(mut executed) = deadline.wait(self.schema.execute(request)).await else {
            return Err(if changes { Refusal::unknown() } else { Refusal::busy(NO_ROOM) });
        };
        if let Some(refusal) = not_done(&executed, changes, share) {
            return Err(refusal);
        }
        if is_refused(&executed) {
            return Err(Refusal::of_document(executed.errors, codes::VALIDATION_FAILED));
        }
        operation.prepared.shape.give(&mut executed.data);
        Ok(executed)
    }

    /// The turn of an operation, which lasts until it is dropped. Publishing needs none.
    async fn turn(&self, class: RequestClass, changes: bool) -> Option<SemaphorePermit<'_>> {
        let turns = match (class, changes) {
            (RequestClass::Publishing, _) => return None,
            (RequestClass::Api, true) => &self.mutations,
            (RequestClass::Api, false) => &self.queries,
        };
        turns.acquire().await.ok()
    }
}

/// Takes the memory that an operation needs, and its points. Its memory is counted from now on for what the
/// operation turned out to be.
fn charge(classified: Classified, share: &Share, rate: &mut RateCharge) -> Result<Charged, Refusal> {
    let Classified { request, length, class, prepared } = &classified;
    let (purpose, copies) = match class {
        RequestClass::Publishing => (Purpose::Publishing, COPIES),
        RequestClass::Api => (Purpose::Reading, 0),
    };
    share.turn_to(purpose).map_err(no_room)?;
    share.grow(request.query.len() * DOCUMENT + length * copies).map_err(no_room)?;
    cost::check(prepared.complexity)?;
    share.take_ahead(prepared.footprint).map_err(no_room)?;
    let paid = rate.pay(prepared.complexity, prepared.events);
    paid.map_err(|unpaid| rate_limit::unpaid(unpaid, prepared.complexity))?;
    Ok(Charged(classified))
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
