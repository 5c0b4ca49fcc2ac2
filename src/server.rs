//! HTTP: the API at `/graphql`, a page to try it out, and checks for whoever
//! watches the process.
//!
//! Every answer bears a request id, in the log too, and what goes wrong is told
//! in the form of a GraphQL answer, whatever it was (G3).

mod body;
mod budget;
mod coercion;
mod endpoint;
mod graphiql;
mod health;
mod media;
mod refusal;
mod request;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Answers requests until `shutdown`, then finishes those under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
    // Answers are small and whole: waiting for more to send would only delay them.
    let listener = listener.tap_io(|connection| {
        connection.set_nodelay(true).ok();
    });
    axum::serve(listener, router(app)).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

/// All paths.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("graphiql") }))
        .merge(graphiql::routes())
        .merge(health::routes(app.clone()))
        .merge(endpoint::routes(app))
        .fallback(refusal::not_found)
        .method_not_allowed_fallback(refusal::method_not_allowed)
        .layer(axum::middleware::from_fn(request::observe))
}
