//! HTTP: the API at `/graphql`, a page to try it out, and checks for whoever
//! watches the process.
//!
//! Every answer bears a request id, in the log too, and what goes wrong is told
//! in the form of a GraphQL answer, whatever it was (G3).

mod connection;
mod document;
mod health;
mod pages;
mod request;
mod response;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::outbound::Troubles;
use crate::outbound::trouble::Trouble;
use connection::pool::Connections;
use pages::graphiql;
use request::endpoint;
use response::{observe, refusal};

pub use document::Documents;

/// How long to wait when there is no file left for a connection.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// Answers requests until `shutdown`, then finishes those under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let timeouts = app.settings.limits.timeouts;
    let connections = Connections::new(app.files.inbound, router(app.clone()), shutdown.clone());
    tokio::select! {
        () = accept(&listener, &connections, &app.troubles) => {}
        () = connections.watch(timeouts) => {}
        () = shutdown.cancelled() => {}
    }
    drop(listener);
    tokio::select! {
        () = connections.end() => {}
        () = connections.watch(timeouts) => {}
    }
    Ok(())
}

async fn accept(listener: &TcpListener, connections: &Arc<Connections>, troubles: &Troubles) {
    loop {
        let (stream, from) = next(listener, troubles).await;
        connections.make_room().await;
        connections.admit(stream, from);
    }
}

async fn next(listener: &TcpListener, troubles: &Troubles) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::debug!(%error, "no connection can be accepted");
                troubles.note(Trouble::Files);
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

/// Whether only the connection failed that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// All paths.
fn router(app: App) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("graphiql") }))
        .merge(graphiql::routes())
        .merge(health::routes(app.clone()))
        .merge(endpoint::routes(app))
        .fallback(refusal::not_found)
        .method_not_allowed_fallback(refusal::method_not_allowed)
        .layer(axum::middleware::from_fn(observe::observe))
}
