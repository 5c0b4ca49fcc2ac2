//! Stands where a proxy or a name would: servers connect to it, and it passes them on to the node that
//! it points at.
//!
//! What becomes of connections that are open when it turns to another node is told each time, since
//! proxies and names differ in just that.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What becomes of the connections that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// They are closed.
    Closed,
    /// They go on, with the node that they were made to.
    Kept,
    /// Nothing passes any more, and nobody is told.
    Silent,
}

/// The relay.
pub(crate) struct Relay {
    pub address: SocketAddr,
    route: watch::Sender<Route>,
}

#[derive(Debug, Clone)]
struct Route {
    /// The socket of the node, if there is one that lives.
    node: Option<PathBuf>,
    open: Open,
}

impl Relay {
    pub(crate) async fn to(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (route, watched) = watch::channel(Route { node: Some(socket(folder)), open: Open::Kept });
        tokio::spawn(serve(listener, watched));
        Self { address, route }
    }

    /// Turns to the node with this folder.
    pub(crate) fn turn_to(&self, folder: &Path, open: Open) {
        self.route.send_replace(Route { node: Some(socket(folder)), open });
    }

    /// No node is there: who connects is let in and turned away.
    pub(crate) fn turn_away(&self, open: Open) {
        self.route.send_replace(Route { node: None, open });
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

async fn serve(listener: TcpListener, route: watch::Receiver<Route>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut route = route.clone();
        let node = route.borrow_and_update().node.clone();
        tokio::spawn(async move {
            let Some(node) = node else { return };
            if let Ok(node) = UnixStream::connect(node).await {
                pass(stream, node, route).await;
            }
        });
    }
}

async fn pass(mut server: TcpStream, mut node: UnixStream, mut route: watch::Receiver<Route>) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut server, &mut node) => {}
        open = turned(&mut route) => {
            if open == Open::Silent {
                // The node is let go, the server hears nothing of it until everything ends.
                drop(node);
                while route.changed().await.is_ok() {}
            }
        }
    }
}

/// Until connections that are open must not go on.
async fn turned(route: &mut watch::Receiver<Route>) -> Open {
    while route.changed().await.is_ok() {
        let open = route.borrow_and_update().open;
        if open != Open::Kept {
            return open;
        }
    }
    Open::Closed
}
