//! Stands between a server and its PostgreSQL, and passes on what is said as slowly as it is told to; or to
//! another one, or not at all.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

/// How long what the server says is held back; none: for ever.
pub(crate) type Delay = Option<Duration>;

/// The proxy of one database.
pub(crate) struct Proxy {
    /// The database through it.
    pub url: Url,
    delay: watch::Sender<Delay>,
    behind: watch::Sender<Option<Url>>,
    orders: watch::Sender<Order>,
}

/// What becomes of the connections that there are.
#[derive(Debug, Clone, Copy)]
enum Order {
    HangUp,
    FallSilent,
}

impl Proxy {
    pub(crate) async fn before(database: &str) -> Self {
        let behind = Url::parse(database).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url = behind.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        url.set_query(None);
        let (delay, delayed) = watch::channel(Some(Duration::ZERO));
        let (behind, follow) = watch::channel(Some(behind));
        let (orders, _) = watch::channel(Order::HangUp);
        tokio::spawn(serve(listener, follow, delayed, orders.clone()));
        Self { url, delay, behind, orders }
    }

    /// New connections lead to this database, or are hung up at once.
    pub(crate) fn lead_to(&self, database: Option<&str>) {
        self.behind.send_replace(database.map(|url| Url::parse(url).unwrap()));
    }

    /// Ends the connections that there are.
    pub(crate) fn hang_up(&self) {
        self.orders.send_replace(Order::HangUp);
    }

    /// The connections that there are stay, and nothing is passed on by them any more.
    pub(crate) fn fall_silent(&self) {
        self.orders.send_replace(Order::FallSilent);
    }

    pub(crate) fn delay(&self, delay: Delay) {
        self.delay.send_replace(delay);
    }
}

async fn serve(
    listener: TcpListener,
    behind: watch::Receiver<Option<Url>>,
    delay: watch::Receiver<Delay>,
    orders: watch::Sender<Order>,
) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let Some(behind) = behind.borrow().clone() else { continue };
        let (delay, mut orders) = (delay.clone(), orders.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = lead(&mut stream, &behind, delay) => {}
                _ = orders.changed() => if matches!(*orders.borrow(), Order::FallSilent) {
                    std::future::pending::<()>().await;
                }
            }
        });
    }
}

async fn lead(stream: &mut TcpStream, behind: &Url, delay: watch::Receiver<Delay>) {
    if let Some((_, folder)) = behind.query_pairs().find(|(name, _)| name == "host") {
        let socket = PathBuf::from(&*folder).join(".s.PGSQL.5432");
        pass(stream, UnixStream::connect(socket).await.unwrap(), delay).await;
    } else {
        let (host, port) = (behind.host_str().unwrap(), behind.port().unwrap_or(5432));
        pass(stream, TcpStream::connect((host, port)).await.unwrap(), delay).await;
    }
}

/// Passes on what both say, until one of them has nothing more to say.
async fn pass(
    server: &mut TcpStream,
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
