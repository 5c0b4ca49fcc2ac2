//! A real nginx as a receiver.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command};
use std::time::Duration;

use tempfile::TempDir;

use crate::cluster::watchdog;

/// An nginx with one server, which answers 200. It ends with this value, however the process ends.
pub struct Nginx {
    folder: TempDir,
    address: SocketAddr,
    _watchdog: Child,
}

/// A free port of a random address of this machine, so that nobody else asks for it in between.
pub fn address() -> SocketAddr {
    let address = Ipv4Addr::new(127, rand::random(), rand::random(), rand::random_range(1..=254));
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap()
}

impl Nginx {
    /// Listens there in this way, with a certificate and its key as PEM, and with these settings of its server.
    /// None: there is no nginx on this machine. With `CI=true` that is a failure.
    pub async fn start(
        address: SocketAddr,
        listen: &str,
        (certificate, key): (String, String),
        settings: &str,
    ) -> Option<Self> {
        if !Command::new("nginx").arg("-v").output().is_ok_and(|output| output.status.success()) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no nginx on this machine, and CI=true");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let server = format!("listen {address} {listen}; {settings}");
        for (file, text) in
            [("cert.pem", certificate), ("key.pem", key), ("nginx.conf", configuration(&server))]
        {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let script = r#"nginx -e error.log -p "$0" -c nginx.conf & cat; kill $!; wait"#;
        let watchdog = watchdog(script).arg(folder.path()).spawn().expect("there is a shell");
        while TcpStream::connect(address).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(Self { folder, address, _watchdog: watchdog })
    }

    /// The full address of a path of it.
    pub fn uri(&self) -> String {
        format!("https://{}/hook", self.address)
    }

    /// The requests that it has answered, each with the status and the number of its connection.
    pub fn answered(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

fn configuration(server: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path {kind};\n")).concat();
    // Workers of an nginx that root has started are somebody else, who may not read the folder.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let user = if is_root { "user root;" } else { "" };
    format!(
        "daemon off; pid nginx.pid; worker_processes 1; {user}
        events {{ worker_connections 4096; }}
        http {{
            {temporary}
            log_format short '$status $connection';
            access_log access.log short;
            server {{
                {server}
                ssl_certificate cert.pem;
                ssl_certificate_key key.pem;
                location / {{ return 200 ok; }}
            }}
        }}"
    )
}
