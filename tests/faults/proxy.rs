//! Stands between a server and its PostgreSQL, and passes on what is said as slowly as it is told to.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

/// How long what the server says is held back; none: for ever.
pub type Delay = Option<Duration>;

/// The proxy of one database.
pub struct Proxy {
    /// The database through it.
    pub url: Url,
    delay: watch::Sender<Delay>,
}

impl Proxy {
    pub async fn before(database: &str) -> Self {
        let behind = Url::parse(database).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url = behind.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        url.set_query(None);
        let (delay, delayed) = watch::channel(Some(Duration::ZERO));
        tokio::spawn(serve(listener, behind, delayed));
        Self { url, delay }
    }

    pub fn delay(&self, delay: Delay) {
        self.delay.send_replace(delay);
    }
}

async fn serve(listener: TcpListener, behind: Url, delay: watch::Receiver<Delay>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (behind, delay) = (behind.clone(), delay.clone());
        tokio::spawn(async move {
            if let Some((_, folder)) = behind.query_pairs().find(|(name, _)| name == "host") {
                let socket = PathBuf::from(&*folder).join(".s.PGSQL.5432");
                pass(stream, UnixStream::connect(socket).await.unwrap(), delay).await;
            } else {
                let (host, port) = (behind.host_str().unwrap(), behind.port().unwrap_or(5432));
                pass(stream, TcpStream::connect((host, port)).await.unwrap(), delay).await;
            }
        });
    }
}

/// Passes on what both say, until one of them has nothing more to say.
async fn pass(
    mut server: TcpStream,
    database: impl AsyncRead + AsyncWrite + Unpin,
    mut delay: watch::Receiver<Delay>,
) {
    let (mut from_server, mut to_server) = server.split();
    let (mut from_database, mut to_database) = tokio::io::split(database);
    let asked = async {
        let mut said = vec![0; 16 * 1_024];
        while let Ok(length @ 1..) = from_server.read(&mut said).await {
            hold(&mut delay).await;
            if to_database.write_all(&said[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = asked => {}
        _ = tokio::io::copy(&mut from_database, &mut to_server) => {}
    }
}

/// Until the delay is over, or another is told.
async fn hold(delay: &mut watch::Receiver<Delay>) {
    let told = *delay.borrow_and_update();
    let over = async {
        match told {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        _ = delay.changed() => {}
    }
}
